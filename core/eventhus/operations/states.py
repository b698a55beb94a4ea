"""States of streams as plain data at any version, and the changes by each event."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Any

from eventhus.adapter_support.arguments import check_page
from eventhus.domain.aggregate import Aggregate
from eventhus.domain.recorded import StreamId
from eventhus.errors import CodecError, CompositionError, InvalidArgument, LogCorrupted
from eventhus.operations.app_parts import AppParts
from eventhus.operations.differences import differences
from eventhus.operations.log import Log, check_limit
from eventhus.operations.redaction import Redactable, Redactor, Shown
from eventhus.operations.values import StateAt, Step
from eventhus.ports.store import StoredEvent
from eventhus.printable import printable
from eventhus.runtime.readers.keyed_events import problem_of
from eventhus.runtime.serializer import EventSerializer

PAGE = 1_000
MOST_FOLDED = 100_000
"""The maximum number of events that are folded for one answer."""

MOST_DIFFERENCES = 200
"""The maximum number of differences that are shown for one event."""


class States:
    """The states of the streams of one application.

    Args:
        parts: The application.
        log: Shows events.
        redactor: Changes the data of states.
    """

    def __init__(self, parts: AppParts, log: Log, redactor: Redactor) -> None:
        self._parts = parts
        self._log = log
        self._redactor = redactor
        self._encoders: dict[Aggregate[Any, Any, Any], Callable[[Any], Any] | None] = {}

    async def at(self, stream: StreamId, version: int | None) -> StateAt:
        """Return a state, as ``Operations.state`` does."""
        end = await self._parts.store.version_of(stream)
        wanted = end if version is None else version
        check_page(1, after_version=wanted)
        if wanted > end:
            raise InvalidArgument(f"{stream} is at version {end}, so it has no {wanted}")
        shown = Shown(None, f"{stream} has no events")
        if end:
            fold = self._fold(stream, wanted)
            await self._go_on(fold, stream, wanted)
            shown = fold.shown()
        return StateAt(stream=stream, version=wanted, data=shown.data, problem=shown.problem)

    async def steps(self, stream: StreamId, after_version: int, limit: int) -> Sequence[Step]:
        """Return events and their changes, as ``Operations.stream`` does."""
        check_limit(limit)
        check_page(1, after_version=after_version)
        fold = self._fold(stream, after_version)
        await self._go_on(fold, stream, after_version)
        before, steps = fold.shown(), list[Step]()
        async with aclosing(self._events(stream, after_version, after_version + limit)) as events:
            async for event in events:
                fold.take(event)
                after = fold.shown()
                steps.append(self._step(event, before, after))
                before = after
        return steps

    def _step(self, event: StoredEvent, before: Shown, after: Shown) -> Step:
        problem = after.problem or before.problem
        if problem is not None:
            return Step(event=self._log.shown(event), problem=problem)
        found, is_cut = differences(before.data, after.data, limit=MOST_DIFFERENCES)
        return Step(event=self._log.shown(event), differences=found, is_cut=is_cut)

    async def _go_on(self, fold: _Fold, stream: StreamId, until: int) -> None:
        if not fold.goes_on():
            return
        async with aclosing(self._events(stream, 0, until)) as events:
            async for event in events:
                fold.take(event)
                if not fold.goes_on():
                    return

    async def _events(
        self, stream: StreamId, after_version: int, until: int
    ) -> AsyncGenerator[StoredEvent, None]:
        """Yield the events of a stream after a version, up to another one."""
        while after_version < until:
            page = await self._parts.store.history(
                stream, after_version=after_version, limit=min(PAGE, until - after_version)
            )
            if not page:
                return
            for event in page:
                yield event
            after_version = page[-1].version
            await asyncio.sleep(0)  # folding must not starve every other task

    def _fold(self, stream: StreamId, until: int) -> _Fold:
        """Return the fold of a stream, with the reason if it cannot be folded so far."""
        stream_type = stream.aggregate_type
        aggregate = self._parts.catalog.aggregate_of(stream_type)
        fold = _Fold(stream, self._parts.serializer, self._redactor)
        if aggregate is None:
            fold.problem = self._no_aggregate(stream_type)
        elif until > MOST_FOLDED:
            fold.problem = f"not folded: more than {MOST_FOLDED:,} events come before"
        else:
            fold.begin(aggregate, self._encoder(aggregate))
        return fold

    def _no_aggregate(self, stream_type: str) -> str:
        for process in self._parts.processes:
            if process.stream_type == stream_type:
                return (
                    f"the state of process {process.name} is not folded from this stream alone; "
                    f"look at its document"
                )
        return f"no aggregate of this application has the name {printable(stream_type)}"

    def _encoder(self, aggregate: Aggregate[Any, Any, Any]) -> Callable[[Any], Any] | None:
        if aggregate not in self._encoders:
            try:
                self._encoders[aggregate] = self._parts.codec.encoder(aggregate.state_type)
            except CompositionError:
                self._encoders[aggregate] = None
        return self._encoders[aggregate]


class _Fold:
    """The state of a stream while events are folded into it.

    Attributes:
        problem: The reason why the state is not known; ``None`` if it is.
    """

    def __init__(self, stream: StreamId, serializer: EventSerializer, redactor: Redactor) -> None:
        self.problem: str | None = None
        self._stream = stream
        self._serializer = serializer
        self._redactor = redactor
        self._aggregate: Aggregate[Any, Any, Any] | None = None
        self._encode: Callable[[Any], Any] | None = None
        self._state: Any = None
        self._version = 0

    def begin(
        self, aggregate: Aggregate[Any, Any, Any], encode: Callable[[Any], Any] | None
    ) -> None:
        """Start from the initial state of an aggregate."""
        self._aggregate, self._encode, self._state = aggregate, encode, aggregate.initial

    def goes_on(self) -> bool:
        """Return whether the state is known, so that more events can be folded into it."""
        return self.problem is None

    def take(self, recorded: StoredEvent) -> None:
        """Fold the next event."""
        aggregate = self._aggregate
        if aggregate is None or self.problem is not None:
            return
        where = f"{self._stream}, version {recorded.version}, position {recorded.position}"
        if recorded.version != self._version + 1:
            self.problem = str(LogCorrupted(self._stream, self._version + 1, recorded.version))
            return
        self._version = recorded.version
        try:
            event = self._serializer.decode(recorded.event)
        except CodecError as error:
            self.problem = f"{where} cannot be decoded: {problem_of(error)}"
            return
        try:
            self._state = aggregate.evolve(self._state, event)
        except Exception as error:  # noqa: BLE001 - evolve may raise anything
            self.problem = f"evolve of {aggregate.name} raised {type(error).__name__} at {where}"

    def shown(self) -> Shown:
        """Return the state as plain data, or the reason why there is none."""
        aggregate = self._aggregate
        if aggregate is None or self.problem is not None:
            return Shown(None, self.problem)
        if self._encode is None:
            return Shown(None, f"the codec cannot encode the states of {aggregate.name}")
        try:
            data = self._encode(self._state)
        except Exception as error:  # noqa: BLE001 - codecs may raise anything
            return Shown(None, f"the state cannot be encoded: {problem_of(error)}")
        name = self._stream.aggregate_type
        return self._redactor.shown(Redactable(kind="state", name=name, data=data))
