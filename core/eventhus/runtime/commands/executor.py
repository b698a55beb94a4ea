"""Carries out the commands of one aggregate type: decide, append, retry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Generic, TypeVar

from eventhus.adapter_support.backoff import Backoff
from eventhus.domain.aggregate import Aggregate, Command
from eventhus.domain.recorded import EventData, Metadata, Recorded, StreamId
from eventhus.errors import (
    CommandIdReused,
    ConcurrencyError,
    InvalidCommit,
    Rejected,
    TooManyConflicts,
)
from eventhus.ports.clock import Clock
from eventhus.ports.store import Commit, EventStore, Part, StoredCommit
from eventhus.runtime.commands.envelope import Committed, Envelope
from eventhus.runtime.commands.keyed_lock import KeyedLock
from eventhus.runtime.commands.repository import Repository
from eventhus.runtime.commands.state_cache import CachedState
from eventhus.runtime.serializer import EventSerializer

C = TypeVar("C", bound=Command)
E = TypeVar("E")
S = TypeVar("S")

# A process that wins a stream keeps winning: its next command finds the state in its cache, while
# the losers pause and load again. So the pauses must outlast the winner's backlog. Measured on
# MongoDB with 2 to 16 rival processes: 10 attempts within 0.2 s lost up to 9 % of the commands, 30
# within 3 s lost some of 16 processes, 50 lost none; the unluckiest command needed 42. See
# docs/decisions/0034-a-command-outlasts-its-rivals.md.
ATTEMPTS = 50  # appends of one command before a conflict is reported
CONFLICT_BACKOFF = Backoff(first_s=0.005, cap_s=0.25)  # 5.5 s in all, on average


class Executor(Generic[C, E, S]):
    """Carries out commands.

    Callers take turns by aggregate: ``await lock.acquire(aggregate_id)``, then ``lock.release``.
    """

    def __init__(
        self,
        aggregate: Aggregate[C, E, S],
        repository: Repository[S],
        *,
        store: EventStore,
        serializer: EventSerializer,
        clock: Clock,
        random: Random,
        new_id: Callable[[], str],
    ) -> None:
        self.lock: KeyedLock[str] = KeyedLock()
        self.aggregate = aggregate
        self.repository = repository
        self._store = store
        self._serializer = serializer
        self._clock = clock
        self._random = random
        self._new_id = new_id

    def stream(self, command: Command) -> StreamId:
        """Return the stream that a command is for."""
        return StreamId(self.aggregate.name, command.aggregate_id)

    async def execute(self, stream: StreamId, envelope: Envelope) -> Committed:
        """Carry out one command. Raises what ``Application.dispatch`` does."""
        command_id = envelope.command_id
        if command_id is None:
            return await self._execute(stream, envelope)
        if first := await self._first_answer(stream, command_id):
            return first
        # The same command may have come through another process. What then stands in the way
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
        current = self.repository.cached(stream)
        is_fresh = current is None  # a cached state may be out of date
        if current is None:
            current = await self.repository.current(stream)
        conflicts = 0
        while True:
            try:
                events = self._decide(envelope, stream, current)
            except (Rejected, ConcurrencyError):
                if is_fresh:
                    raise
                events = ()
            if not events:
                # A refusal or an empty answer is checked against the log.
                if not is_fresh:
                    current, is_fresh = await self.repository.current(stream), True
                    continue
                return Committed(
                    stream=stream, version=current.version, position=current.position, events=()
                )
            commit, state = self._prepare(envelope, stream, current, events)
            try:
                stored = await self._store.append(commit)
            except ConcurrencyError as conflict:
                conflicts += 1
                await self._yield_to_others(stream, envelope, conflict, conflicts)
                current = await self.repository.after_conflict(stream, current, conflict.actual)
                is_fresh = True
                continue
            if stored.commit is not commit:
                return self._answer_of_another(stream, commit, stored)
            self.repository.remember(stream, stored, state, current.snapshot_version)
            return _answer(stream, stored, stored.wrap(events))

    def _decide(self, envelope: Envelope, stream: StreamId, current: CachedState[S]) -> Sequence[E]:
        expected = envelope.expected_version
        if expected is not None and expected != current.version:
            raise ConcurrencyError(stream, expected, current.version)
        command: Any = envelope.command  # of a class that this aggregate takes: the bus routed it
        return self.aggregate.decided(command, current.state)

    def _prepare(
        self, envelope: Envelope, stream: StreamId, current: CachedState[S], events: Sequence[E]
    ) -> tuple[Commit, S]:
        # Whatever a bug can make fail runs before the append, so that no event is written that
        # cannot be folded or read again.
        state = current.state
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
            parts=[Part(stream=stream, events=data, expected_version=current.version)],
            recorded_at=self._clock.now(),
            metadata=metadata,
            command_id=envelope.command_id,
        )
        return commit, state

    async def _yield_to_others(
        self, stream: StreamId, envelope: Envelope, conflict: ConcurrencyError, conflicts: int
    ) -> None:
        """Back off after a lost race, or raise if the command is not to be decided again."""
        self.repository.forget(stream)
        if envelope.expected_version is not None:
            raise conflict
        if conflicts == ATTEMPTS:
            raise TooManyConflicts(stream, ATTEMPTS) from conflict
        await self._clock.sleep(CONFLICT_BACKOFF.jittered_s(conflicts, self._random))

    async def _first_answer(self, stream: StreamId, command_id: str) -> Committed | None:
        first = await self._store.find(command_id)
        if first is None:
            return None
        if stream not in first.commit.streams:
            raise CommandIdReused(command_id, stream, first.commit.stream)
        return self._stored_answer(stream, first)

    def _answer_of_another(
        self, stream: StreamId, commit: Commit, stored: StoredCommit
    ) -> Committed:
        """Return the answer to the same command, which came through another process."""
        if commit.command_id is None or stored.commit.command_id != commit.command_id:
            raise InvalidCommit(
                f"commit id {commit.id} is in the log of {stream} already; "
                f"make ids that are unique for ever"
            )
        return self._stored_answer(stream, stored)

    def _stored_answer(self, stream: StreamId, stored: StoredCommit) -> Committed:
        return _answer(stream, stored, [*map(self._serializer.recorded, stored.recorded())])


def _answer(stream: StreamId, stored: StoredCommit, events: Sequence[Recorded[Any]]) -> Committed:
    return Committed(
        stream=stream,
        version=stored.last_of(stream).version,
        position=stored.last_position,
        events=events,
    )
