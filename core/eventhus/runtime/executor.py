"""Carries out the commands of one aggregate type: load, fold, decide, append."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Generic, TypeVar

from eventhus.domain.aggregate import Aggregate, Command
from eventhus.domain.recorded import EventData, Metadata, Recorded, StreamId
from eventhus.errors import (
    CommandIdReused,
    ConcurrencyError,
    LogCorrupted,
    Rejected,
    UndeclaredEvent,
)
from eventhus.ports.clock import Clock
from eventhus.ports.store import Commit, EventStore, StoredCommit, StoredEvent
from eventhus.runtime.envelope import Committed, Envelope
from eventhus.runtime.lanes import Lanes
from eventhus.runtime.serializer import EventSerializer
from eventhus.runtime.snapshots import Snapshots
from eventhus.runtime.state_cache import Held, StateCache

C = TypeVar("C", bound=Command)
E = TypeVar("E")
S = TypeVar("S")

PAGE = 1000  # events loaded at once, so that a long stream is folded in flat memory
ATTEMPTS = 10  # appends of one command before a conflict is reported
BACKOFF_S = 0.001  # doubles with every conflict, up to the cap
BACKOFF_CAP_S = 0.1


class Executor(Generic[C, E, S]):
    """Carries out commands. Callers take turns by aggregate: ``async with executor.turns.of(id)``."""

    def __init__(
        self,
        aggregate: Aggregate[C, E, S],
        *,
        store: EventStore,
        serializer: EventSerializer,
        snapshots: Snapshots[S] | None,
        cache_size: int,
        clock: Clock,
        random: Random,
        new_id: Callable[[], str],
    ) -> None:
        self.turns: Lanes[str] = Lanes()
        self.aggregate = aggregate
        self._declared = frozenset(aggregate.events)
        self._store = store
        self._serializer = serializer
        self._snapshots = snapshots
        self._cache: StateCache[S] = StateCache(cache_size)
        self._clock = clock
        self._random = random
        self._new_id = new_id

    def stream(self, command: Command) -> StreamId:
        """The stream that a command is for."""
        return StreamId(self.aggregate.name, command.aggregate_id)

    async def execute(self, stream: StreamId, envelope: Envelope) -> Committed:
        """Carry out one command. Raises what ``Application.dispatch`` says."""
        if envelope.command_id is not None:
            first = await self._store.find(envelope.command_id)
            if first is not None:
                return self._first_answer(first, stream, envelope.command_id)

        held = self._cache.get(stream.aggregate_id)
        fresh = held is None  # whether the store itself has said what the state is
        if held is None:
            held = await self._load(stream)
        conflicts = 0
        while True:
            try:
                events = self._decide(envelope, stream, held)
            except (Rejected, ConcurrencyError):
                if fresh:
                    raise
                events = ()
            if not events:
                # A cached state may be out of date, so a "no" is checked against the log.
                if not fresh:
                    held, fresh = await self._catch_up(stream, held), True
                    continue
                self._cache.put(stream.aggregate_id, held)
                return Committed(
                    stream=stream, version=held.version, position=held.position, events=()
                )
            try:
                return await self._append(envelope, stream, held, events)
            except ConcurrencyError as conflict:
                self._cache.drop(stream.aggregate_id)
                conflicts += 1
                if envelope.expected_version is not None or conflicts == ATTEMPTS:
                    raise
                await self._back_off(conflicts)
                held, fresh = await self._reload(stream, held, conflict.actual), True

    async def current(self, aggregate_id: str) -> Held[S]:
        """The aggregate's state as the store has it now."""
        stream = StreamId(self.aggregate.name, aggregate_id)
        cached = self._cache.get(aggregate_id)
        held = await (self._load(stream) if cached is None else self._catch_up(stream, cached))
        self._cache.put(aggregate_id, held)
        return held

    async def close(self) -> None:
        """Return once no snapshot is being written."""
        if self._snapshots is not None:
            await self._snapshots.drain()

    def _decide(self, envelope: Envelope, stream: StreamId, held: Held[S]) -> Sequence[E]:
        expected = envelope.expected_version
        if expected is not None and expected != held.version:
            raise ConcurrencyError(stream, expected, held.version)
        command: Any = envelope.command  # of a class that this aggregate takes: the bus routed it
        events = tuple(self.aggregate.decide(command, held.state))
        for event in events:
            if type(event) not in self._declared:
                raise UndeclaredEvent(self.aggregate.name, type(event))
        return events

    async def _append(
        self, envelope: Envelope, stream: StreamId, held: Held[S], events: Sequence[E]
    ) -> Committed:
        # Everything that may fail on a bug comes before the append, so that no event is written
        # that cannot be folded or read again.
        state = held.state
        data: list[EventData] = []
        for event in events:
            data.append(self._serializer.encode(event))
            state = self.aggregate.evolve(state, event)
        commit_id = self._new_id()
        metadata = envelope.metadata
        if metadata.correlation_id is None:
            metadata = Metadata(commit_id, metadata.causation_id, metadata.values)
        commit = Commit(
            id=commit_id,
            stream=stream,
            events=tuple(data),
            expected_version=held.version,
            recorded_at=self._clock.now(),
            metadata=metadata,
            command_id=envelope.command_id,
        )
        stored = await self._store.append(commit)
        if stored.commit is not commit:  # the same command id, sent through another process
            return self._answer(stored, [*map(self._serializer.recorded, stored.recorded())])
        after = Held(
            state=state,
            version=stored.last_version,
            position=stored.last_position,
            snapshot_version=held.snapshot_version,
        )
        if self._snapshots is not None:
            after = self._snapshots.offer(stream, after)
        self._cache.put(stream.aggregate_id, after)
        recorded = [stored.wrap(index, event) for index, event in enumerate(events)]
        return self._answer(stored, recorded)

    def _first_answer(self, first: StoredCommit, stream: StreamId, command_id: str) -> Committed:
        if first.commit.stream != stream:
            raise CommandIdReused(command_id, stream, first.commit.stream)
        return self._answer(first, [*map(self._serializer.recorded, first.recorded())])

    def _answer(self, stored: StoredCommit, events: Sequence[Recorded[Any]]) -> Committed:
        return Committed(
            stream=stored.commit.stream,
            version=stored.last_version,
            position=stored.last_position,
            events=events,
        )

    async def _load(self, stream: StreamId) -> Held[S]:
        snapshot = await self._snapshots.load(stream) if self._snapshots is not None else None
        return await self._catch_up(stream, snapshot or self._initial())

    async def _reload(self, stream: StreamId, held: Held[S], actual: int) -> Held[S]:
        if actual < held.version:
            # The log is shorter than what was read of it: it was restored to an earlier point.
            # Neither the cache nor a snapshot says anything about it any more.
            held = self._initial()
        return await self._catch_up(stream, held)

    def _initial(self) -> Held[S]:
        return Held(state=self.aggregate.initial, version=0, position=0)

    async def _catch_up(self, stream: StreamId, held: Held[S]) -> Held[S]:
        """Fold what the stream holds beyond ``held``."""
        while True:
            page = await self._store.load(stream, after_version=held.version, limit=PAGE)
            if page:
                held = self._fold(held, page)
            if len(page) < PAGE:
                return held

    def _fold(self, held: Held[S], page: Sequence[StoredEvent]) -> Held[S]:
        state, version = held.state, held.version
        evolve, decode = self.aggregate.evolve, self._serializer.decode
        for stored in page:
            version += 1
            if stored.version != version:
                raise LogCorrupted(stored.stream, version, stored.version)
            state = evolve(state, decode(stored))
        return Held(
            state=state,
            version=version,
            position=page[-1].position,
            snapshot_version=held.snapshot_version,
        )

    async def _back_off(self, conflicts: int) -> None:
        # Full jitter, from "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
        cap = min(BACKOFF_CAP_S, BACKOFF_S * 2**conflicts)
        await self._clock.sleep(self._random.uniform(0, cap))
