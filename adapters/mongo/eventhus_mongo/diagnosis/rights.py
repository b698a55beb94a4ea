"""Checks of the user: what it may do, compared with what the store does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pymongo.errors import OperationFailure

from eventhus.ports import Finding
from eventhus_mongo.connection import Client
from eventhus_mongo.diagnosis.names import AUTHENTICATION, RIGHTS
from eventhus_mongo.driver_errors import UNAUTHORIZED

_READ = ("find", "listIndexes")
_WRITE = ("insert", "update", "remove", "createIndex")
_NEEDED = {
    "events": (*_READ, "insert", "createIndex"),
    "snapshots": (*_READ, "insert", "update"),
    "checkpoints": (*_READ, "insert", "update"),
    "leases": (*_READ, "insert", "update"),
    "groups": (*_READ, "insert", "update"),
    "dead_letters": (*_READ, *_WRITE),
    "views": (*_READ, "insert", "update", "remove"),
    "": (*_READ, *_WRITE, "listCollections"),  # of the database
}
"""The rights without which something fails, by collection."""

_USEFUL = {
    "changeStream": ("events", "followers poll for new events"),
    "dropCollection": ("", "app.prune fails"),
}
"""The rights without which something is slow or impossible, their collection, and the effect."""


async def of_rights(client: Client, bucket: str) -> Iterable[Finding]:
    """Return which rights the user lacks, each by its name."""
    question = {"connectionStatus": 1, "showPrivileges": True}
    answer = (await client.admin.command(question))["authInfo"]
    if answer["authenticatedUsers"]:
        return [*right_findings(bucket, answer["authenticatedUserPrivileges"])]
    try:
        await client[bucket].list_collection_names()
    except OperationFailure as error:
        if error.code != UNAUTHORIZED:
            raise
        return [
            Finding.error(
                RIGHTS,
                "the server asks for credentials, and the URL has none",
                f"add a user with readWrite on database {bucket!r} to the URL",
            )
        ]
    return [
        Finding.warning(
            AUTHENTICATION,
            "the server lets everybody in who can reach it",
            "start mongod with --auth, and give the URL a user with readWrite on the bucket's "
            "database",
        )
    ]


def right_findings(bucket: str, privileges: Iterable[Mapping[str, Any]]) -> Iterator[Finding]:
    """Return the findings about the privileges that ``connectionStatus`` shows."""
    granted = [(each["resource"], {*each["actions"]}) for each in privileges]

    def may(action: str, collection: str) -> bool:
        return any(
            action in actions and _covers(resource, bucket, collection)
            for resource, actions in granted
        )

    missing = [
        (action, collection)
        for collection, actions in _NEEDED.items()
        for action in actions
        if not may(action, collection)
    ]
    useful = [
        (action, effect)
        for action, (collection, effect) in _USEFUL.items()
        if not may(action, collection)
    ]
    advice = f"grant readWrite on database {bucket!r} to the user"
    if missing:
        yield Finding.error(RIGHTS, f"the user lacks {_listed(missing)}", advice)
    for action, effect in useful:
        yield Finding.warning(RIGHTS, f"the user lacks {action}, so {effect}", advice)
    if not missing and not useful:
        yield Finding.ok(RIGHTS, "the user may do what the store does")


def _covers(resource: Mapping[str, Any], bucket: str, collection: str) -> bool:
    return bool(resource.get("anyResource")) or (
        resource.get("db") in ("", bucket)
        and "db" in resource
        and resource["collection"] in ("", collection)
    )


def _listed(missing: Iterable[tuple[str, str]]) -> str:
    collections: dict[str, list[str]] = {}
    for action, collection in missing:
        collections.setdefault(action, []).append(collection)
    return "; ".join(
        action if "" in names else f"{action} on {', '.join(names)}"
        for action, names in collections.items()
    )
