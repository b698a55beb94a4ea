"""A store in memory: everything lives as long as the object."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from marshal import loads
from types import TracebackType
from typing import Self

from attrs import evolve

from eventhus import Query
from eventhus.adapter_support import (
    check_armed_page,
    check_collection,
    check_command_id,
    check_condition,
    check_indexes,
    check_keys,
    check_page,
    check_parked_page,
    check_query,
    check_registration,
    check_selection,
    check_snapshot,
    check_stream,
    check_writes,
    checked_commit,
    checked_restored,
)
from eventhus.domain.recorded import StreamId
from eventhus.errors import (
    CommandIdReused,
    CompositionError,
    ConcurrencyError,
    ConditionFailed,
    InvalidArgument,
    InvalidCommit,
    LogsDiffer,
)
from eventhus.ports import (
    Commit,
    Finding,
    IndexField,
    IndexValue,
    Page,
    Registration,
    Selected,
    Selection,
    Slice,
    Snapshot,
    StoredCommit,
    StoredEvent,
    ViewDocument,
    ViewWrite,
    event_id,
)
from eventhus.ports.store import unchecked_slice, unchecked_stored_commit
from eventhus_memory.armed_index import ArmedIndex
from eventhus_memory.entries import Entry, data_of, recorded
from eventhus_memory.groups import MemoryGroups
from eventhus_memory.index import Index
from eventhus_memory.inspection import MemoryInspection
from eventhus_memory.leases import MemoryLeases
from eventhus_memory.packing import checked_bytes, packed
from eventhus_memory.selecting import select

_BREATHE_EVERY = 64  # appends between two yields to the event loop
_MOST_PARKED = 1_000  # documents that a page counts


class MemoryStore(MemoryInspection, MemoryLeases, MemoryGroups):
    """Every storage port in memory, for one event loop.

    Data is stored as bytes. Data that a database would refuse is refused here, too, and
    nothing that is returned is shared with the log.
    """

    def __init__(self) -> None:
        super().__init__()
        self._index = Index()
        self._commands: dict[str, StoredCommit] = {}  # by command id
        self._snapshots: dict[StreamId, Snapshot] = {}
        self._documents: dict[str, dict[str, ViewDocument]] = {}  # by collection and key
        self._armed: defaultdict[str, ArmedIndex] = defaultdict(ArmedIndex)  # by collection
        self._indexed: dict[str, dict[str, Mapping[str, IndexValue]]] = {}  # alike
        self._registrations: dict[str, Registration] = {}  # by collection
        self._appends = 0
        self._waiting: set[asyncio.Future[None]] = set()

    @classmethod
    def open(cls, url: str, bucket: str) -> Self:  # noqa: ARG003 - the object is the bucket
        """Return a new, empty store for ``memory://``.

        Raises:
            CompositionError: The URL is not ``memory://``.
        """
        check_url(url)
        return cls()

    async def diagnose(self) -> Sequence[Finding]:
        """See ``Diagnosable.diagnose``."""
        return [
            Finding.warning(
                "memory.store",
                "every event is lost when this process ends, and no other process sees it",
                "use a store that keeps events, such as mongodb://",
            )
        ]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Do nothing: there is nothing to close."""

    async def append(self, commit: Commit) -> StoredCommit:
        """See ``EventStore.append``."""
        self._appends += 1
        if self._appends % _BREATHE_EVERY == 0:
            # Nothing here ever waits, so a caller in a loop would starve every other task.
            await asyncio.sleep(0)
        commit = checked_commit(commit)
        data = _data_of(commit)
        if first := self._known(commit):
            return self._restored(first)
        versions = self._next_versions(commit)
        self._check_condition(commit)
        stored = unchecked_stored_commit(
            commit=commit, versions=versions, position=len(self._log) + 1
        )
        self._store(stored, data)
        return stored

    async def restore(self, commits: Sequence[StoredCommit]) -> None:
        """See ``EventStore.restore``."""
        await asyncio.sleep(0)
        for stored in checked_restored(commits):
            data = _data_of(stored.commit)
            self._check_place(stored)
            self._store(stored, data)

    def _check_place(self, stored: StoredCommit) -> None:
        commit = stored.commit
        there = self._log[stored.position - 1 : stored.position]
        first = self._commits.get(commit.id) or self._commands.get(commit.command_id or "")
        if there or first or stored.position > len(self._log) + 1:
            actual = there[0].commit if there else first
            raise LogsDiffer(stored.position, commit.id, actual.commit.id if actual else "")
        for part, version in zip(commit.parts, stored.versions, strict=True):
            end = len(self._streams.get(part.stream, ()))
            if version != end + 1:
                raise ConcurrencyError(part.stream, version - 1, end)

    def _store(self, stored: StoredCommit, data: Sequence[bytes]) -> None:
        commit = stored.commit
        number = 0
        for part, first in zip(commit.parts, stored.versions, strict=True):
            entries = self._streams.setdefault(part.stream, [])
            for version, event in enumerate(part.events, first):
                entry = Entry(stored, number, part.stream, version, event, data[number])
                self._log.append(entry)
                entries.append(entry)
                self._index.add(stored.position + number, event)
                number += 1
        self._add_to_conversation(stored)
        self._commits[commit.id] = stored
        if commit.command_id is not None:
            self._commands[commit.command_id] = stored
        self._wake()

    def _known(self, commit: Commit) -> StoredCommit | None:
        """Return the commit that is in the log under the id or command id of ``commit``."""
        first = self._commits.get(commit.id)
        if first is not None and commit.streams.isdisjoint(first.commit.streams):
            raise InvalidCommit(
                f"commit id {commit.id} of {commit.stream} names a commit of "
                f"{first.commit.stream}; make ids that are unique for ever"
            )
        if first is None and commit.command_id is not None:
            first = self._commands.get(commit.command_id)
            if first is not None and commit.streams.isdisjoint(first.commit.streams):
                raise CommandIdReused(commit.command_id, commit.stream, first.commit.stream)
        return first

    def _next_versions(self, commit: Commit) -> tuple[int, ...]:
        """Return the version of the first event of each part."""
        versions: list[int] = []
        for part in commit.parts:
            version = len(self._streams.get(part.stream, ()))
            expected = part.expected_version
            if expected is not None and expected != version:
                raise ConcurrencyError(part.stream, expected, version)
            versions.append(version + 1)
        return tuple(versions)

    def _check_condition(self, commit: Commit) -> None:
        if commit.condition is None:
            return
        after = commit.condition.after
        check_condition(commit, len(self._log))
        for position in self._index.positions(commit.condition.query, after + 1, len(self._log)):
            raise ConditionFailed(commit.stream, after, position)

    async def find(self, command_id: str) -> StoredCommit | None:
        """See ``EventStore.find``."""
        check_command_id(command_id)
        stored = self._commands.get(command_id)
        return stored and self._restored(stored)

    async def load(self, stream: StreamId, *, after_version: int = 0, limit: int = 1000) -> Slice:
        """See ``EventStore.load``."""
        check_stream(stream)
        check_page(limit, after_version=after_version)
        entries = self._streams.get(stream, [])[after_version : after_version + limit]
        if not entries:
            return Slice(events=(), version=0, position=0, event_id="", first_event_id="")
        first, last = entries[0], entries[-1]
        return unchecked_slice(
            events=data_of(entries),
            version=last.version,
            position=last.position,
            event_id=event_id(last.commit.commit.id, last.number),
            first_event_id=event_id(first.commit.commit.id, first.number),
        )

    async def history(
        self, stream: StreamId, *, after_version: int = 0, limit: int = 1000
    ) -> Sequence[StoredEvent]:
        """See ``EventStore.history``."""
        check_stream(stream)
        check_page(limit, after_version=after_version)
        return recorded(self._streams.get(stream, [])[after_version : after_version + limit])

    async def version_of(self, stream: StreamId) -> int:
        """See ``EventStore.version_of``."""
        check_stream(stream)
        return len(self._streams.get(stream, ()))

    async def read(self, query: Query | None = None, *, after: int = 0, limit: int = 1000) -> Page:
        """See ``EventStore.read``."""
        check_page(limit, after=after)
        head = len(self._log)
        if query is None:
            entries = self._log[after : after + limit]
        else:
            check_query(query)
            matching = self._index.positions(query, after + 1, head)
            entries = [self._log[position - 1] for position in islice(matching, limit)]
        return self._page(entries, limit, max(after, head))

    async def read_backwards(
        self, query: Query | None = None, *, before: int | None = None, limit: int = 1000
    ) -> Page:
        """See ``EventStore.read_backwards``."""
        check_page(limit, before=before)
        last = len(self._log) if before is None else min(before - 1, len(self._log))
        if query is None:
            entries = self._log[max(last - limit, 0) : last][::-1]
        else:
            check_query(query)
            matching = self._index.positions_backwards(query, last)
            entries = [self._log[position - 1] for position in islice(matching, limit)]
        return self._page(entries, limit, 1)

    async def follow(
        self, query: Query | None = None, *, after: int = 0, limit: int = 1000
    ) -> AsyncGenerator[Page, None]:
        """See ``EventStore.follow``."""
        while True:
            while (page := await self.read(query, after=after, limit=limit)).position > after:
                yield page
                after = page.position
            await self._growth()

    async def commits(self, *, after: int = 0, limit: int = 100) -> Sequence[StoredCommit]:
        """See ``EventStore.commits``."""
        check_page(limit, after=after)
        found: list[StoredCommit] = []
        place = after
        while place < len(self._log) and len(found) < limit:
            stored = self._log[place].commit
            if stored.position > after:
                found.append(self._restored(stored))
            place = stored.last_position
        return found

    async def head(self) -> int:
        """See ``EventStore.head``."""
        return len(self._log)

    async def load_snapshot(self, stream: StreamId) -> Snapshot | None:
        """See ``SnapshotStore.load_snapshot``."""
        check_stream(stream)
        kept = self._snapshots.get(stream)
        return kept and evolve(kept, data=loads(kept.data))

    async def save_snapshot(self, snapshot: Snapshot) -> None:
        """See ``SnapshotStore.save_snapshot``."""
        check_snapshot(snapshot)
        try:
            data = checked_bytes(snapshot.data)
        except ValueError as error:
            raise InvalidArgument(
                f"the snapshot of {snapshot.stream} is not JSON-compatible: {error}"
            ) from error
        self._snapshots[snapshot.stream] = evolve(snapshot, data=data)

    async def load_documents(
        self, collection: str, keys: Collection[str]
    ) -> Mapping[str, ViewDocument]:
        """See ``ViewStore.load_documents``."""
        check_collection(collection)
        check_keys(keys)
        kept = self._documents.get(collection, {})
        return {key: evolve(kept[key], data=loads(kept[key].data)) for key in keys if key in kept}

    async def load_parked(
        self, collection: str, *, after: str | None = None, limit: int = 100
    ) -> Sequence[ViewDocument]:
        """See ``ViewStore.load_parked``."""
        check_parked_page(collection, after, limit)
        kept = self._documents.get(collection, {})
        keys = sorted(
            key
            for key, each in kept.items()
            if each.parked is not None and (after is None or key > after)
        )
        return [evolve(kept[key], data=loads(kept[key].data)) for key in keys[:limit]]

    async def load_armed(
        self, collection: str, *, after: tuple[datetime, str] | None = None, limit: int = 100
    ) -> Sequence[ViewDocument]:
        """See ``ViewStore.load_armed``."""
        check_armed_page(collection, after, limit)
        kept = self._documents.get(collection, {})
        keys = self._armed[collection].keys(after, limit)
        return [evolve(kept[key], data=loads(kept[key].data)) for key in keys]

    async def save_documents(self, collection: str, writes: Sequence[ViewWrite]) -> frozenset[str]:
        """See ``ViewStore.save_documents``."""
        check_writes(collection, writes)
        kept = self._documents.setdefault(collection, {})
        armed = self._armed[collection]
        indexed = self._indexed.setdefault(collection, {})
        refused: set[str] = set()
        for write in writes:
            document = write.document
            stored = kept.get(document.key)
            there = (0, 0) if stored is None else (stored.position, stored.revision)
            if there == (write.replaces, write.replaces_revision):
                kept[document.key] = _kept(document)
                armed.move(document.key, stored.due if stored else None, document.due)
                if document.deleted or document.parked is not None:
                    indexed.pop(document.key, None)
                else:
                    indexed[document.key] = dict(write.indexed)
            elif there != (document.position, document.revision):
                refused.add(document.key)
        return frozenset(refused)

    async def create_indexes(
        self, collection: str, indexes: Sequence[Sequence[IndexField]]
    ) -> None:
        """See ``ViewStore.create_indexes``. Memory needs none."""
        check_indexes(collection, indexes)

    async def select_documents(self, collection: str, selection: Selection) -> Selected:
        """See ``ViewStore.select_documents``."""
        check_selection(collection, selection)
        kept = self._documents.get(collection, {})
        keys = select(self._indexed.get(collection, {}), selection)
        parked = (each for each in kept.values() if each.parked is not None)
        return Selected(
            documents=[evolve(kept[key], data=loads(kept[key].data)) for key in keys],
            position=self._checkpoints[collection][0].position,
            parked=sum(1 for _ in islice(parked, _MOST_PARKED)),
        )

    async def delete_documents(self, collection: str) -> None:
        """See ``ViewStore.delete_documents``."""
        check_collection(collection)
        self._documents.pop(collection, None)
        self._armed.pop(collection, None)
        self._indexed.pop(collection, None)

    async def register(self, registration: Registration) -> Registration:
        """See ``RegistrationStore.register``."""
        check_registration(registration)
        return self._registrations.setdefault(registration.collection, registration)

    async def registrations(self) -> Sequence[Registration]:
        """See ``RegistrationStore.registrations``."""
        return [self._registrations[name] for name in sorted(self._registrations)]

    async def drop_collection(self, collection: str) -> None:
        """See ``RegistrationStore.drop_collection``."""
        check_collection(collection)
        self._documents.pop(collection, None)
        self._armed.pop(collection, None)
        self._indexed.pop(collection, None)
        self._registrations.pop(collection, None)

    def _page(self, entries: Sequence[Entry], limit: int, end: int) -> Page:
        is_last = len(entries) < limit
        position = end if is_last else entries[-1].position
        there = self._log[position - 1 : position] if position else []
        return Page(
            events=recorded(entries),
            position=position,
            event_id=event_id(there[0].commit.commit.id, there[0].number) if there else "",
            is_last=is_last,
        )

    def _restored(self, stored: StoredCommit) -> StoredCommit:
        # The caller's data may have changed since. The log has not.
        events = iter(data_of(self._log[stored.position - 1 : stored.last_position]))
        parts = [
            evolve(part, events=[*islice(events, len(part.events))], expected_version=version - 1)
            for part, version in zip(stored.commit.parts, stored.versions, strict=True)
        ]
        return evolve(stored, commit=evolve(stored.commit, parts=parts, condition=None))

    async def _growth(self) -> None:
        grown: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(grown)
        try:
            await grown
        finally:
            self._waiting.discard(grown)

    def _wake(self) -> None:
        for grown in self._waiting:
            if not grown.done():
                grown.set_result(None)


def check_url(url: str) -> None:
    """Check that a URL is ``memory://``."""
    if url != "memory://":
        raise CompositionError("a memory URL must be exactly memory://")


def _kept(document: ViewDocument) -> ViewDocument:
    """Return a document as it is kept: its data as bytes, and its times in UTC."""
    deadlines = [evolve(each, due=each.due.astimezone(UTC)) for each in document.deadlines]
    return evolve(document, data=packed(document.data), deadlines=deadlines)


def _data_of(commit: Commit) -> list[bytes]:
    data: list[bytes] = []
    for event in commit.events:
        try:
            data.append(checked_bytes(event.data))
        except ValueError as error:
            raise InvalidCommit(
                f"the data of {event.type} for {commit.stream} is not JSON-compatible: {error}"
            ) from error
    return data
