"""Applications in memory for tests, with predictable times and ids."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from eventhus import Aggregate, Application, Decision, Process, Transaction, View
from eventhus.middleware import Middleware
from eventhus.ports import Clock, Codec, EventBus, Storage
from eventhus_cattrs import CattrsCodec
from eventhus_memory import MemoryBus, MemoryStore
from eventhus_testing.doubles.clock import ManualClock
from eventhus_testing.doubles.ids import counted_ids


def memory_application(
    *aggregates: Aggregate[Any, Any, Any],
    decisions: Iterable[Decision[Any, Any, Any]] = (),
    transactions: Iterable[Transaction[Any]] = (),
    views: Iterable[View[Any, Any]] = (),
    processes: Iterable[Process[Any, Any]] = (),
    bucket: str = "test",
    store: Storage | None = None,
    bus: EventBus | None = None,
    with_bus: bool = True,
    codec: Codec | None = None,
    clock: Clock | None = None,
    middleware: Sequence[Middleware] = (),
    snapshot_every: int | None = None,
    max_parked: int = 0,
) -> Application:
    """Return an application with a store and a bus in memory, not yet entered.

    Its clock starts at the beginning of 2026 and only advances when something sleeps, such as a
    retry, so nothing waits in real time. The ids of commits are ``<bucket>-000001`` and so on.
    A view or process stops at the first event that it cannot handle, so that its test fails.

    Args:
        aggregates: The aggregates.
        decisions: The decisions.
        transactions: The transactions.
        views: The views.
        processes: The processes.
        bucket: The bucket. Applications that share a store need different ones, because the ids
            of their commits would collide.
        store: The store; a new ``MemoryStore`` by default.
        bus: The bus; a new ``MemoryBus`` by default.
        with_bus: ``False`` composes no bus, so that event handlers read the log itself.
        codec: The codec; a ``CattrsCodec`` by default.
        clock: The clock; a ``ManualClock(jumps=True)`` by default.
        middleware: As for ``Application``.
        snapshot_every: As for ``Application``.
        max_parked: As for ``Application``; 0 by default.
    """
    return Application(
        bucket=bucket,
        aggregates=aggregates,
        decisions=decisions,
        transactions=transactions,
        views=views,
        processes=processes,
        store=MemoryStore() if store is None else store,
        bus=MemoryBus() if bus is None and with_bus else bus,
        codec=CattrsCodec() if codec is None else codec,
        clock=ManualClock(jumps=True) if clock is None else clock,
        middleware=middleware,
        snapshot_every=snapshot_every,
        max_parked=max_parked,
        new_id=counted_ids(bucket),
    )
