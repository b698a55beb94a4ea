"""Applications for tests: complete, in memory, with a time and ids that can be predicted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from eventhus import Aggregate, Application, Process, View
from eventhus.middleware import Middleware
from eventhus.ports import Clock, Codec, EventBus, Storage
from eventhus_cattrs import CattrsCodec
from eventhus_memory import MemoryBus, MemoryStore
from eventhus_testing.doubles.clock import ManualClock
from eventhus_testing.doubles.ids import counted_ids


def memory_application(
    *aggregates: Aggregate[Any, Any, Any],
    views: Iterable[View[Any, Any]] = (),
    processes: Iterable[Process[Any, Any]] = (),
    bucket: str = "test",
    store: Storage | None = None,
    bus: EventBus | None = None,
    codec: Codec | None = None,
    clock: Clock | None = None,
    middleware: Sequence[Middleware] = (),
    snapshot_every: int | None = None,
) -> Application:
    """An application with a store and a bus in memory, not yet entered.

    Its time begins with 2026 and stands still, but that nobody waits for it: a retry that would
    sleep moves it on. The ids of its commits are ``<bucket>-000001`` and so on.

    Args:
        aggregates: What it is made of.
        views: Its views.
        processes: Its processes.
        bucket: Its name. Two applications on one store take different ones, for the sake of ids.
        store: Another store, such as a ``FaultyStore`` or that of another application.
        bus: Another bus.
        codec: Another codec, such as one with hooks.
        clock: Another clock, such as a ``ManualClock()`` that waits for the test.
        middleware: As for ``Application``.
        snapshot_every: As for ``Application``.
    """
    return Application(
        bucket=bucket,
        aggregates=aggregates,
        views=views,
        processes=processes,
        store=store or MemoryStore(),
        bus=bus or MemoryBus(),
        codec=codec or CattrsCodec(),
        clock=clock or ManualClock(jumps=True),
        middleware=middleware,
        snapshot_every=snapshot_every,
        new_id=counted_ids(bucket),
    )
