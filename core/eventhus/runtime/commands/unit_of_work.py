"""Units of work: one command each, with the state that it is decided on and its changes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from attrs import frozen

from eventhus.domain.recorded import StreamId
from eventhus.domain.unchecked import unchecked
from eventhus.errors import ConflictError
from eventhus.ports.store import Condition, StoredCommit
from eventhus.runtime.commands.envelope import Committed


@frozen(weakref_slot=False)
class Change:
    """New events of one stream.

    Attributes:
        stream: The stream.
        expected_version: The version that it must end at; ``None`` for any.
        events: The events, at least one.
    """

    stream: StreamId
    expected_version: int | None
    events: Sequence[Any]


unchecked_change = unchecked(Change)


class UnitOfWork(ABC):
    """One command on its way: it is decided, and decided again if another writer was first.

    Attributes:
        stream: The stream that the command is for, or the first of several.
    """

    stream: StreamId

    @property
    def streams(self) -> Sequence[StreamId]:
        """The streams that the command may change."""
        return (self.stream,)

    @property
    def condition(self) -> Condition | None:
        """The condition under which the latest answer of ``decide`` may be stored."""
        return None

    @abstractmethod
    def begin(self) -> bool:
        """Take the state from the cache; return whether it was there. It may be out of date."""

    @abstractmethod
    async def refresh(self) -> None:
        """Bring the state up to date with the log.

        Raises:
            CodecError: A stored event does not fit its class.
            LogCorrupted: A stream has a gap.
        """

    @abstractmethod
    def decide(self) -> Sequence[Change]:
        """Decide the command on the current state; return what it changes, possibly nothing.

        Raises:
            Rejected: The domain refused.
            ConcurrencyError: The stream is not at the version that the caller insists on.
        """

    @abstractmethod
    def fold(self) -> None:
        """Fold the decided events, so that a bug in ``evolve`` shows before anything is written."""

    @abstractmethod
    async def lose(self, conflict: ConflictError) -> None:
        """Catch up with the log after another writer was first. Raises what ``refresh`` does."""

    @abstractmethod
    def win(self, stored: StoredCommit) -> None:
        """Remember the state that the stored commit has led to."""

    @abstractmethod
    def forget(self) -> None:
        """Drop the cached state."""

    @abstractmethod
    async def unchanged(self) -> Committed:
        """Return the answer if the command changed nothing."""
