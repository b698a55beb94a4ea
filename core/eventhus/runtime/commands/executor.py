"""Carries out the commands of one aggregate type: load, fold, decide, append."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Generic, TypeVar

from eventhus.domain.aggregate import Aggregate, Command
from eventhus.domain.recorded import EventData, Metadata, Recorded, StreamId
from eventhus.errors import (
    CodecError,
    CommandIdReused,
    ConcurrencyError,
    InvalidCommit,
    LogCorrupted,
    Rejected,
    TooManyConflicts,
)
from eventhus.ports.clock import Clock
from eventhus.ports.store import Commit, EventStore, Slice, StoredCommit
from eventhus.runtime.commands.envelope import Committed, Envelope
from eventhus.runtime.commands.keyed_lock import KeyedLock
from eventhus.runtime.commands.snapshots import Snapshots
from eventhus.runtime.commands.state_cache import CachedState, StateCache
from eventhus.runtime.serializer import EventSerializer

C = TypeVar("C", bound=Command)
E = TypeVar("E")
S = TypeVar("S")

PAGE = 1000  # events loaded at once, so that a long stream is folded in flat memory
ATTEMPTS = 10  # appends of one command before a conflict is reported
BACKOFF_S = 0.001  # doubles with every conflict, up to the cap
BACKOFF_CAP_S = 0.1


class Executor(Generic[C, E, S]):
    """Carries out commands. Callers take turns: ``turns.acquire(id)``, then ``release``."""

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
        self.turns: KeyedLock[str] = KeyedLock()
        self.aggregate = aggregate
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
        command_id = envelope.command_id
        if command_id is None:
            return await self._execute(stream, envelope)
        if first := await self._first_answer(stream, command_id):
            return first
        # The same command may come through another process meanwhile: what then stands in the way
        # of this one is its own outcome.
        try:
            committed = await self._execute(stream, envelope)
        except (Rejected, ConcurrencyError):
            if first := await self._first_answer(stream, command_id):
                return first
            raise
        if committed.events:
            return committed
        return await self._first_answer(stream, command_id) or committed

    async def _execute(self, stream: StreamId, envelope: Envelope) -> Committed:
        held = self._cache.get(stream.aggregate_id)
        fresh = held is None  # whether the store itself has said what the state is
        if held is None:
            held = await self._current(stream, None)
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
                    held, fresh = await self._current(stream, held), True
                    continue
                return Committed(
                    stream=stream, version=held.version, position=held.position, events=()
                )
            commit, state = self._prepare(envelope, stream, held, events)
            try:
                stored = await self._store.append(commit)
            except ConcurrencyError as conflict:
                self._cache.drop(stream.aggregate_id)
                conflicts += 1
                if envelope.expected_version is not None:
                    raise
                if conflicts == ATTEMPTS:
                    raise TooManyConflicts(stream, ATTEMPTS) from conflict
                await self._back_off(conflicts)
                held, fresh = await self._reload(stream, held, conflict.actual), True
                continue
            if stored.commit is not commit:
                if commit.command_id is None or stored.commit.command_id != commit.command_id:
                    raise InvalidCommit(
                        f"commit id {commit.id} is in the log of {stream} already; "
                        f"make ids that are unique for ever"
                    )
                return self._stored_answer(stored)  # the same command, through another process
            self._remember(stored, state, held.snapshot_version)
            return _answer(stored, [stored.wrap(n, event) for n, event in enumerate(events)])

    async def current(self, aggregate_id: str) -> CachedState[S]:
        """The aggregate's state as the store has it now."""
        stream = StreamId(self.aggregate.name, aggregate_id)
        return await self._current(stream, self._cache.get(aggregate_id))

    async def close(self) -> None:
        """Return once no snapshot is being written."""
        if self._snapshots is not None:
            await self._snapshots.drain()

    def _decide(self, envelope: Envelope, stream: StreamId, held: CachedState[S]) -> Sequence[E]:
        expected = envelope.expected_version
        if expected is not None and expected != held.version:
            raise ConcurrencyError(stream, expected, held.version)
        command: Any = envelope.command  # of a class that this aggregate takes: the bus routed it
        return self.aggregate.decided(command, held.state)

    def _prepare(
        self, envelope: Envelope, stream: StreamId, held: CachedState[S], events: Sequence[E]
    ) -> tuple[Commit, S]:
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
            events=data,
            expected_version=held.version,
            recorded_at=self._clock.now(),
            metadata=metadata,
            command_id=envelope.command_id,
        )
        return commit, state

    def _remember(self, stored: StoredCommit, state: S, snapshot_version: int) -> None:
        stream = stored.commit.stream
        held = CachedState(
            state=state,
            version=stored.last_version,
            position=stored.last_position,
            event_id=stored.last_event_id,
            snapshot_version=snapshot_version,
        )
        if self._snapshots is not None:
            held = self._snapshots.offer(stream, held)
        self._cache.put(stream.aggregate_id, held)

    async def _first_answer(self, stream: StreamId, command_id: str) -> Committed | None:
        first = await self._store.find(command_id)
        if first is None:
            return None
        if first.commit.stream != stream:
            raise CommandIdReused(command_id, stream, first.commit.stream)
        return self._stored_answer(first)

    def _stored_answer(self, stored: StoredCommit) -> Committed:
        return _answer(stored, [*map(self._serializer.recorded, stored.recorded())])

    async def _current(self, stream: StreamId, held: CachedState[S] | None) -> CachedState[S]:
        """What the store has now, starting from what was cached of it, if anything."""
        if held is None and self._snapshots is not None:
            held = await self._snapshots.load(stream)
        held = await self._catch_up(stream, held or self._initial())
        self._cache.put(stream.aggregate_id, held)
        return held

    async def _reload(self, stream: StreamId, held: CachedState[S], actual: int) -> CachedState[S]:
        if actual < held.version:
            # The log is shorter than what was read of it: it was restored to an earlier point.
            # Neither the cache nor a snapshot says anything about it any more.
            held = self._initial()
        return await self._catch_up(stream, held)

    def _initial(self) -> CachedState[S]:
        return CachedState(state=self.aggregate.initial, version=0, position=0, event_id="")

    async def _catch_up(self, stream: StreamId, held: CachedState[S]) -> CachedState[S]:
        """Fold what the stream holds beyond ``held``."""
        while True:
            page = await self._store.load(stream, after_version=held.version, limit=PAGE)
            if page.events:
                held = self._fold(stream, held, page)
            if len(page.events) < PAGE:
                return held

    def _fold(self, stream: StreamId, held: CachedState[S], page: Slice) -> CachedState[S]:
        if page.version != held.version + len(page.events):
            raise LogCorrupted(stream, held.version + len(page.events), page.version)
        state = held.state
        evolve, decode = self.aggregate.evolve, self._serializer.decode
        done = 0
        try:
            for data in page.events:
                state = evolve(state, decode(data))
                done += 1
        except CodecError as error:
            raise error.at(stream, held.version + done + 1) from error.__cause__
        return CachedState(
            state=state,
            version=page.version,
            position=page.position,
            event_id=page.event_id,
            snapshot_version=held.snapshot_version,
        )

    async def _back_off(self, conflicts: int) -> None:
        # Full jitter, from "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
        cap = min(BACKOFF_CAP_S, BACKOFF_S * 2**conflicts)
        await self._clock.sleep(self._random.uniform(0, cap))


def _answer(stored: StoredCommit, events: Sequence[Recorded[Any]]) -> Committed:
    return Committed(
        stream=stored.commit.stream,
        version=stored.last_version,
        position=stored.last_position,
        events=events,
    )
