"""Checks of the bucket: its collections, its indexes and the form of its documents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from eventhus.errors import IncompatibleBucket
from eventhus.ports import Finding
from eventhus_mongo.bucket import EVENTS_INDEXES, check_collection, check_documents, indexes_of
from eventhus_mongo.connection import Connection
from eventhus_mongo.diagnosis.names import COLLECTIONS, FORMAT, INDEXES, SHARDING
from eventhus_mongo.diagnosis.server import ROUTER
from eventhus_mongo.driver_errors import translating_errors

_OURS = {"events", "snapshots", "checkpoints", "leases", "groups", "dead_letters", "views"}
_PREFIXES = ("view_", "process_")
_MOST = 200  # collections whose indexes are looked at


async def of_collections(connection: Connection) -> Iterable[Finding]:
    """Return whether the bucket's collections keep what is written to them."""
    try:
        with translating_errors(connection.bucket):
            async with connection.operation() as session:
                await check_collection(connection, session)
    except IncompatibleBucket as error:
        return [Finding.error(COLLECTIONS, error.problem, "use another bucket")]
    async with connection.operation() as session:
        listed = await connection.events.database.list_collections(session=session)
        found = [each for each in await listed.to_list() if _is_ours(each["name"])]
        findings = [finding for each in found for finding in _option_findings(each)]
        for each in found[:_MOST]:
            indexes = await indexes_of(connection.collection(each["name"]), session)
            findings += _expiry_findings(each["name"], indexes)
    if findings:
        return findings
    if not found:
        return [Finding.ok(COLLECTIONS, "the bucket is new")]
    return [Finding.ok(COLLECTIONS, f"collections of the bucket: {len(found)}")]


def _is_ours(name: str) -> bool:
    return name in _OURS or name.startswith(_PREFIXES)


def _option_findings(collection: Mapping[str, Any]) -> Iterator[Finding]:
    name, options = collection["name"], collection.get("options", {})
    kind = "capped collection" if options.get("capped") else collection.get("type", "collection")
    if kind != "collection":
        yield Finding.error(
            COLLECTIONS,
            f"{name} is a {kind}, and must be a plain collection",
            f"copy its documents into a plain collection, and rename that to {name}",
        )
    if "collation" in options:
        yield Finding.error(
            COLLECTIONS,
            f"{name} has a collation, so different keys may count as one",
            f"copy its documents into a collection without one, and rename that to {name}",
        )
    if options.get("validator") and options.get("validationAction", "error") != "warn":
        yield Finding.warning(
            COLLECTIONS,
            f"{name} has a validator, which may refuse what the store writes",
            f"remove it: db.runCommand({{collMod: '{name}', validator: {{}}}})",
        )


def _expiry_findings(name: str, indexes: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
    for index, options in indexes.items():
        if "expireAfterSeconds" in options:
            yield Finding.error(
                COLLECTIONS,
                f"the index {index} of {name} deletes documents after a time",
                f"drop it: db.getCollection('{name}').dropIndex('{index}')",
            )


async def of_sharding(connection: Connection, hello: Mapping[str, Any]) -> Iterable[Finding]:
    """Return whether the log is in one place, if the server is a router."""
    if hello.get("msg") != ROUTER:
        return []
    return [*sharding_findings(await connection.events.database.command("collStats", "events"))]


def sharding_findings(stats: Mapping[str, Any]) -> Iterator[Finding]:
    """Return the findings about an answer to ``collStats``."""
    if stats.get("sharded"):
        yield Finding.error(
            SHARDING,
            "events is sharded, so its order and its unique indexes do not hold",
            "move it to one shard, or restore the log into another bucket",
        )


async def of_indexes(connection: Connection) -> Iterable[Finding]:
    """Return whether the log has its indexes, and none that could refuse a commit."""
    async with connection.operation() as session:
        found = await indexes_of(connection.events, session)
    return [*index_findings(found)]


def index_findings(found: Mapping[str, Mapping[str, Any]]) -> Iterable[Finding]:
    """Return the findings about the indexes of ``events``."""
    if not found:
        return [Finding.ok(INDEXES, "there is no log yet; its indexes are created with it")]
    findings: list[Finding] = []
    ours = {"_id_"}
    for index in EVENTS_INDEXES:
        named = index.found_in(found)
        if named is not None:
            ours.add(named)
            if found[named].get("hidden"):
                findings.append(
                    Finding.error(
                        INDEXES,
                        f"the index {named} of events is hidden, so reads fail",
                        f"show it: db.events.unhideIndex('{named}')",
                    )
                )
        elif index.is_like_one_in(found):
            findings.append(
                Finding.error(
                    INDEXES,
                    f"another index of events conflicts with {index.name}",
                    f"drop it, and create this one: {index}",
                )
            )
        else:
            findings.append(
                Finding.error(
                    INDEXES,
                    f"the index {index.name} of events is missing"
                    + (", so nothing keeps doubles out" if index.is_unique else ""),
                    f"create it: {index}",
                )
            )
    findings += [
        Finding.warning(
            INDEXES,
            f"the unique index {name} of events is not one of eventhus, and may refuse commits",
            f"drop it: db.events.dropIndex('{name}')",
        )
        for name, options in found.items()
        if name not in ours and options.get("unique") and not findings
    ]
    return findings or [Finding.ok(INDEXES, "the log has its indexes")]


async def of_format(connection: Connection) -> Iterable[Finding]:
    """Return whether this version of eventhus reads the first and the last commit."""
    try:
        with translating_errors(connection.bucket):
            async with connection.operation() as session:
                has_log = await check_documents(connection, session)
    except IncompatibleBucket as error:
        return [
            Finding.error(
                FORMAT,
                error.problem,
                "update eventhus, or take out what another program has written",
            )
        ]
    if not has_log:
        return [Finding.ok(FORMAT, "there is no log yet")]
    return [Finding.ok(FORMAT, "the first and the last commit can be read")]
