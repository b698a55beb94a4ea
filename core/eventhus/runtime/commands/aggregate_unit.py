"""Units of work on one aggregate, and on several."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any, Generic, TypeVar

from eventhus.adapter_support.tasks import together
from eventhus.domain.aggregate import Aggregate
from eventhus.domain.command import Command
from eventhus.domain.recorded import StreamId
from eventhus.errors import ConcurrencyError, ConflictError
from eventhus.ports.store import StoredCommit
from eventhus.runtime.commands.envelope import Committed
from eventhus.runtime.commands.repository import Repository
from eventhus.runtime.commands.state_cache import CachedState
from eventhus.runtime.commands.unit_of_work import Change, UnitOfWork, unchecked_change

S = TypeVar("S")


class AggregateUnit(UnitOfWork, Generic[S]):
    """One aggregate and its commands, usually a single one.

    Args:
        aggregate: The aggregate.
        repository: Loads and caches its states.
        commands: The commands, all with the same ``aggregate_id``. Each is decided on the state
            that the ones before it have led to.
        expected_version: The version that the stream must be at, if the caller insists.
    """

    def __init__(
        self,
        aggregate: Aggregate[Any, Any, S],
        repository: Repository[S],
        commands: Sequence[Command],
        expected_version: int | None,
    ) -> None:
        self.stream = StreamId(aggregate.stream_type, commands[0].aggregate_id)
        self._aggregate = aggregate
        self._repository = repository
        self._commands = commands
        self._expected_version = expected_version
        self._current: CachedState[S] = repository.initial
        self._unfolded: tuple[S, Sequence[Any]] = aggregate.initial, ()
        self._next = aggregate.initial  # the state after the events that were decided

    def begin(self) -> bool:
        """See ``UnitOfWork.begin``."""
        cached = self._repository.cached(self.stream)
        if cached is None:
            return False
        self._current = cached
        return True

    async def refresh(self) -> None:
        """See ``UnitOfWork.refresh``."""
        self._current = await self._repository.current(self.stream)

    def decide(self) -> Sequence[Change]:
        """See ``UnitOfWork.decide``."""
        current, expected = self._current, self._expected_version
        if expected is not None and expected != current.version:
            raise ConcurrencyError(self.stream, expected, current.version)
        state = current.state
        events: list[Any] = []
        decided: Sequence[Any] = ()
        for command in self._commands:
            state = reduce(self._aggregate.evolve, decided, state)
            decided = self._aggregate.decided(command, state)
            events += decided
        self._unfolded = state, decided
        return (unchecked_change(self.stream, current.version, events),) if events else ()

    def fold(self) -> None:
        """See ``UnitOfWork.fold``."""
        state, decided = self._unfolded
        self._next = reduce(self._aggregate.evolve, decided, state)

    async def lose(self, conflict: ConflictError) -> None:
        """See ``UnitOfWork.lose``."""
        assert isinstance(conflict, ConcurrencyError), "its commits have no condition"
        self._current = await self._repository.after_conflict(
            self.stream, self._current, conflict.actual
        )

    def win(self, stored: StoredCommit) -> None:
        """See ``UnitOfWork.win``."""
        self._repository.remember(self.stream, stored, self._next, self._current.snapshot_version)

    def forget(self) -> None:
        """See ``UnitOfWork.forget``."""
        self._repository.forget(self.stream)

    async def unchanged(self) -> Committed:
        """See ``UnitOfWork.unchanged``."""
        current = self._current
        return Committed(
            stream=self.stream, version=current.version, position=current.position, events=()
        )


class TransactionUnit(UnitOfWork):
    """Several aggregates that change together.

    Args:
        units: One for each aggregate, in the order in which their events are stored.
    """

    def __init__(self, units: Sequence[AggregateUnit[Any]]) -> None:
        self._units = units
        self.stream = units[0].stream

    @property
    def streams(self) -> Sequence[StreamId]:
        """See ``UnitOfWork.streams``."""
        return [unit.stream for unit in self._units]

    def begin(self) -> bool:
        """See ``UnitOfWork.begin``."""
        return all(unit.begin() for unit in self._units)

    async def refresh(self) -> None:
        """See ``UnitOfWork.refresh``."""
        await together(unit.refresh() for unit in self._units)

    def decide(self) -> Sequence[Change]:
        """See ``UnitOfWork.decide``."""
        return [change for unit in self._units for change in unit.decide()]

    def fold(self) -> None:
        """See ``UnitOfWork.fold``."""
        for unit in self._units:
            unit.fold()

    async def lose(self, conflict: ConflictError) -> None:
        """See ``UnitOfWork.lose``."""
        assert isinstance(conflict, ConcurrencyError), "its commits have no condition"
        for unit in self._units:
            if unit.stream == conflict.stream:
                await unit.lose(conflict)

    def win(self, stored: StoredCommit) -> None:
        """See ``UnitOfWork.win``."""
        for unit in self._units:
            if unit.stream in stored.commit.streams:
                unit.win(stored)

    def forget(self) -> None:
        """See ``UnitOfWork.forget``."""
        for unit in self._units:
            unit.forget()

    async def unchanged(self) -> Committed:
        """See ``UnitOfWork.unchanged``."""
        return await self._units[0].unchanged()
