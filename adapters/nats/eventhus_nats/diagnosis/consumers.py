"""Checks of consumers whose settings were changed by hand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress

import nats.js.errors
from nats.js.api import ConsumerInfo

from eventhus.ports import Finding
from eventhus_nats.connection import Connection
from eventhus_nats.consumer import ACK_WAIT_S, MAX_IN_HAND, can_serve, group_consumers
from eventhus_nats.diagnosis.names import CONSUMERS

_MOST = 2_048  # consumers that are looked at
_RECREATE = "delete the consumer while the group has members: they create it again"


async def of_consumers(connection: Connection) -> Iterable[Finding]:
    """Return whether the consumers of the stream can serve groups."""
    groups: list[ConsumerInfo] = []
    with suppress(nats.js.errors.NotFoundError):  # there is no stream yet
        groups = await group_consumers(connection, most=_MOST)
    findings = [finding for each in groups for finding in consumer_findings(each)]
    return findings or [Finding.ok(CONSUMERS, f"groups that have subscribed: {len(groups)}")]


def consumer_findings(info: ConsumerInfo) -> Iterator[Finding]:
    """Return the problems of a consumer with a name."""
    config = info.config

    def warning(problem: str, advice: str) -> Finding:
        return Finding.warning(CONSUMERS, f"the consumer {info.name} {problem}", advice)

    if not can_serve(config):
        yield warning(
            "cannot serve a group: it is not a pull consumer with explicit acknowledgement and "
            "without max_deliver",
            "name the group differently, or delete the consumer",
        )
    if config.headers_only:
        yield warning("gives no bodies, so no event can be decoded", _RECREATE)
    if info.paused:
        yield warning("is paused, so its group stands still", "resume it: nats consumer resume")
    if config.ack_wait is not None and config.ack_wait < ACK_WAIT_S:
        yield warning(
            f"delivers again after {config.ack_wait:g} s, not {ACK_WAIT_S:g} s, so handlers see "
            f"events twice",
            _RECREATE,
        )
    if 0 < (config.max_ack_pending or 0) < 2 * MAX_IN_HAND:
        yield warning(
            f"gives at most {config.max_ack_pending} messages at once, so a failing one may hold "
            f"up all",
            _RECREATE,
        )
    if config.filter_subject or config.filter_subjects:
        yield warning(
            "skips some subjects until a member of the group starts", "start the group again"
        )
    if config.inactive_threshold:
        yield warning(
            f"is deleted, with the place of the group, after {config.inactive_threshold:g} s "
            f"without members",
            _RECREATE,
        )
    if config.mem_storage:
        yield warning("keeps the place of the group in memory", _RECREATE)
