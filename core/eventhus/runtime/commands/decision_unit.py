"""Units of work on the events that a query finds."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any, Generic, TypeVar

from eventhus.domain.aggregate import Aggregate
from eventhus.domain.command import Command
from eventhus.domain.decision import Decision
from eventhus.domain.query import Query
from eventhus.domain.recorded import StreamId
from eventhus.errors import ConflictError, UndeclaredEvent
from eventhus.ports.store import Condition, EventStore, StoredCommit
from eventhus.runtime.commands.boundaries import Boundaries
from eventhus.runtime.commands.envelope import Committed
from eventhus.runtime.commands.state_cache import CachedState
from eventhus.runtime.commands.unit_of_work import Change, UnitOfWork

S = TypeVar("S")


class DecisionUnit(UnitOfWork, Generic[S]):
    """One command of a decision.

    Args:
        decision: The decision.
        owner: The aggregate whose stream the new events go to, if there is one.
        boundaries: Loads and caches the states.
        store: Holds the events.
        command: The command.
        expected_version: The version that the stream must be at, if the caller insists.
    """

    def __init__(
        self,
        decision: Decision[Any, Any, S],
        owner: Aggregate[Any, Any, Any] | None,
        boundaries: Boundaries[S],
        store: EventStore,
        command: Command,
        expected_version: int | None,
    ) -> None:
        stream_type = decision.aggregate_type if owner is None else owner.stream_type
        self.stream = StreamId(stream_type, command.aggregate_id)
        self._decision = decision
        self._owner = owner
        self._boundaries = boundaries
        self._store = store
        self._command: Any = command
        self._expected_version = expected_version
        self._query: Query = decision.query(self._command)
        self._stored_query = boundaries.stored(self._query)
        self._current: CachedState[S] = boundaries.initial
        self._decided: Sequence[Any] = ()
        self._next = decision.initial  # the state after the events that were decided
        self._folded = 0  # how many of them the query finds

    @property
    def condition(self) -> Condition:
        """See ``UnitOfWork.condition``."""
        return Condition(query=self._stored_query, after=self._current.position)

    def begin(self) -> bool:
        """See ``UnitOfWork.begin``."""
        cached = self._boundaries.cached(self._stored_query)
        if cached is None:
            return False
        self._current = cached
        return True

    async def refresh(self) -> None:
        """See ``UnitOfWork.refresh``."""
        self._current = await self._boundaries.current(self._stored_query)

    def decide(self) -> Sequence[Change]:
        """See ``UnitOfWork.decide``."""
        self._decided = self._decision.decided(self._command, self._current.state)
        if not self._decided:
            return ()
        if self._owner is not None:
            for event in self._decided:
                if type(event) not in self._owner.events:
                    raise UndeclaredEvent(self._owner.name, type(event), self._owner.events)
        return (Change(self.stream, self._expected_version, self._decided),)

    def fold(self) -> None:
        """See ``UnitOfWork.fold``."""
        own = [event for event in self._decided if self._decision.concerns(self._query, event)]
        self._next = reduce(self._decision.evolve, own, self._current.state)
        self._folded = len(own)

    async def lose(self, conflict: ConflictError) -> None:  # noqa: ARG002 - reads all that is new
        """See ``UnitOfWork.lose``."""
        await self.refresh()

    def win(self, stored: StoredCommit) -> None:
        """See ``UnitOfWork.win``."""
        self._boundaries.remember(
            self._stored_query, self._current, self._next, self._folded, stored
        )

    def forget(self) -> None:
        """See ``UnitOfWork.forget``."""
        self._boundaries.forget(self._stored_query)

    async def unchanged(self) -> Committed:
        """See ``UnitOfWork.unchanged``."""
        return Committed(
            stream=self.stream,
            version=await self._store.version_of(self.stream),
            position=self._current.position,
            events=(),
        )
