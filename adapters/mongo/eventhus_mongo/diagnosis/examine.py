"""Connects as the store does, and runs all checks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from time import perf_counter
from typing import Any

import pymongo
from pymongo.errors import ConfigurationError, PyMongoError
from pymongo.server_description import ServerDescription

from eventhus.adapter_support import Check, examine, summary
from eventhus.errors import AccessDenied
from eventhus.ports import Finding
from eventhus_mongo.connection import Client, Connection
from eventhus_mongo.diagnosis import bucket as buckets
from eventhus_mongo.diagnosis import rights, server
from eventhus_mongo.diagnosis.client import of_client, of_encryption
from eventhus_mongo.diagnosis.names import (
    CLOCK,
    COLLECTIONS,
    CONNECTION,
    FORMAT,
    INDEXES,
    JOURNALING,
    MEMBERS,
    PROFILER,
    RIGHTS,
    SHARDING,
    STORAGE,
    TLS,
    TOPOLOGY,
    VERSION,
)
from eventhus_mongo.driver_errors import describe, to_eventhus_error

CONNECT_S = 5.0  # to find the primary and to ask it something
CHECK_S = 4.0  # for all checks, which run side by side
_FAR_MS = 50.0  # an append takes several round trips
_ROUND_TRIPS = 3
_REASONS = {  # parts of the driver's texts
    "refused": "refuses connections",
    "connect call failed": "refuses connections",
    "ssl": "fails to encrypt",
    "certificate": "fails to encrypt",
    "tls": "fails to encrypt",
    "name or service": "has no address",
    "getaddrinfo": "has no address",
    "name resolution": "has no address",
    "timed out": "does not answer",
    "closed": "closes the connection",
}


async def diagnose(client: Client, bucket: str) -> Sequence[Finding]:
    """Return what can be found out with a client. See ``Diagnosable.diagnose``."""
    try:
        started = perf_counter()
        with pymongo.timeout(CONNECT_S):
            await client.admin.command("ping")
            connected_ms = 1000 * (perf_counter() - started)
            asked = datetime.now(UTC)
            hello: Mapping[str, Any] = await client.admin.command("hello")
            answered = datetime.now(UTC)
            trip_ms = min([await _round_trip_ms(client) for _ in range(_ROUND_TRIPS)])
            build: Mapping[str, Any] = await client.admin.command("buildInfo")
    except PyMongoError as error:
        return [_of_failure(client, bucket, error), *of_client(client)]
    connection = Connection(client, bucket)
    is_direct = bool(client.options.direct_connection)
    checks: dict[str, Check] = {
        VERSION: _said(lambda: server.version_findings(build)),
        TOPOLOGY: _said(lambda: server.topology_findings(hello, is_direct=is_direct)),
        MEMBERS: lambda: server.of_members(client, hello),
        JOURNALING: lambda: server.of_journaling(client, hello),
        CLOCK: _said(lambda: server.clock_findings(hello, asked, answered)),
        TLS: lambda: of_encryption(client),
        RIGHTS: lambda: rights.of_rights(client, bucket),
        COLLECTIONS: lambda: buckets.of_collections(connection),
        SHARDING: lambda: buckets.of_sharding(connection, hello),
        INDEXES: lambda: buckets.of_indexes(connection),
        FORMAT: lambda: buckets.of_format(connection),
        STORAGE: lambda: server.of_storage(client, bucket),
        PROFILER: lambda: server.of_profiler(client, bucket),
    }
    with pymongo.timeout(CHECK_S):
        found = await examine(checks, within_s=CHECK_S, describe=partial(_described, bucket))
    return [_of_connection(connected_ms, trip_ms), *of_client(client), *found]


def _said(find: Callable[[], Iterable[Finding]]) -> Check:
    """Return a check of something that the server has said already."""

    async def check() -> Iterable[Finding]:
        return [*find()]

    return check


async def _round_trip_ms(client: Client) -> float:
    started = perf_counter()
    await client.admin.command("ping")
    return 1000 * (perf_counter() - started)


def _of_connection(connected_ms: float, trip_ms: float) -> Finding:
    detail = f"connected in {connected_ms:.0f} ms; a round trip takes {trip_ms:.1f} ms"
    if trip_ms > _FAR_MS:
        return Finding.warning(
            CONNECTION, detail, "run the application near the primary: a command waits for several"
        )
    return Finding.ok(CONNECTION, detail)


def _of_failure(client: Client, bucket: str, error: PyMongoError) -> Finding:
    translated = to_eventhus_error(bucket, error)
    if isinstance(translated, AccessDenied):
        return Finding.error(CONNECTION, translated.problem, "correct the URL, or the user")
    if isinstance(error, ConfigurationError):
        return Finding.error(
            CONNECTION,
            f"pymongo {pymongo.version} does not work with the version of the server or with an "
            f"option of the URL, or a host of mongodb+srv:// has no records",
            "compare the versions that pymongo supports, and check the URL",
        )
    reasons = Counter(map(_reason, client.topology_description.server_descriptions().values()))
    return Finding.error(
        CONNECTION,
        f"{describe(error)} within {CONNECT_S:g} s; of the servers, "
        + ", ".join(f"{number} {reason}" for reason, number in sorted(reasons.items())),
        "start the servers, and check the hosts and ports in the URL and the firewall",
    )


def _reason(found: ServerDescription) -> str:
    """Return why a server cannot be written to. The driver's text names its host."""
    if found.error is None and found.server_type_name != "Unknown":
        return f"is {found.server_type_name}"
    text = str(found.error or "timed out").lower()
    return next((reason for part, reason in _REASONS.items() if part in text), "fails")


def _described(bucket: str, error: BaseException) -> str:
    if isinstance(error, PyMongoError):
        error = to_eventhus_error(bucket, error)
    return str(getattr(error, "problem", summary(error)))
