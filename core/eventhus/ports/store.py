"""Storage: the event store, snapshots and checkpoints, all in plain data.

Every store refuses ids and names beyond these limits with ``InvalidArgument``, in reads before the
server is asked. Lengths are in bytes of UTF-8.

- ``aggregate_id``, ``command_id``, ``correlation_id``, ``causation_id``, key of a document: 1,024.
- ``aggregate_type``, type of an event, id of a commit, name of a lease or checkpoint, owner of a
  lease: 255.
- Metadata: 64 pairs, keys of 255, values of 8,192; all together 26,000 as ASCII JSON.
- A commit: 1,000 parts, and 10,000 tags on all of its events together. A tag: 255. All tags of an
  event: 4,000 as ASCII JSON.
- A query: 100 items, each with 1,000 types and 100 tags.
- Id of an event, in a checkpoint or a snapshot: 512. Fingerprint of a snapshot: 255.
- A checkpoint: 10,000 ranges.
- A line of a registration: 65,536.
- A number in an index: 34 digits; no fraction beyond 2**53.
- Versions, positions, tokens: 62 bits.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Protocol, Self, TypeAlias, TypeVar

from attrs import field, frozen

from eventhus.domain.query import Query
from eventhus.domain.recorded import (
    EventData,
    Metadata,
    Recorded,
    StreamId,
    unchecked_recorded,
)
from eventhus.domain.unchecked import unchecked
from eventhus.ports.checkpoints import CheckpointStore
from eventhus.ports.diagnosis import Diagnosable
from eventhus.ports.groups import GroupStore
from eventhus.ports.inspection import Inspection
from eventhus.ports.leases import Leases
from eventhus.ports.registrations import RegistrationStore
from eventhus.ports.views import ViewStore

T = TypeVar("T")

StoredEvent: TypeAlias = Recorded[EventData]
"""An event as a store keeps it: plain data in its envelope."""


def _events(events: Iterable[EventData]) -> tuple[EventData, ...]:
    return tuple(events)


def _parts(parts: Iterable[Part]) -> tuple[Part, ...]:
    return tuple(parts)


def _versions(versions: Iterable[int]) -> tuple[int, ...]:
    return tuple(versions)


def event_id(commit_id: str, index: int) -> str:
    """Return the id of a commit's event at ``index`` (from 0): ``<commit id>-<index + 1>``."""
    return f"{commit_id}-{index + 1}"


def split_event_id(id_: str) -> tuple[str, int] | None:
    """Return the commit id and the index, from 0, in the id of an event.

    ``None`` if ``event_id`` never makes such an id.
    """
    commit_id, _, number = id_.rpartition("-")
    if not (commit_id and number.isascii() and number.isdecimal()) or number.startswith("0"):
        return None
    return commit_id, int(number) - 1


@frozen(kw_only=True, weakref_slot=False)
class Part:
    """The events that a commit adds to one stream.

    Attributes:
        stream: The stream to append to.
        events: One or more, in order.
        expected_version: The version that the stream must end at (optimistic concurrency); 0 for
            a new stream. ``None`` appends at any version.
    """

    stream: StreamId
    events: Sequence[EventData] = field(converter=_events)
    expected_version: int | None


@frozen(kw_only=True)
class Condition:
    """A condition of a commit: no event after a position matches a query.

    Attributes:
        query: The events that must not be there, by stored names and tags.
        after: The position up to which the writer has looked at the log.
    """

    query: Query
    after: int


@frozen(kw_only=True, weakref_slot=False)
class Commit:
    """Events that are appended atomically, to one stream or to several.

    Attributes:
        id: Unique. Appending a commit whose id is in the log changes nothing.
        parts: One for each stream, in the order in which their events are stored. No stream
            appears twice.
        condition: The condition for storing it, if any.
        recorded_at: When the commit was made: timezone-aware, UTC, to the microsecond.
        metadata: Shared by all events.
        command_id: The caller's idempotency key, if any. A log holds each key at most once.
    """

    id: str
    parts: Sequence[Part] = field(converter=_parts)
    condition: Condition | None = None
    recorded_at: datetime
    metadata: Metadata = field(factory=Metadata)
    command_id: str | None = None

    @property
    def stream(self) -> StreamId:
        """The stream of the first part, which stands for the commit in messages."""
        return self.parts[0].stream

    @property
    def events(self) -> list[EventData]:
        """The events of all parts, in the order in which they are stored."""
        if len(self.parts) == 1:
            return [*self.parts[0].events]
        return [event for part in self.parts for event in part.events]

    @property
    def streams(self) -> frozenset[StreamId]:
        """The streams of all parts."""
        return frozenset(part.stream for part in self.parts)


@frozen(kw_only=True, weakref_slot=False)
class Place:
    """The place of an event.

    Attributes:
        version: Its version in its stream.
        position: Its position in the log.
        event_id: Its id.
    """

    version: int
    position: int
    event_id: str


@frozen(kw_only=True, weakref_slot=False)
class StoredCommit:
    """A commit and its place in the log.

    Attributes:
        commit: The commit. If it was in the log before, its parts may expect the versions at which
            they were stored, and its ``condition`` is ``None``.
        versions: For each part, the version of its first event.
        position: The position of the first event. The events of all parts have consecutive ones.
    """

    commit: Commit
    versions: Sequence[int] = field(converter=_versions)
    position: int

    @property
    def last_position(self) -> int:
        """The position of the commit's last event."""
        return self.position + sum([len(part.events) for part in self.commit.parts]) - 1

    def last_of(self, stream: StreamId) -> Place:
        """Return the place of the commit's last event in one of its streams.

        Raises:
            KeyError: The commit does not add to the stream.
        """
        before = 0
        for part, version in zip(self.commit.parts, self.versions, strict=True):
            size = len(part.events)
            before += size
            if part.stream == stream:
                return unchecked_place(
                    version=version + size - 1,
                    position=self.position + before - 1,
                    event_id=event_id(self.commit.id, before - 1),
                )
        raise KeyError(stream)

    def recorded(self) -> list[StoredEvent]:
        """Return the commit's events, each in its envelope."""
        return self.wrap(self.commit.events)

    def wrap(self, events: Iterable[T]) -> list[Recorded[T]]:
        """Return the events of the commit in another form, each in its envelope.

        Args:
            events: As many as the commit has, in the same order.

        Raises:
            ValueError: There are more or fewer.
        """
        commit, forms = self.commit, [*events]
        if len(forms) != sum([len(part.events) for part in commit.parts]):
            raise ValueError("the commit has another number of events")
        wrapped: list[Recorded[T]] = []
        for part, first in zip(commit.parts, self.versions, strict=True):
            for version in range(first, first + len(part.events)):
                index = len(wrapped)
                wrapped.append(
                    unchecked_recorded(
                        stream=part.stream,
                        version=version,
                        position=self.position + index,
                        id=event_id(commit.id, index),
                        event=forms[index],
                        recorded_at=commit.recorded_at,
                        metadata=commit.metadata,
                    )
                )
        return wrapped


unchecked_part = unchecked(Part)
unchecked_commit = unchecked(Commit)
unchecked_place = unchecked(Place)
unchecked_stored_commit = unchecked(StoredCommit)


@frozen(kw_only=True)
class Page:
    """Some of the next events of the log, and the position up to which it was looked at.

    Attributes:
        events: The events, in the order of reading. A store may make them when they are looked at.
            Looking at one that cannot be read then raises the errors of ``read``.
        position: A reader continues from here. Forwards, every event up to this position was
            looked at. Backwards, every event from this position on.
        event_id: The id of the event at that position; empty if the log has none there.
        is_last: Whether the store has looked at the whole log in that direction, as it was then.
    """

    events: Sequence[StoredEvent]
    position: int
    event_id: str
    is_last: bool


@frozen(kw_only=True, weakref_slot=False)
class Slice:
    """Consecutive events of one stream, without their envelopes.

    Attributes:
        events: The events, in order; possibly none.
        version: The version of the last event; 0 if there is none.
        position: The position of the last event; 0 if there is none.
        event_id: The id of the last event; empty if there is none.
        first_event_id: The id of the first event; empty if there is none.
        is_cut: True if the store returned fewer events than it was asked for because of their
            size, so that there may be more.
    """

    events: Sequence[EventData]
    version: int
    position: int
    event_id: str
    first_event_id: str
    is_cut: bool = False


unchecked_slice = unchecked(Slice)


class EventStore(Inspection, Protocol):
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

        If the log already holds the ``id`` or ``command_id`` in a commit that shares a stream with
        this one, nothing changes, and the first stored commit is returned, which may differ from
        ``commit``. That comes before every other reason to refuse.

        Returns:
            The stored commit. Its ``commit`` is the argument itself if this call stored it.

        Raises:
            ConcurrencyError: A stream does not end at the ``expected_version`` of its part.
            ConditionFailed: An event after the condition's position matches its query.
            CommandIdReused: A commit of other streams has the ``command_id``.
            InvalidCommit: There are no parts, or no events in one of them, or two parts have the
                same stream; the data is not JSON-compatible; a schema is below 1 or needs more
                than 62 bits; ``recorded_at`` is naive or has no form in UTC; the condition begins
                after the end of the log; or a commit of other streams has the ``id``.
            InvalidArgument: An id, a name, the tags or the metadata is beyond its limit.
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

    async def version_of(self, stream: StreamId) -> int:
        """Return the version of the last event of a stream; 0 if it has none."""
        ...

    async def read(self, query: Query | None = None, *, after: int = 0, limit: int = 1000) -> Page:
        """Return the next events of the log, of all streams, in order.

        Args:
            query: Which events, by stored names and tags; ``None`` for all. The store looks them
                up by tag; it does not read through the others.
            after: Start after this position; 0 starts at the first event.
            limit: The maximum number of events, at least 1.

        Returns:
            A page. Its position is the head of the log, or ``after`` if that lies beyond, if it
            is the last one, and otherwise that of its last event. It may hold fewer events than
            ``limit`` because of their size, but holds none only if it is the last one.

        Raises:
            InvalidArgument: ``limit`` is below 1, ``after`` is negative, or the query is beyond
                its limits or holds classes.
        """
        ...

    async def read_backwards(
        self, query: Query | None = None, *, before: int | None = None, limit: int = 1000
    ) -> Page:
        """Return the events before a position, of all streams, last first.

        Args:
            query: As for ``read``.
            before: Start before this position; ``None`` starts at the last event.
            limit: The maximum number of events, at least 1.

        Returns:
            A page, as for ``read``. If it is the last one, its position is 1.

        Raises:
            InvalidArgument: As for ``read``; ``before`` is below 1.
        """
        ...

    def follow(
        self, query: Query | None = None, *, after: int = 0, limit: int = 1000
    ) -> AsyncGenerator[Page, None]:
        """Tail the log for ever: yield the stored events, then each new one.

        Args:
            query: As for ``read``.
            after: Start after this position; 0 starts at the first event.
            limit: The maximum number of events in one page, at least 1.

        Yields:
            Pages, each with a higher position than the one before. Without a query, each has at
            least one event and continues directly after the previous one. With one, a page without
            events tells that the log has grown by events that do not match.

        Raises:
            InvalidArgument: At the first iteration, as for ``read``.
        """
        ...

    async def commits(self, *, after: int = 0, limit: int = 100) -> Sequence[StoredCommit]:
        """Return the next whole commits of the log, in order, with their command ids.

        Args:
            after: Start with the first commit that begins after this position.
            limit: The maximum number of commits, at least 1. A store may return fewer because of
                their size, but returns none only at the end of the log.

        Raises:
            InvalidArgument: ``limit`` is below 1, or ``after`` is negative.
        """
        ...

    async def restore(self, commits: Sequence[StoredCommit]) -> None:
        """Append commits at the positions and versions that they have in another log.

        The caller vouches that this log holds the same commits before them as the other one.
        ``eventhus.portable`` sees to that. If the call fails or is cancelled, the log holds the
        first of the commits, or none, or all.

        Args:
            commits: Any number of commits that follow each other in the other log.

        Raises:
            LogsDiffer: The log does not end right before the first commit, another writer has
                appended meanwhile, or the log holds the ``id`` or ``command_id`` of one of them.
            ConcurrencyError: A stream does not end right before the version of a part.
            InvalidCommit: The commits do not follow each other; or as for ``append``.
            InvalidArgument: As for ``append``.
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


class Storage(
    EventStore,
    SnapshotStore,
    CheckpointStore,
    ViewStore,
    RegistrationStore,
    GroupStore,
    Leases,
    Diagnosable,
    Protocol,
):
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
