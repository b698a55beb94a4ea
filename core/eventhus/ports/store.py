"""Storage: the event store, snapshots and checkpoints, all in plain data.

Every store refuses ids and names beyond these limits with ``InvalidArgument``, in reads before the
server is asked. Lengths are in bytes of UTF-8.

- ``aggregate_id``, ``command_id``, ``correlation_id``, ``causation_id``, key of a document: 1,024.
- ``aggregate_type``, type of an event, id of a commit, name of a lease or checkpoint, owner of a
  lease: 255.
- Metadata: 64 pairs, keys of 255, values of 8,192; all together 30,000 as ASCII JSON.
- Id of an event, in a checkpoint or a snapshot: 512. Fingerprint of a snapshot: 255.
- Versions, positions, tokens: 62 bits.
"""

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
"""An event as a store keeps it: plain data in its envelope."""


def _tuple(events: Iterable[EventData]) -> tuple[EventData, ...]:
    return tuple(events)


def event_id(commit_id: str, index: int) -> str:
    """Return the id of a commit's event at ``index`` (from 0): ``<commit id>-<index + 1>``."""
    return f"{commit_id}-{index + 1}"


@frozen(kw_only=True)
class Commit:
    """Events for one stream that are appended atomically.

    Attributes:
        id: Unique. Appending a commit whose id is in the log changes nothing.
        stream: The stream to append to.
        events: One or more, in order.
        expected_version: The version that the stream must end at (optimistic concurrency); 0 for
            a new stream. ``None`` appends at any version.
        recorded_at: When the commit was made: timezone-aware, UTC, to the microsecond.
        metadata: Shared by all events.
        command_id: The caller's idempotency key, if any. A log holds each key at most once.
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
    """A commit and its place in the log.

    Attributes:
        commit: The commit. If it was in the log before, its ``expected_version`` may be the version
            at which it was stored.
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
        """Return the commit's events, each in its envelope."""
        return [self.wrap(index, event) for index, event in enumerate(self.commit.events)]

    @property
    def last_event_id(self) -> str:
        """The id of the commit's last event."""
        return self.event_id(len(self.commit.events) - 1)

    def event_id(self, index: int) -> str:
        """Return the id of the commit's event at ``index``, from 0."""
        return event_id(self.commit.id, index)

    def wrap(self, index: int, event: T) -> Recorded[T]:
        """Return ``event`` in the envelope of the commit's event at ``index``, from 0."""
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
    """Consecutive events of one stream, without their envelopes.

    Attributes:
        events: The events, in order; possibly none.
        version: The version of the last event; 0 if there is none.
        position: The position of the last event; 0 if there is none.
        event_id: The id of the last event; empty if there is none.
        is_cut: Whether the store returned fewer events than it was asked for because of their
            size, so that there may be more.
    """

    events: Sequence[EventData]
    version: int
    position: int
    event_id: str
    is_cut: bool = False


class EventStore(Protocol):
    """One log: a totally ordered sequence of events at positions 1, 2, 3, … without a gap.

    Every implementation promises:

    - Position order is commit order. Once an event is visible at a position, no event ever appears
      at a lower one, so a reader that remembers its last position never misses an event.
    - Commits are atomic: all events of a commit become visible together, at consecutive positions
      and versions.
    - Acknowledged commits are never lost, and no reader sees an event that is rolled back later.
    - A cancelled ``append`` has stored the whole commit or nothing.
    """

    async def append(self, commit: Commit) -> StoredCommit:
        """Add a commit to the end of the log.

        If the log already holds the ``id`` or ``command_id`` for the same stream, nothing changes,
        and the first stored commit is returned, which may differ from ``commit``.

        Returns:
            The stored commit. Its ``commit`` is the argument itself if this call stored it.

        Raises:
            ConcurrencyError: The stream does not end at ``expected_version``.
            CommandIdReused: A commit of another stream has the ``command_id``.
            InvalidCommit: There are no events, the data is not JSON-compatible, a schema is below
                1 or needs more than 62 bits, ``recorded_at`` is naive or has no form in UTC, or a
                commit of another stream has the ``id``.
        """
        ...

    async def find(self, command_id: str) -> StoredCommit | None:
        """Return the commit with this ``command_id``, if there is one."""
        ...

    async def load(self, stream: StreamId, *, after_version: int = 0, limit: int = 1000) -> Slice:
        """Return the next events of a stream, in order and without envelopes, to fold a state.

        Args:
            stream: The stream. A stream that was never appended to has no events.
            after_version: Start after this version; 0 starts at the first event.
            limit: The maximum number of events, at least 1. Fewer means the end of the stream,
                unless the slice ``is_cut``.

        Raises:
            InvalidArgument: ``limit`` is below 1, or ``after_version`` is negative.
        """
        ...

    async def history(
        self, stream: StreamId, *, after_version: int = 0, limit: int = 1000
    ) -> Sequence[StoredEvent]:
        """Return the same events as ``load``, each in its envelope.

        Args:
            stream: As for ``load``.
            after_version: As for ``load``.
            limit: As for ``load``.

        Raises:
            InvalidArgument: As for ``load``.
        """
        ...

    async def read(self, *, after: int = 0, limit: int = 1000) -> Sequence[StoredEvent]:
        """Return the next events of the log, of all streams, in order.

        Args:
            after: Start after this position; 0 starts at the first event.
            limit: The maximum number of events, at least 1. Fewer means the end of the log.

        Raises:
            InvalidArgument: ``limit`` is below 1, or ``after`` is negative.
        """
        ...

    def follow(
        self, *, after: int = 0, limit: int = 1000
    ) -> AsyncGenerator[Sequence[StoredEvent], None]:
        """Tail the log for ever: yield the stored events, then each new one.

        Args:
            after: Start after this position; 0 starts at the first event.
            limit: The maximum number of events in one batch, at least 1.

        Yields:
            Batches of at least one event. Each continues directly after the previous one.

        Raises:
            InvalidArgument: At the first iteration: ``limit`` is below 1, or ``after`` is negative.
        """
        ...

    async def head(self) -> int:
        """Return the position of the last event, the high-water mark; 0 while the log is empty."""
        ...


@frozen(kw_only=True)
class Snapshot:
    """The folded state of one stream at one version.

    Attributes:
        stream: The stream.
        version: The version of the last event folded into the state.
        position: The position of that event.
        event_id: The id of that event. If the log has another event there, the snapshot was taken
            from another history.
        fingerprint: Identifies the shape of ``data`` and the code that folded it.
        data: The state, as plain data.
    """

    stream: StreamId
    version: int
    position: int
    event_id: str
    fingerprint: str
    data: Any = field(hash=False)


class SnapshotStore(Protocol):
    """Stores the latest snapshot of each stream. Losing snapshots costs time, never data."""

    async def load_snapshot(self, stream: StreamId) -> Snapshot | None:
        """Return the snapshot of a stream, if there is one."""
        ...

    async def save_snapshot(self, snapshot: Snapshot) -> None:
        """Save ``snapshot`` as the only one of its stream.

        Raises:
            InvalidArgument: The data is not JSON-compatible.
        """
        ...


@frozen
class Checkpoint:
    """The place of a reader in the log.

    Attributes:
        position: The position of the last event that the reader has handled; 0 at the start.
        event_id: The id of that event, which tells the log from another history that has another
            event there. Empty if it was not saved.
    """

    position: int = 0
    event_id: str = ""


class CheckpointStore(Protocol):
    """Stores the checkpoint of each reader of the log."""

    async def load_checkpoint(self, name: str) -> Checkpoint:
        """Return the checkpoint saved under ``name``; that of the start if there is none."""
        ...

    async def save_checkpoint(
        self, name: str, position: int, *, event_id: str = "", token: int = 0
    ) -> None:
        """Save a checkpoint under ``name``.

        Args:
            name: The name of the reader.
            position: The position of the last event that it has handled.
            event_id: The id of that event.
            token: The fencing token of the reader's lease, if it holds one.

        Raises:
            LeaseLost: A position was saved with a higher token. That position stays.
        """
        ...


class Storage(EventStore, SnapshotStore, CheckpointStore, ViewStore, Leases, Protocol):
    """All storage ports of one bucket in one object.

    An asynchronous context manager: entered before the first use, left after the last. Several
    applications may share one, so it stays usable until it has been left as often as entered.
    """

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...
