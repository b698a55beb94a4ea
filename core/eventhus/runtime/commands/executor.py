"""Carries out units of work: decide, append, retry."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from random import Random
from typing import Any

from eventhus.adapter_support.backoff import Backoff
from eventhus.domain.recorded import Recorded, is_id, unchecked_metadata
from eventhus.errors import (
    CommandIdReused,
    ConcurrencyError,
    ConflictError,
    InvalidArgument,
    InvalidCommit,
    Rejected,
    TooManyConflicts,
)
from eventhus.ports.clock import Clock
from eventhus.ports.store import Commit, EventStore, StoredCommit, unchecked_commit, unchecked_part
from eventhus.runtime.commands.envelope import Committed, Envelope, unchecked_committed
from eventhus.runtime.commands.observed import observed_append, observed_decision
from eventhus.runtime.commands.unit_of_work import Change, UnitOfWork
from eventhus.runtime.observing import Observing
from eventhus.runtime.serializer import EventSerializer

# A process that wins a stream keeps winning: its next command finds the state in its cache, while
# the losers pause and load again. So the pauses must outlast the winner's backlog. Measured on
# MongoDB with 2 to 16 rival processes: 10 attempts within 0.2 s lost up to 9 % of the commands, 30
# within 3 s lost some of 16 processes, 50 lost none; the unluckiest command needed 42. See
# docs/decisions/0034-a-command-outlasts-its-rivals.md.
ATTEMPTS = 50  # appends of one command before a conflict is reported
CONFLICT_BACKOFF = Backoff(first_s=0.005, cap_s=0.25)  # 5.5 s in all, on average


class Executor:
    """Carries out commands. The caller sees to it that those of one stream run one by one."""

    def __init__(
        self,
        *,
        store: EventStore,
        serializer: EventSerializer,
        clock: Clock,
        random: Random,
        new_id: Callable[[], str],
        observing: Observing | None = None,
    ) -> None:
        self._store = store
        self._serializer = serializer
        self._clock = clock
        self._random = random
        self._new_id = new_id
        self._observing = observing

    def execute(self, unit: UnitOfWork, envelope: Envelope) -> Coroutine[Any, Any, Committed]:
        """Carry out one command. Raises what ``Application.dispatch`` does."""
        if envelope.command_id is None:
            return self._execute(unit, envelope)
        return self._execute_once(unit, envelope, envelope.command_id)

    async def _execute_once(
        self, unit: UnitOfWork, envelope: Envelope, command_id: str
    ) -> Committed:
        if first := await self._first_answer(unit, command_id):
            return first
        # Another process may carry out the same command meanwhile. Its events then cause the
        # refusal, the conflict or the empty answer here.
        try:
            committed = await self._execute(unit, envelope)
        except (Rejected, ConcurrencyError):
            if first := await self._first_answer(unit, command_id):
                return first
            raise
        if committed.events:
            return committed
        return await self._first_answer(unit, command_id) or committed

    async def _execute(self, unit: UnitOfWork, envelope: Envelope) -> Committed:
        is_fresh = False  # a cached state may be out of date
        if not unit.begin():
            await unit.refresh()
            is_fresh = True
        conflicts = 0
        observing = self._observing
        while True:
            try:
                if observing is None:
                    changes = unit.decide()
                else:
                    changes = observed_decision(unit, envelope, observing)
            except (Rejected, ConcurrencyError):
                if is_fresh:
                    raise
                changes = ()
            if not changes:
                # A refusal or an empty answer is checked against the log.
                if is_fresh:
                    return await unit.unchanged()
                await unit.refresh()
                is_fresh = True
                continue
            commit = self._commit(unit, changes, envelope)
            unit.fold()
            try:
                if observing is None:
                    stored = await self._store.append(commit)
                else:
                    stored = await observed_append(
                        self._store, commit, observing, attempt=conflicts + 1
                    )
            except ConflictError as conflict:
                conflicts += 1
                await self._yield_to_others(unit, envelope, conflict, conflicts)
                await unit.lose(conflict)
                is_fresh = True
                continue
            except InvalidCommit:
                # The log may have been restored to a point before the cached state.
                unit.forget()
                raise
            if stored.commit is not commit:
                return self._answer_of_another(unit, commit, stored)
            unit.win(stored)
            events = [event for change in changes for event in change.events]
            return _answer(unit, stored, stored.wrap(events))

    def _commit(self, unit: UnitOfWork, changes: Sequence[Change], envelope: Envelope) -> Commit:
        # The events are encoded and folded before the append, so that none is written that cannot
        # be folded or read again.
        encode = self._serializer.encode
        parts = tuple(
            [
                unchecked_part(
                    stream=change.stream,
                    events=tuple([encode(event) for event in change.events]),
                    expected_version=change.expected_version,
                )
                for change in changes
            ]
        )
        commit_id = self._new_id()
        if not is_id(commit_id):
            raise InvalidArgument(
                "new_id of the application must return a non-empty str of whole Unicode characters"
            )
        metadata = envelope.metadata
        if metadata.correlation_id is None:
            metadata = unchecked_metadata(commit_id, metadata.causation_id, metadata.values)
        return unchecked_commit(
            id=commit_id,
            parts=parts,
            condition=unit.condition,
            recorded_at=self._clock.now(),
            metadata=metadata,
            command_id=envelope.command_id,
        )

    async def _yield_to_others(
        self, unit: UnitOfWork, envelope: Envelope, conflict: ConflictError, conflicts: int
    ) -> None:
        """Back off after a lost race, or raise if the command is not to be decided again."""
        unit.forget()
        insists = envelope.expected_version is not None
        if insists and isinstance(conflict, ConcurrencyError) and conflict.stream == unit.stream:
            raise conflict
        if conflicts == ATTEMPTS:
            raise TooManyConflicts(unit.stream, ATTEMPTS) from conflict
        await self._clock.sleep(CONFLICT_BACKOFF.jittered_s(conflicts, self._random))

    async def _first_answer(self, unit: UnitOfWork, command_id: str) -> Committed | None:
        first = await self._store.find(command_id)
        if first is None:
            return None
        if first.commit.streams.isdisjoint(unit.streams):
            raise CommandIdReused(command_id, unit.stream, first.commit.stream)
        return self._stored_answer(unit, first)

    def _answer_of_another(
        self, unit: UnitOfWork, commit: Commit, stored: StoredCommit
    ) -> Committed:
        """Return the answer to the same command, which came through another process."""
        if commit.command_id is None or stored.commit.command_id != commit.command_id:
            raise InvalidCommit(
                f"commit id {commit.id} is in the log of {unit.stream} already; "
                f"make ids that are unique for ever"
            )
        return self._stored_answer(unit, stored)

    def _stored_answer(self, unit: UnitOfWork, stored: StoredCommit) -> Committed:
        return _answer(unit, stored, [*map(self._serializer.recorded, stored.recorded())])


def _answer(unit: UnitOfWork, stored: StoredCommit, events: Sequence[Recorded[Any]]) -> Committed:
    last = events[-1]
    if last.stream is not unit.stream:
        # The first aggregate of several may have had nothing to change.
        stream = unit.stream if unit.stream in stored.commit.streams else stored.commit.stream
        last = next(each for each in reversed(events) if each.stream == stream)
    return unchecked_committed(
        stream=last.stream,
        version=last.version,
        position=stored.last_position,
        events=events,
    )
