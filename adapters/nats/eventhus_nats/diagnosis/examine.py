"""Connects as the bus does, and runs all checks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from time import perf_counter
from typing import TypeAlias

import nats.errors

from eventhus.adapter_support import Check, examine, summary
from eventhus.errors import AccessDenied, BusUnavailable, EventhusError
from eventhus.ports import Finding
from eventhus_nats.connection import Connection
from eventhus_nats.diagnosis.account import ENABLE, of_account
from eventhus_nats.diagnosis.consumers import of_consumers
from eventhus_nats.diagnosis.names import (
    CONNECTION,
    CONSUMERS,
    DEAD_LETTERS,
    JETSTREAM,
    LEASES,
    PERMISSIONS,
    STREAM,
    VERSION,
)
from eventhus_nats.diagnosis.permissions import Needed, denial_findings, of_permissions
from eventhus_nats.diagnosis.server import of_driver, server_findings
from eventhus_nats.diagnosis.streams import of_dead_letters, of_events, of_leases, stream_info
from eventhus_nats.diagnosis.watching import WatchingConnection
from eventhus_nats.driver_errors import describe
from eventhus_nats.group_leases import leases_name
from eventhus_nats.streams import StreamSettings, dead_stream
from eventhus_nats.subjects import Subjects

CHECK_S = 4.0  # for all checks, which run side by side; connecting may take 5 s before
CLOSE_S = 0.5
_FAR_MS = 50.0
_ROUND_TRIPS = 3

Checks: TypeAlias = Callable[[WatchingConnection], Mapping[str, Check]]


async def diagnose_jetstream(
    connection: Connection, subjects: Subjects, settings: StreamSettings
) -> Sequence[Finding]:
    """Return what can be found out about JetStream. See ``Diagnosable.diagnose``."""
    dead = subjects.dead("*")

    def checks(connection: WatchingConnection) -> Mapping[str, Check]:
        return {
            JETSTREAM: lambda: _of_account(connection),
            STREAM: lambda: of_events(connection, subjects.all, settings),
            DEAD_LETTERS: lambda: of_dead_letters(connection, dead, settings),
            LEASES: lambda: of_leases(connection),
            CONSUMERS: lambda: of_consumers(connection),
        }

    found = await _diagnose(connection, _needed(connection.bucket, subjects), checks)
    if any(each.advice == ENABLE for each in found):
        in_vain = {STREAM, DEAD_LETTERS, LEASES, CONSUMERS}
        return [each for each in found if each.name not in in_vain]
    return found


async def diagnose_core(connection: Connection, subjects: Subjects) -> Sequence[Finding]:
    """Return what can be found out without JetStream. See ``Diagnosable.diagnose``."""
    needed = Needed(publish=[subjects.all, subjects.dead("*")], subscribe=[subjects.all])
    return await _diagnose(connection, needed, lambda _: {JETSTREAM: _of_core})


async def _diagnose(given: Connection, needed: Needed, checks: Checks) -> Sequence[Finding]:
    connection = WatchingConnection(given)
    started = perf_counter()
    try:
        await connection.open()
    except EventhusError as error:
        problem = str(getattr(error, "problem", error))
        return [
            Finding.error(
                CONNECTION,
                (isinstance(error, BusUnavailable) and connection.obstacle) or problem,
                "start the servers, and check the URL, the credentials and the firewall",
            ),
            of_driver(),
        ]
    connected_ms = 1000 * (perf_counter() - started)
    try:
        connected, *found = await examine(
            {
                CONNECTION: lambda: _of_connection(connection, connected_ms),
                VERSION: lambda: _of_server(connection),
                PERMISSIONS: lambda: of_permissions(connection, needed),
                **checks(connection),
            },
            within_s=CHECK_S,
            describe=_described,
        )
    finally:
        await connection.close(within_s=CLOSE_S)
    denied = denial_findings(connection.denials, needed)
    return [connected, of_driver(), *found, *(each for each in denied if each not in found)]


async def _of_connection(connection: Connection, connected_ms: float) -> Iterable[Finding]:
    trips: list[float] = []
    for _ in range(_ROUND_TRIPS):
        started = perf_counter()
        await connection.client.flush()
        trips.append(1000 * (perf_counter() - started))
    detail = f"connected in {connected_ms:.0f} ms; a round trip takes {min(trips):.1f} ms"
    if min(trips) > _FAR_MS:
        return [Finding.warning(CONNECTION, detail, "run the application near the server")]
    return [Finding.ok(CONNECTION, detail)]


async def _of_server(connection: Connection) -> Iterable[Finding]:
    url = connection.client.connected_url
    info = connection.client._server_info  # noqa: SLF001 - the driver tells little of it in public
    return [*server_findings(info, connection.address, url.hostname if url else None)]


async def _of_account(connection: Connection) -> Iterable[Finding]:
    bucket = connection.bucket
    names = [bucket, dead_stream(bucket), f"KV_{leases_name(bucket)}"]
    infos = await asyncio.gather(
        *(stream_info(connection, name) for name in names), return_exceptions=True
    )
    return await of_account(connection, sum(info is None for info in infos))


async def _of_core() -> Iterable[Finding]:
    return [
        Finding.warning(
            JETSTREAM,
            "the bus does not use JetStream: an event reaches only those who listen at the moment",
            "open the bus with jetstream=True, or leave event handlers to the log",
        )
    ]


def _needed(bucket: str, subjects: Subjects) -> Needed:
    dead, leases = dead_stream(bucket), leases_name(bucket)
    return Needed(
        publish=[
            subjects.all,
            subjects.dead("*"),
            *(f"$JS.API.STREAM.INFO.{name}" for name in (bucket, dead, f"KV_{leases}")),
            *(f"$JS.API.STREAM.MSG.GET.{name}" for name in (bucket, dead)),
            f"$JS.API.STREAM.MSG.DELETE.{dead}",
            f"$JS.API.CONSUMER.INFO.{bucket}.*",
            f"$JS.API.CONSUMER.DURABLE.CREATE.{bucket}.*",
            f"$JS.API.CONSUMER.MSG.NEXT.{bucket}.*",
            f"$JS.ACK.{bucket}.>",
            f"$JS.API.DIRECT.GET.KV_{leases}.>",
            f"$KV.{leases}.*",
        ],
        subscribe=["_INBOX.>"],
    )


def _described(error: BaseException) -> str:
    if isinstance(error, AccessDenied):
        return "the user lacks a permission"
    if isinstance(error, EventhusError):
        return str(getattr(error, "problem", error))
    return describe(error) if isinstance(error, nats.errors.Error | OSError) else summary(error)
