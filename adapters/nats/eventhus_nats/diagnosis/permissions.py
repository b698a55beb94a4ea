"""Checks of the user: which subjects it may use, compared with those of the bus."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from attrs import frozen

from eventhus.ports import Finding
from eventhus_nats.diagnosis.names import PERMISSIONS
from eventhus_nats.diagnosis.watching import WatchingConnection

USER_INFO = "$SYS.REQ.USER.INFO"  # nats-server 2.10 and later


@frozen
class Needed:
    """The subjects that a bus uses, as patterns."""

    publish: Sequence[str]
    subscribe: Sequence[str]


async def of_permissions(connection: WatchingConnection, needed: Needed) -> Iterable[Finding]:
    """Return which subjects the user may not use."""
    answer = await connection.answer_unless_denied(USER_INFO)
    if answer is None:
        return [
            Finding.warning(
                PERMISSIONS,
                f"not visible: the user may not publish to {USER_INFO}",
                f"allow that, or compare its permissions with: "
                f"publish to {', '.join(needed.publish)}; "
                f"subscribe to {', '.join(needed.subscribe)}",
            )
        ]
    permissions = json.loads(answer)["data"].get("permissions") or {}
    return [*permission_findings(permissions, needed)]


def permission_findings(permissions: Mapping[str, Any], needed: Needed) -> Iterable[Finding]:
    """Return the findings about the permissions of a user, as the server tells them."""
    missing = [
        (verb, subject)
        for verb, subjects in (("publish", needed.publish), ("subscribe", needed.subscribe))
        for subject in subjects
        if not _may(permissions.get(verb) or {}, subject)
    ]
    if not missing:
        return [Finding.ok(PERMISSIONS, "the user may use every subject of the bus")]
    return [_missing(verb, subject) for verb, subject in missing]


def denial_findings(denials: Iterable[str], needed: Needed) -> Iterator[Finding]:
    """Return the findings about subjects that the server has refused meanwhile."""
    refused = "\n".join(denials)
    for subject in needed.publish:
        if f'"{subject.lower()}"' in refused:
            yield _missing("publish", subject)


def _missing(verb: str, subject: str) -> Finding:
    return Finding.error(
        PERMISSIONS,
        f"the user may not {verb} to {subject}",
        "change the permissions of the user on the server",
    )


def _may(rules: Mapping[str, Any], subject: str) -> bool:
    allow, deny = _patterns(rules.get("allow")), _patterns(rules.get("deny"))
    if any(_meet(pattern, subject) for pattern in deny):
        return False
    return not allow or any(_covers(pattern, subject) for pattern in allow)


def _patterns(rules: Iterable[str] | None) -> list[list[str]]:
    """Return patterns as lists of tokens, without the names of queues that may follow them."""
    return [rule.split(" ", 1)[0].split(".") for rule in rules or ()]


def _covers(pattern: Sequence[str], subject: str) -> bool:
    """Return whether a pattern matches every subject of another pattern."""
    tokens = subject.split(".")
    for place, part in enumerate(pattern):
        if place == len(tokens):
            return False
        if part == ">":
            return True
        if tokens[place] == ">" or part not in ("*", tokens[place]):
            return False
    return len(pattern) == len(tokens)


def _meet(pattern: Sequence[str], subject: str) -> bool:
    """Return whether two patterns have a subject in common."""
    tokens = subject.split(".")
    for one, other in zip(pattern, tokens, strict=False):
        if ">" in (one, other):
            return True
        if one != other and "*" not in (one, other):
            return False
    return len(pattern) == len(tokens)
