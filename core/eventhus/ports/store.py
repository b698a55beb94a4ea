"""The ports to storage. All of them speak plain data and never see the domain's classes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Protocol, Self, TypeAlias, TypeVar

from attrs import field, frozen

from eventhus.domain.recorded import EventData, Metadata, Recorded, StreamId
from eventhus.ports.leases import Leases
from eventhus.ports.views import ViewStore

T = TypeVar("T")

StoredEvent: TypeAlias = Recorded[EventData]
"""An event as a store keeps it: its place in the log, around plain data."""


def _tuple(events: Iterable[EventData]) -> tuple[EventData, ...]:
    return tuple(events)


def event_id(commit_id: str, index: int) -> str:
    """The id of a commit's event at ``index``, from 0: the commit's id and its number, from 1."""
    return f"{commit_id}-{index + 1}"


@frozen(kw_only=True)
class Commit:
    """Events for one stream that are appended together or not at all.

    Attributes:
        id: Unique; appending a commit with an id that the log holds changes nothing.
        stream: The stream that the events are for.
        events: One or more, in order.
        expected_version: The version that the stream must end at: 0 for a new stream. ``None``
            appends wherever the stream ends.
        recorded_at: When the commit was made: aware, UTC, to the microsecond.
        metadata: Shared by the events.
        command_id: The caller's own idempotency key, if any. A log holds each at most once.
    """

    id: str
    stream: StreamId
    events: Sequence[EventData] = field(converter=_tuple)
    expected_version: int | None
    recorded_at: datetime
    metadata: Metadata = field(factory=Metadata)
    command_id: str | None = None


@frozen(kw_only=True)
class StoredCommit:
    """A commit and the place that it got.

    Attributes:
        commit: What was appended. That of a commit which was in the log before may have, as its
            ``expected_version``, the one that it met.
        version: The version of its first event.
        position: The position of its first event.
    """

    commit: Commit
    version: int
    position: int

    @property
    def last_version(self) -> int:
        """The version of the commit's last event."""
        return self.version + len(self.commit.events) - 1

    @property
    def last_position(self) -> int:
        """The position of the commit's last event."""
        return self.position + len(self.commit.events) - 1

    def recorded(self) -> list[StoredEvent]:
        """The commit's events, each in its envelope."""
        return [self.wrap(index, event) for index, event in enumerate(self.commit.events)]

    @property
    def last_event_id(self) -> str:
        """The id of the commit's last event."""
        return self.event_id(len(self.commit.events) - 1)

    def event_id(self, index: int) -> str:
        """The id of the commit's event at ``index``, from 0."""
        return event_id(self.commit.id, index)

    def wrap(self, index: int, event: T) -> Recorded[T]:
        """Put one form of the commit's event at ``index``, from 0, in its envelope."""
        commit = self.commit
        return Recorded(
            stream=commit.stream,
            version=self.version + index,
            position=self.position + index,
            id=self.event_id(index),
            event=event,
            recorded_at=commit.recorded_at,
            metadata=commit.metadata,
        )


@frozen(kw_only=True)
class Slice:
    """Some neighbouring events of one stream, without their envelopes.

    Attributes:
        events: The events, in order; there may be none.
        version: The version of the last one; 0 if there is none.
        position: The position of the last one; 0 if there is none.
        event_id: The id of the last one; empty if there is none.
    """

    events: Sequence[EventData]
    version: int
    position: int
    event_id: str


class EventStore(Protocol):
    """One log: a totally ordered sequence of events at positions 1, 2, 3, … without a gap.

    What every implementation promises:

    - Position order is commit order: once an event is visible at a position, no event will ever
      appear at a lower one. A reader that remembers its last position never misses an event.
    - A commit is visible as a whole, at neighbouring positions and versions, or not at all.
    - What was acknowledged is never lost, and what a reader saw is never taken back.
    - A cancelled ``append`` has either happened as a whole or not at all.
    """

    async def append(self, commit: Commit) -> StoredCommit:
        """Add a commit to the end of the log.

        A commit whose ``id`` or ``command_id`` the log already holds for the same stream changes
        nothing and returns what was stored the first time, which may differ from ``commit``.

        Returns:
            The stored commit. Its ``commit`` is the argument itself where this call stored it.

        Raises:
            ConcurrencyError: The stream does not end at ``expected_version``.
            CommandIdReused: Another stream's commit holds the ``command_id``.
            InvalidCommit: There are no events, the data is not JSON-compatible, or another
                stream's commit has the ``id``.
        """
        ...

    async def find(self, command_id: str) -> StoredCommit | None:
        """The commit that was appended with this ``command_id``, if there is one."""
        ...

    async def load(self, stream: StreamId, *, after_version: int = 0, limit: int = 1000) -> Slice:
        """The data of the stream's next events, in order: what it takes to fold a state.

        Args:
            stream: The stream. One that was never appended to has no events.
            after_version: Start behind this version; 0 starts at the first event.
            limit: The most events to return, at least 1. Fewer means that the stream ended.

        Raises:
            InvalidArgument: ``limit`` is below 1, or ``after_version`` is negative.
        """
        ...

    async def history(
        self, stream: StreamId, *, after_version: int = 0, limit: int = 1000
    ) -> Sequence[StoredEvent]:
        """The same events as ``load``, each in its envelope.

        Args:
            stream: As for ``load``.
            after_version: As for ``load``.
            limit: As for ``load``.

        Raises:
            InvalidArgument: As for ``load``.
        """
        ...

    async def read(self, *, after: int = 0, limit: int = 1000) -> Sequence[StoredEvent]:
        """The log's next events, of all streams, in order.

        Args:
            after: Start behind this position; 0 starts at the first event.
            limit: The most events to return, at least 1. Fewer means that the log ended.

        Raises:
            InvalidArgument: ``limit`` is below 1, or ``after`` is negative.
        """
        ...

    def follow(
        self, *, after: int = 0, limit: int = 1000
    ) -> AsyncGenerator[Sequence[StoredEvent], None]:
        """The log from a position on, for ever: what is there, then what comes.

        Args:
            after: Start behind this position; 0 starts at the first event.
            limit: The most events in one batch, at least 1.

        Yields:
            Batches of at least one event, each going on right behind the one before.

        Raises:
            InvalidArgument: At the first iteration: ``limit`` is below 1, or ``after`` is negative.
        """
        ...

    async def head(self) -> int:
        """The position of the last event; 0 while the log is empty."""
        ...


@frozen(kw_only=True)
class Snapshot:
    """A state that need not be folded from the first event again.

    Attributes:
        stream: Whose state it is.
        version: The version of the last event folded into it.
        position: The position of that event.
        event_id: The id of that event: a log that has another there is not the one it was made of.
        fingerprint: Names the shape of ``data`` and the rules that made it.
        data: The state, as plain data.
    """

    stream: StreamId
    version: int
    position: int
    event_id: str
    fingerprint: str
    data: Any = field(hash=False)


class SnapshotStore(Protocol):
    """Keeps one snapshot of each stream. Losing all of them costs time, never data."""

    async def load_snapshot(self, stream: StreamId) -> Snapshot | None:
        """The stream's snapshot, if it has one."""
        ...

    async def save_snapshot(self, snapshot: Snapshot) -> None:
        """Keep ``snapshot``, in place of the one that the stream may have.

        Raises:
            InvalidArgument: The data is not JSON-compatible.
        """
        ...


class CheckpointStore(Protocol):
    """Remembers how far each reader of the log has come."""

    async def load_checkpoint(self, name: str) -> int:
        """The position saved under ``name``; 0 where none was."""
        ...

    async def save_checkpoint(self, name: str, position: int, *, token: int = 0) -> None:
        """Remember ``position`` under ``name``.

        Args:
            name: Whose position it is.
            position: How far it has come.
            token: That of the lease under which it came so far, if it holds one.

        Raises:
            LeaseLost: A position was saved with a higher token; it stays.
        """
        ...


class Storage(EventStore, SnapshotStore, CheckpointStore, ViewStore, Leases, Protocol):
    """All storage ports of one bucket in one object, which is what an application is given.

    An asynchronous context manager: entered before first use, left after last use. Two
    applications may share one, so it stays usable until it has been left as often as entered.
    """

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...
