"""The collections of one bucket. All operations on them are bounded in time and ordered."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from math import inf
from typing import Any, TypeAlias

import pymongo
from attrs import frozen
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument
from bson.timestamp import Timestamp
from pymongo import ASCENDING, DESCENDING, AsyncMongoClient, ReadPreference, WriteConcern
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import AutoReconnect, ConfigurationError
from pymongo.read_concern import ReadConcern

from eventhus import StreamId
from eventhus.adapter_support import keeping_cancellations
from eventhus_mongo.commits import (
    CORRELATION,
    PLACE,
    Span,
    log_span,
    readable_event_id,
    stream_filter,
)
from eventhus_mongo.documents import (
    OPTIONS,
    RAW,
    Document,
    UnknownFormat,
    bounds_of,
    chunks_of,
    decode_reply,
)
from eventhus_mongo.in_flight import CallsInFlight

Client: TypeAlias = AsyncMongoClient[Document]

TIMEOUT_S = 30.0  # the driver's default for serverSelectionTimeoutMS
# A failover takes back what no majority has. A commit that was appended after it would leave a gap,
# so nothing is read, or counted as written, below majority.
READ_CONCERN = ReadConcern("majority")
WRITE_CONCERN = WriteConcern("majority", j=True)
# The versions descend, so that the first entry of a stream is its last commit. In the other order,
# the server would read and sort the whole stream to find it.
STREAM_KEYS = (("parts.type", ASCENDING), ("parts.id", ASCENDING), ("parts.version", DESCENDING))
TAGS_KEYS = (("events.tags", ASCENDING), ("events.type", ASCENDING), ("_id", ASCENDING))
CONVERSATION_KEYS = ((CORRELATION, ASCENDING), ("_id", ASCENDING))
_NO_SESSIONS = "Sessions are not supported"  # every server that this adapter accepts supports them


@frozen
class Tail:
    """The end of the log, or of a part of it.

    Attributes:
        position: The position of the last event; 0 if there is none.
        event_id: The id of that event; empty if there is none, or if it cannot be read.
    """

    position: int = 0
    event_id: str = ""


@frozen
class RawReply:
    """Documents in one reply of the server, as it sent them.

    Attributes:
        chunks: The documents, a few in each.
        first: The first of them; empty if there is none.
        last: The last of them; empty if there is none.
        is_cut: Whether there may be more.
    """

    chunks: Sequence[bytes] = ()
    first: bytes = b""
    last: bytes = b""
    is_cut: bool = False


@frozen
class Reply:
    """Documents in one reply of the server, which is at most 16 MB.

    Attributes:
        documents: The documents, in order.
        is_cut: Whether there may be more.
    """

    documents: list[Document]
    is_cut: bool


class Connection:
    """A bucket's collections on one client.

    Attributes:
        bucket: The name of the bucket and of the database.
        timeout_s: The limit for one operation with its retries, in seconds: the client's
            ``timeoutMS``, or 30.
        events: The log: one document per commit.
        snapshots: One document per stream.
        checkpoints: One document per reader of the log.
        leases: One document per lease.
        groups: One document per group that reads the log.
        letters: One document per dead letter of these groups.
        calls: The calls in flight.
        indexed: The collections whose indexes are known to have been created.
    """

    def __init__(self, client: Client, bucket: str) -> None:
        self.bucket = bucket
        self.client = client
        self.timeout_s = client.options.timeout or TIMEOUT_S
        self._collections: dict[str, AsyncCollection[Document]] = {}
        self._snapshots: dict[str, AsyncCollection[RawBSONDocument]] = {}
        self.events = self.collection("events")
        self.snapshots = self.collection("snapshots")
        self.checkpoints = self.collection("checkpoints")
        self.leases = self.collection("leases")
        self.groups = self.collection("groups")
        self.letters = self.collection("dead_letters")
        self.calls = CallsInFlight(bucket)
        self.indexed: set[str] = set()
        self._seen: Timestamp | None = None

    @property
    def seen(self) -> Timestamp | None:
        """The latest operation time; ``None`` before any operation, and on a standalone."""
        return self._seen

    @asynccontextmanager
    async def operation(self, *, is_long: bool = False) -> AsyncIterator[AsyncClientSession]:
        """Open a session for one exchange with the server. Later ones never see an older state.

        Majority alone does not promise monotonic reads: a new primary may show a majority's past
        for a moment. Each session therefore continues from the latest operation time. The exchange
        takes at most ``timeout_s``, and less inside another ``pymongo.timeout``. A long one,
        such as the building of an index, may take any time.
        """
        with keeping_cancellations(), pymongo.timeout(None if is_long else self.timeout_s):
            async with self.client.start_session(causal_consistency=True) as session:
                if self._seen is not None:
                    session.advance_operation_time(self._seen)
                try:
                    yield session
                except ConfigurationError as error:
                    if _NO_SESSIONS not in str(error):
                        raise
                    await self._reconnect()
                    raise AutoReconnect("connected while the server changed its role") from error
                finally:
                    seen = session.operation_time  # None on a standalone server
                    if seen is not None and (self._seen is None or seen > self._seen):
                        self._seen = seen

    async def _reconnect(self) -> None:
        """Make the driver open new connections, and close the current ones when they are returned.

        The driver treats a connection that was opened while a primary stepped down as one without
        sessions for as long as it is open, even if that server becomes the primary again. There is
        no public call for this.
        """
        for server in list(self.client._topology._servers.values()):  # noqa: SLF001
            await server.pool.reset_without_pause()

    async def last(
        self, key: Mapping[str, Any], *, projection: Sequence[str] | None = None
    ) -> Document | None:
        """Return the matching document of ``events`` with the highest position."""
        async with self.operation() as session:
            return await self.events.find_one(
                key, sort=[("_id", DESCENDING)], projection=projection, session=session
            )

    async def last_of(
        self,
        stream: StreamId,
        *,
        up_to: int | None = None,
        projection: Sequence[str] | None = None,
    ) -> Document | None:
        """Return the last commit of a stream, or the last that begins at or before a version."""
        versions = {} if up_to is None else {"version": {"$lte": up_to}}
        async with self.operation() as session:
            # No sort: MongoDB does not see that the entries of an array are in order already.
            return await self.events.find_one(
                stream_filter(stream, **versions),
                hint=STREAM_KEYS,
                projection=projection,
                session=session,
            )

    async def holder_of(self, stream: StreamId, version: int) -> Document | None:
        """Return the ``_id`` of the document that keeps others from a version of a stream."""
        names = [("parts.type", stream.aggregate_type), ("parts.id", stream.aggregate_id)]
        async with self.operation() as session:
            # Bounds of the index instead of a filter, which tests the parts and not the entries.
            found = self.events.find(hint=STREAM_KEYS, limit=1, projection=["_id"], session=session)
            found.min([*names, ("parts.version", version)])
            found.max([*names, ("parts.version", version - 1)])  # the versions descend
            return next(iter(await found.to_list()), None)

    async def tail(self, *, up_to: int | None = None) -> Tail:
        """Return the end of the log, or of its commits that begin at or before a position.

        Raises:
            PyMongoError: The driver's errors.
            UnknownFormat: The last document was not written by this version of the library.
        """
        key = {} if up_to is None else {"_id": {"$lte": up_to}}
        try:
            document = await self.last(key, projection=PLACE)
        except BSONError as error:
            raise UnknownFormat(
                f"the last document of the log is not valid BSON ({type(error).__name__}); "
                f"repair it"
            ) from None
        if document is None:
            return Tail()
        return end_of(log_span(document))

    async def first_reply(
        self,
        key: Mapping[str, Any],
        *,
        limit: int,
        collection: AsyncCollection[Document] | None = None,
        **options: Any,
    ) -> Reply:
        """Return the first ``limit`` matching documents, or as many as fit into one reply.

        They are those of ``events`` unless another collection is given.
        """
        found = self.events if collection is None else collection
        reply, is_alive = await self._first_reply(found, key, limit, options)
        documents = decode_reply(reply)
        return Reply(documents, is_cut=is_alive or len(documents) == limit)

    async def first_raw_reply(
        self, key: Mapping[str, Any], *, limit: int, **options: Any
    ) -> RawReply:
        """Return the first ``limit`` matching commits as ``first_reply`` does, not decoded."""
        reply, is_alive = await self._first_reply(self.events, key, limit, options)
        if not reply:
            return RawReply()
        bounds = bounds_of(reply)
        return RawReply(
            chunks_of(reply, bounds),
            first=reply[: bounds[1]],
            last=reply[bounds[-2] :],
            is_cut=is_alive or len(bounds) - 1 == limit,
        )

    async def _first_reply(
        self,
        collection: AsyncCollection[Document],
        key: Mapping[str, Any],
        limit: int,
        options: Mapping[str, Any],
    ) -> tuple[bytes, bool]:
        """Return the first reply, and whether the server has more; empty if nothing matches."""
        async with self.operation() as session:
            replies: Any = collection.find_raw_batches(
                key, session=session, limit=limit, batch_size=limit + 1, **options
            )
            async with replies:
                async for reply in replies:
                    return reply, replies.alive
        return b"", False

    async def find_all(
        self, key: Mapping[str, Any], session: AsyncClientSession, **options: Any
    ) -> list[Document]:
        """Return the matching documents of ``events``. The options are those of ``find``.

        Each reply of the server is decoded at once. With a custom type decoder, the driver itself
        takes four times as long for each document. A document that is not valid BSON is marked, so
        that it fails only the caller that asked for it.
        """
        reply = await self.find_within(inf, key, session, **options)
        return reply.documents

    async def find_within(
        self, max_bytes: float, key: Mapping[str, Any], session: AsyncClientSession, **options: Any
    ) -> Reply:
        """Return what ``find_all`` does, or less if it takes more than so many bytes."""
        documents: list[Document] = []
        replies: Any = self.events.find_raw_batches(key, session=session, **options)
        size_bytes = 0
        async for reply in replies:
            size_bytes += len(reply)
            if size_bytes > max_bytes:
                return Reply(documents, is_cut=True)
            documents += decode_reply(reply)
        return Reply(documents, is_cut=False)

    def collection(self, name: str) -> AsyncCollection[Document]:
        """Return a collection of the bucket, read and written at majority."""
        if name not in self._collections:  # making one takes a tenth of the time of a question
            self._collections[name] = self._made(name)
        return self._collections[name]

    def snapshot(self, name: str) -> AsyncCollection[RawBSONDocument]:
        """Return a collection that is read, undecoded, from a snapshot of what a majority has."""
        if name not in self._snapshots:
            self._snapshots[name] = self._made(name).with_options(
                codec_options=RAW, read_concern=ReadConcern("snapshot")
            )
        return self._snapshots[name]

    def _made(self, name: str) -> AsyncCollection[Document]:
        return self.client.get_database(self.bucket).get_collection(
            name,
            codec_options=OPTIONS,
            read_preference=ReadPreference.PRIMARY,
            read_concern=READ_CONCERN,
            write_concern=WRITE_CONCERN,
        )


def end_of(span: Span, position: int | None = None) -> Tail:
    """Return the end of a commit, or a position as the end, which has an id if it is in it."""
    position = span.last if position is None else position
    is_in = span.first <= position <= span.last
    return Tail(position, readable_event_id(span.document, position - span.first) if is_in else "")
