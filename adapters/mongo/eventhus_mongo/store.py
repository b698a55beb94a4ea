"""The store as an application sees it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import Self

import pymongo
from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from eventhus import StreamId
from eventhus.adapter_support import check_collection, check_page, check_ttl, check_writes
from eventhus.errors import CompositionError, NotRunning
from eventhus.ports import (
    Checkpoint,
    Commit,
    Lease,
    Slice,
    Snapshot,
    StoredCommit,
    StoredEvent,
    ViewDocument,
    ViewWrite,
)
from eventhus_mongo import leases, views
from eventhus_mongo.appender import Appender
from eventhus_mongo.bucket import check_name, prepare
from eventhus_mongo.connection import Client, Connection
from eventhus_mongo.documents import ENVELOPE, decode_snapshot, encode_snapshot, stream_key
from eventhus_mongo.driver_errors import translated
from eventhus_mongo.known_versions import StreamEnds
from eventhus_mongo.loader import Loader
from eventhus_mongo.pages import recorded, slice_of
from eventhus_mongo.reader import LogReader
from eventhus_mongo.wakeups import Wakeups


class _Running:
    """What a store is made of between being entered and being left."""

    def __init__(self, client: Client, bucket: str) -> None:
        self.connection = Connection(client, bucket)
        ends = StreamEnds()
        self.wakeups = Wakeups(self.connection)
        self.appender = Appender(self.connection, ends)
        self.loader = Loader(self.connection, ends, without=ENVELOPE)
        self.histories = Loader(self.connection, ends)
        self.reader = LogReader(self.connection, self.wakeups)


class MongoStore:
    """Implements every storage port in a MongoDB database, which is named as its bucket.

    Every operation waits for the server no longer than the client's ``timeoutMS``, by default
    30 seconds, and is tried again as long as that allows: a replica set may meanwhile choose
    another primary. Writes are acknowledged by a majority, journaled, and reads see what a
    majority has, whatever the client says of these.

    Besides what the ports list, every operation raises:

    - ``StoreUnavailable``: The server could not be reached, or did not answer in time. An
      ``append`` that was sent by then raises ``OutcomeUnknown`` instead.
    - ``AccessDenied``: The server refused the credentials, or they lack a right.
    - ``IncompatibleBucket``: The collection holds what no known version of this library wrote.
    - ``LogCorrupted``: Commits are missing.
    - ``NotRunning``: The store has not been entered, or has been left.

    ``append`` also raises ``CommitTooLarge``, for a commit beyond 16 MiB.

    Args:
        client: Connects to MongoDB. It stays the caller's, to be closed after the store is left.
        bucket: The name of the database.

    Raises:
        InvalidArgument: The bucket cannot be the name of a database.
    """

    def __init__(self, client: Client, bucket: str) -> None:
        check_name(bucket)
        self._bucket = bucket
        self._connect: Callable[[], Client] = lambda: client
        self._owns_client = False
        self._entered = 0
        self._entering = asyncio.Lock()
        self._running: _Running | None = None

    @classmethod
    def open(cls, url: str, bucket: str) -> Self:
        """A store that connects by itself when it is entered, and closes when it is left.

        Args:
            url: A MongoDB connection string. Its options are the driver's.
            bucket: The name of the database, whichever the URL may name for authentication.

        Raises:
            CompositionError: The driver does not accept the URL.
            InvalidArgument: The bucket cannot be the name of a database.
        """
        connect = partial(_connect, url, bucket)
        store = cls(connect(), bucket)  # so a wrong URL is told here and now
        store._connect, store._owns_client = connect, True
        return store

    def __repr__(self) -> str:
        return f"{type(self).__name__}(bucket={self._bucket!r})"

    async def __aenter__(self) -> Self:
        """Connect, and look at the bucket before anything is written.

        Raises:
            StoreUnavailable: The server cannot be reached.
            AccessDenied: The credentials are refused, or lack a right.
            IncompatibleBucket: The bucket holds something else, what a newer version of this
                library wrote, or an index that stands in the way of ours.
            CompositionError: The connection cannot be set up as the URL says.
        """
        async with self._entering:
            if self._running is None:
                running = _Running(self._connect(), self._bucket)
                try:
                    await prepare(running.connection)
                except BaseException:
                    await self._close(running)
                    raise
                self._running = running
            self._entered += 1
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Left as often as entered: let what is under way come to its end, and disconnect."""
        async with self._entering:
            self._entered -= 1
            if self._entered == 0 and self._running is not None:
                running, self._running = self._running, None
                await self._close(running)

    async def append(self, commit: Commit) -> StoredCommit:
        """See ``EventStore.append``."""
        running = self._here()
        with running.connection.calls:
            stored = await running.appender.append(commit)
            running.wakeups.grown(stored.last_position)
            return stored

    async def find(self, command_id: str) -> StoredCommit | None:
        """See ``EventStore.find``."""
        running = self._here()
        with running.connection.calls:
            return await running.appender.find({"command_id": command_id})

    async def load(self, stream: StreamId, *, after_version: int = 0, limit: int = 1000) -> Slice:
        """See ``EventStore.load``."""
        check_page(limit, after_version=after_version)
        running = self._here()
        with running.connection.calls, translated(self._bucket):
            documents = await running.loader.load(stream, after_version, limit)
            return slice_of(documents, after_version, limit)

    async def history(
        self, stream: StreamId, *, after_version: int = 0, limit: int = 1000
    ) -> Sequence[StoredEvent]:
        """See ``EventStore.history``."""
        check_page(limit, after_version=after_version)
        running = self._here()
        with running.connection.calls, translated(self._bucket):
            documents = await running.histories.load(stream, after_version, limit)
            return recorded(documents, "version", after_version, limit)

    async def read(self, *, after: int = 0, limit: int = 1000) -> Sequence[StoredEvent]:
        """See ``EventStore.read``."""
        check_page(limit, after=after)
        running = self._here()
        with running.connection.calls:
            return await running.reader.read(after, limit)

    async def follow(
        self, *, after: int = 0, limit: int = 1000
    ) -> AsyncGenerator[Sequence[StoredEvent], None]:
        """See ``EventStore.follow``."""
        check_page(limit, after=after)
        async for batch in self._here().reader.follow(after, limit):
            yield batch

    async def head(self) -> int:
        """See ``EventStore.head``."""
        running = self._here()
        with running.connection.calls, translated(self._bucket):
            return await running.appender.tail()

    async def load_snapshot(self, stream: StreamId) -> Snapshot | None:
        """See ``SnapshotStore.load_snapshot``."""
        running = self._here()
        with running.connection.calls, translated(self._bucket):
            async with running.connection.operation() as session:
                document = await running.connection.snapshots.find_one(
                    {"_id": stream_key(stream)}, session=session
                )
            return None if document is None else decode_snapshot(document)

    async def save_snapshot(self, snapshot: Snapshot) -> None:
        """See ``SnapshotStore.save_snapshot``."""
        document = encode_snapshot(snapshot)
        running = self._here()
        with running.connection.calls, translated(self._bucket):
            async with running.connection.operation() as session:
                await running.connection.snapshots.replace_one(
                    {"_id": document["_id"]}, document, upsert=True, session=session
                )

    async def load_checkpoint(self, name: str) -> Checkpoint:
        """See ``CheckpointStore.load_checkpoint``."""
        running = self._here()
        with running.connection.calls, translated(self._bucket):
            return await leases.load_checkpoint(running.connection, name)

    async def save_checkpoint(
        self, name: str, position: int, *, event_id: str = "", token: int = 0
    ) -> None:
        """See ``CheckpointStore.save_checkpoint``."""
        running = self._here()
        with running.connection.calls, translated(self._bucket):
            checkpoint = Checkpoint(position, event_id)
            await leases.save_checkpoint(running.connection, name, checkpoint, token)

    async def load_documents(
        self, collection: str, keys: Collection[str]
    ) -> Mapping[str, ViewDocument]:
        """See ``ViewStore.load_documents``."""
        check_collection(collection)
        running = self._here()
        with running.connection.calls, translated(self._bucket):
            return await views.load(running.connection, collection, keys)

    async def save_documents(self, collection: str, writes: Sequence[ViewWrite]) -> frozenset[str]:
        """See ``ViewStore.save_documents``."""
        check_writes(collection, writes)
        encoded = [views.encode(collection, write) for write in writes]
        running = self._here()
        with running.connection.calls, translated(self._bucket):
            return await views.save(running.connection, collection, encoded)

    async def delete_documents(self, collection: str) -> None:
        """See ``ViewStore.delete_documents``."""
        check_collection(collection)
        running = self._here()
        with running.connection.calls, translated(self._bucket):
            await views.delete(running.connection, collection)

    async def acquire(self, name: str, owner: str, *, ttl_s: float) -> Lease | None:
        """See ``Leases.acquire``. Times are counted in milliseconds."""
        check_ttl(ttl_s)
        running = self._here()
        with running.connection.calls, translated(self._bucket):
            return await leases.acquire(running.connection, name, owner, ttl_s)

    async def release(self, lease: Lease) -> None:
        """See ``Leases.release``."""
        running = self._here()
        with running.connection.calls, translated(self._bucket):
            await leases.release(running.connection, lease)

    def _here(self) -> _Running:
        if self._running is None:
            raise NotRunning(
                f"the store of bucket {self._bucket!r} is used before async with entered it, or "
                f"after it was left"
            )
        return self._running

    async def _close(self, running: _Running) -> None:
        await running.wakeups.close()
        await running.connection.calls.close()
        await running.appender.drain()
        if self._owns_client:
            # It says good-bye to servers that may not be there any more.
            with pymongo.timeout(running.connection.timeout_s):
                await running.connection.client.close()


def _connect(url: str, bucket: str) -> Client:
    try:
        return AsyncMongoClient(url)
    except (PyMongoError, ValueError, OSError) as error:
        # What the driver says of a URL may quote its password.
        raise CompositionError(
            f"the driver does not accept the URL for bucket {bucket!r}: {type(error).__name__}; "
            f"it has the form mongodb://user:password@host:27017/?option=value, with user and "
            f"password percent-encoded, and options that pymongo knows"
        ) from None
