"""The store: every storage port of one bucket, in MongoDB."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from datetime import datetime
from functools import partial

import pymongo

from eventhus import Query, StreamId
from eventhus.adapter_support import (
    check_armed_page,
    check_checkpoint,
    check_collection,
    check_command_id,
    check_event_id,
    check_group,
    check_group_start,
    check_groups_page,
    check_indexes,
    check_keys,
    check_lease,
    check_leases_page,
    check_letter_number,
    check_letters_page,
    check_page,
    check_parked_page,
    check_query,
    check_reader,
    check_registration,
    check_related_page,
    check_saved_letter,
    check_selection,
    check_snapshot,
    check_stream,
    check_streams_page,
    check_ttl,
    check_writes,
)
from eventhus.errors import CompositionError
from eventhus.ports import (
    Checkpoint,
    Commit,
    DamagedLease,
    DamagedRegistration,
    DeadLetter,
    Finding,
    HeldLease,
    IndexField,
    Lease,
    Message,
    Page,
    Registration,
    Selected,
    Selection,
    Slice,
    Snapshot,
    StoredCommit,
    StoredEvent,
    StreamEnd,
    ViewDocument,
    ViewWrite,
)
from eventhus_mongo import groups, leases, registrations, selecting, snapshots, views
from eventhus_mongo.connection import Client
from eventhus_mongo.diagnosis import CONNECTION, diagnose
from eventhus_mongo.in_flight import CallsInFlight
from eventhus_mongo.pages import recorded, slice_of
from eventhus_mongo.store_base import CUT_OFF_S, StoreBase


class MongoStore(StoreBase):
    """Every storage port in one MongoDB database, which has the name of the bucket.

    Every operation is retried for at most the client's ``timeoutMS``, by default 30 seconds, since
    a replica set may be electing a new primary. Writes are journaled and acknowledged by a
    majority, and reads see what a majority has, whatever the client's own settings are.

    Besides the errors of the ports, every operation raises:

    - ``StoreUnavailable``: The server could not be reached, or did not answer in time. An
      ``append`` that was already sent raises ``OutcomeUnknown`` instead.
    - ``AccessDenied``: The server refused the credentials, or they lack a right.
    - ``IncompatibleBucket``: A document was not written by this version of the library, or a unique
      index of another program refuses one.
    - ``LogCorrupted``: Commits are missing.
    - ``NotRunning``: The store has not been entered, or has been left.

    ``append`` also raises ``CommitTooLarge`` for a commit beyond 16 MiB.

    Args:
        client: Connects to MongoDB. The caller closes it after the store is left.
        bucket: The name of the database.

    Raises:
        InvalidArgument: The bucket cannot be the name of a database.
        CompositionError: The client has a pool of one connection.
    """

    async def append(self, commit: Commit) -> StoredCommit:
        """See ``EventStore.append``."""
        with self._sending(commit) as running:
            stored = await running.appender.append(commit)
            running.wakeups.grown(stored.last_position)
            return stored

    async def find(self, command_id: str) -> StoredCommit | None:
        """See ``EventStore.find``."""
        check_command_id(command_id)
        with self._calling() as running:
            return await running.commands.find(command_id)

    async def load(self, stream: StreamId, *, after_version: int = 0, limit: int = 1000) -> Slice:
        """See ``EventStore.load``."""
        check_stream(stream)
        check_page(limit, after_version=after_version)
        with self._calling() as running:
            found = await running.loader.load(stream, after_version, limit)
            return slice_of(found.spans, after_version, limit, stream, is_cut=found.is_cut)

    async def history(
        self, stream: StreamId, *, after_version: int = 0, limit: int = 1000
    ) -> Sequence[StoredEvent]:
        """See ``EventStore.history``."""
        check_stream(stream)
        check_page(limit, after_version=after_version)
        with self._calling() as running:
            events: list[StoredEvent] = []
            is_cut = True
            while is_cut and len(events) < limit:
                after, rest = after_version + len(events), limit - len(events)
                found = await running.histories.load(stream, after, rest)
                page = recorded(found.spans, after, rest, stream)
                is_cut = found.is_cut and bool(page)
                events += page
            return events

    async def version_of(self, stream: StreamId) -> int:
        """See ``EventStore.version_of``."""
        check_stream(stream)
        return await self._call(lambda running: running.lookups.end_of(stream))

    async def read(self, query: Query | None = None, *, after: int = 0, limit: int = 1000) -> Page:
        """See ``EventStore.read``."""
        _check_reading(query, limit, after=after)
        return await self._call(lambda running: running.reader.read(query, after, limit))

    async def read_backwards(
        self, query: Query | None = None, *, before: int | None = None, limit: int = 1000
    ) -> Page:
        """See ``EventStore.read_backwards``."""
        _check_reading(query, limit, before=before)
        return await self._call(lambda running: running.reader.read_backwards(query, before, limit))

    async def follow(
        self, query: Query | None = None, *, after: int = 0, limit: int = 1000
    ) -> AsyncGenerator[Page, None]:
        """See ``EventStore.follow``."""
        _check_reading(query, limit, after=after)
        async for page in self._here().reader.follow(query, after, limit):
            yield page

    async def commits(self, *, after: int = 0, limit: int = 100) -> Sequence[StoredCommit]:
        """See ``EventStore.commits``."""
        check_page(limit, after=after)
        return await self._call(lambda running: running.reader.commits(after, limit))

    async def restore(self, commits: Sequence[StoredCommit]) -> None:
        """See ``EventStore.restore``."""
        if not commits:
            return
        with self._sending(commits[0].commit) as running:
            await running.connection.calls.carry_out(partial(running.restorer.restore, commits))
            running.wakeups.grown(commits[-1].last_position)

    async def head(self) -> int:
        """See ``EventStore.head``."""
        tail = await self._call(lambda running: running.connection.tail())
        return tail.position

    async def find_event(self, event_id: str) -> StoredEvent | None:
        """See ``Inspection.find_event``."""
        check_event_id(event_id)
        return await self._call(lambda running: running.inspector.find_event(event_id))

    async def related(
        self, correlation_id: str, *, after: int = 0, limit: int = 100
    ) -> Sequence[StoredEvent]:
        """See ``Inspection.related``."""
        check_related_page(correlation_id, after, limit)
        return await self._call(
            lambda running: running.inspector.related(correlation_id, after, limit)
        )

    async def streams(
        self,
        *,
        stream_type: str | None = None,
        prefix: str = "",
        after: StreamId | None = None,
        limit: int = 100,
    ) -> Sequence[StreamEnd]:
        """See ``Inspection.streams``."""
        check_streams_page(stream_type, prefix, after, limit)
        return await self._call(
            lambda running: running.inspector.streams(stream_type, prefix, after, limit)
        )

    async def load_snapshot(self, stream: StreamId) -> Snapshot | None:
        """See ``SnapshotStore.load_snapshot``."""
        check_stream(stream)
        return await self._call(lambda running: snapshots.load(running.connection, stream))

    async def save_snapshot(self, snapshot: Snapshot) -> None:
        """See ``SnapshotStore.save_snapshot``."""
        check_snapshot(snapshot)
        document = snapshots.encode(snapshot)
        await self._call(lambda running: snapshots.save(running.connection, document))

    async def load_checkpoint(self, name: str) -> Checkpoint:
        """See ``CheckpointStore.load_checkpoint``."""
        check_reader(name)
        return await self._call(lambda running: leases.load_checkpoint(running.connection, name))

    async def save_checkpoint(
        self,
        name: str,
        position: int,
        *,
        event_id: str = "",
        token: int = 0,
        done: Sequence[tuple[int, int]] = (),
    ) -> None:
        """See ``CheckpointStore.save_checkpoint``."""
        checkpoint = Checkpoint(position, event_id, done)
        check_checkpoint(name, checkpoint, token)
        await self._call(
            lambda running: leases.save_checkpoint(running.connection, name, checkpoint, token)
        )

    async def forget_checkpoint(self, name: str, *, token: int = 0) -> None:
        """See ``CheckpointStore.forget_checkpoint``."""
        check_checkpoint(name, Checkpoint(), token)
        await self._call(lambda running: leases.forget_checkpoint(running.connection, name, token))

    async def load_documents(
        self, collection: str, keys: Collection[str]
    ) -> Mapping[str, ViewDocument]:
        """See ``ViewStore.load_documents``."""
        check_collection(collection)
        check_keys(keys)
        return await self._call(lambda running: views.load(running.connection, collection, keys))

    async def load_parked(
        self, collection: str, *, after: str | None = None, limit: int = 100
    ) -> Sequence[ViewDocument]:
        """See ``ViewStore.load_parked``."""
        check_parked_page(collection, after, limit)
        return await self._call(
            lambda running: views.load_parked(running.connection, collection, after, limit)
        )

    async def load_armed(
        self, collection: str, *, after: tuple[datetime, str] | None = None, limit: int = 100
    ) -> Sequence[ViewDocument]:
        """See ``ViewStore.load_armed``."""
        check_armed_page(collection, after, limit)
        return await self._call(
            lambda running: views.load_armed(running.connection, collection, after, limit)
        )

    async def save_documents(self, collection: str, writes: Sequence[ViewWrite]) -> frozenset[str]:
        """See ``ViewStore.save_documents``."""
        check_writes(collection, writes)
        encoded = [views.encode(collection, write) for write in writes]
        with self._calling() as running:
            return await running.documents.save(collection, encoded)

    async def create_indexes(
        self, collection: str, indexes: Sequence[Sequence[IndexField]]
    ) -> None:
        """See ``ViewStore.create_indexes``."""
        check_indexes(collection, indexes)
        await self._call(lambda running: selecting.create(running.connection, collection, indexes))

    async def select_documents(self, collection: str, selection: Selection) -> Selected:
        """See ``ViewStore.select_documents``."""
        check_selection(collection, selection)
        return await self._call(
            lambda running: selecting.select(running.connection, collection, selection)
        )

    async def delete_documents(self, collection: str) -> None:
        """See ``ViewStore.delete_documents``."""
        check_collection(collection)
        await self._call(lambda running: views.delete(running.connection, collection))

    async def register(self, registration: Registration) -> Registration:
        """See ``RegistrationStore.register``."""
        check_registration(registration)
        return await self._call(
            lambda running: registrations.register(running.connection, registration)
        )

    async def registrations(self) -> Sequence[Registration | DamagedRegistration]:
        """See ``RegistrationStore.registrations``."""
        return await self._call(lambda running: registrations.find_all(running.connection))

    async def drop_collection(self, collection: str) -> None:
        """See ``RegistrationStore.drop_collection``."""
        check_collection(collection)
        await self._call(lambda running: registrations.drop(running.connection, collection))

    async def create_group(self, group: str, start: Checkpoint) -> Checkpoint:
        """See ``GroupStore.create_group``."""
        check_group_start(group, start)
        return await self._call(lambda running: groups.create(running.connection, group, start))

    async def load_group(self, group: str) -> Checkpoint | None:
        """See ``GroupStore.load_group``."""
        check_group(group)
        return await self._call(lambda running: groups.load(running.connection, group))

    async def delete_group(self, group: str) -> None:
        """See ``GroupStore.delete_group``."""
        check_group(group)
        await self._call(lambda running: groups.delete(running.connection, group))

    async def groups(self, *, after: str = "", limit: int = 100) -> Sequence[str]:
        """See ``GroupStore.groups``."""
        check_groups_page(after, limit)
        return await self._call(lambda running: groups.names(running.connection, after, limit))

    async def count_letters(self, group: str, *, limit: int) -> int:
        """See ``GroupStore.count_letters``."""
        check_letters_page(group, 0, limit)
        return await self._call(
            lambda running: groups.count_letters(running.connection, group, limit)
        )

    async def save_letter(self, group: str, message: Message) -> None:
        """See ``GroupStore.save_letter``."""
        check_saved_letter(group, message)
        letter = groups.encode(message)
        await self._call(lambda running: groups.save_letter(running.connection, group, letter))

    async def load_letters(
        self, group: str, *, after: int = 0, limit: int = 100
    ) -> Sequence[DeadLetter]:
        """See ``GroupStore.load_letters``."""
        check_letters_page(group, after, limit)
        return await self._call(
            lambda running: groups.load_letters(running.connection, group, after, limit)
        )

    async def delete_letter(self, group: str, number: int) -> None:
        """See ``GroupStore.delete_letter``."""
        check_letter_number(group, number)
        await self._call(lambda running: groups.delete_letter(running.connection, group, number))

    async def acquire(self, name: str, owner: str, *, ttl_s: float) -> Lease | None:
        """See ``Leases.acquire``. The resolution is a millisecond."""
        check_reader(name, owner)
        check_ttl(ttl_s)
        return await self._call(
            lambda running: leases.acquire(running.connection, name, owner, ttl_s)
        )

    async def release(self, lease: Lease) -> None:
        """See ``Leases.release``."""
        check_lease(lease)
        await self._call(lambda running: leases.release(running.connection, lease))

    async def diagnose(self) -> Sequence[Finding]:
        """See ``Diagnosable.diagnose``. It takes its own connections, as the application will."""
        try:
            client = self._connect()
        except CompositionError as error:
            return [Finding.error(CONNECTION, str(error), "correct the URL")]
        return await CallsInFlight(self._bucket).carry_out(partial(self._diagnose, client))

    async def _diagnose(self, client: Client) -> Sequence[Finding]:
        try:
            return await diagnose(client, self._bucket)
        finally:
            if self._owns_client:
                with pymongo.timeout(CUT_OFF_S):
                    await client.close()

    async def leases(
        self, *, after: str | None = None, limit: int = 100
    ) -> Sequence[HeldLease | DamagedLease]:
        """See ``Leases.leases``."""
        check_leases_page(after, limit)
        return await self._call(lambda running: leases.find_held(running.connection, after, limit))


def _check_reading(
    query: Query | None, limit: int, *, after: int = 0, before: int | None = None
) -> None:
    check_page(limit, after=after, before=before)
    if query is not None:
        check_query(query)
