"""The collections of one bucket, and how all work on them is bounded in time and ordered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import bson
import pymongo
from bson.timestamp import Timestamp
from pymongo import DESCENDING, AsyncMongoClient, ReadPreference, WriteConcern
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import AutoReconnect, ConfigurationError
from pymongo.read_concern import ReadConcern

from eventhus_mongo.documents import OPTIONS, Count, Document
from eventhus_mongo.in_flight import Calls

Client: TypeAlias = AsyncMongoClient[Document]

TIMEOUT_S = 30.0  # the driver's own patience in looking for a server, serverSelectionTimeoutMS
# A failover takes back what no majority has. Of the tail of the log and of streams that would
# mean to append behind what is not there: so nothing is read, or believed written, below majority.
READ_CONCERN = ReadConcern("majority")
WRITE_CONCERN = WriteConcern("majority", j=True)
_NO_SESSIONS = "Sessions are not supported"  # every server that this adapter accepts has them


class Connection:
    """A bucket's collections on one client.

    Attributes:
        bucket: The name of the bucket, which is that of the database.
        timeout_s: How long one operation may take in all, retries included: the client's
            ``timeoutMS``, or 30 seconds.
        events: The log: one document per commit.
        snapshots: One document per stream.
        checkpoints: One document per reader of the log.
        leases: One document per thing that only one process may do.
        calls: Those of the store's users that are under way.
    """

    def __init__(self, client: Client, bucket: str) -> None:
        self.bucket = bucket
        self.client = client
        self.timeout_s = client.options.timeout or TIMEOUT_S
        self.events = self.collection("events")
        self.snapshots = self.collection("snapshots")
        self.checkpoints = self.collection("checkpoints")
        self.leases = self.collection("leases")
        self.calls = Calls(bucket)
        self._seen: Timestamp | None = None

    @property
    def seen(self) -> Timestamp | None:
        """The latest time that an exchange has seen; ``None`` before any, or on a standalone."""
        return self._seen

    @asynccontextmanager
    async def operation(self, timeout_s: float | None = None) -> AsyncIterator[AsyncClientSession]:
        """A session for one exchange with the server, after which the next one never goes back.

        Majority alone does not promise that: a new primary may for a moment show a majority's
        past. Each session therefore goes on from the latest time that any before it has seen.

        Args:
            timeout_s: How long the exchange may take; the connection's own patience by default.
        """
        task = asyncio.current_task()
        assert task is not None
        cancels = task.cancelling()
        with pymongo.timeout(self.timeout_s if timeout_s is None else timeout_s):
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
        if task.cancelling() > cancels:
            # The driver sends within asyncio.wait_for, which loses some cancellations before
            # Python 3.12.
            raise asyncio.CancelledError

    async def _reconnect(self) -> None:
        """Have the driver open new connections, and close those it has once they are given back.

        A connection that was opened while its server changed its role, as in the moment in which a
        primary steps down, is taken by the driver for one to a server without sessions, and it
        stays that for as long as it is open: also when that server is the primary again. The
        driver has no public call for this.
        """
        for server in list(self.client._topology._servers.values()):  # noqa: SLF001
            await server.pool.reset_without_pause()

    async def last(
        self,
        key: Mapping[str, Any],
        by: Count,
        *,
        projection: Sequence[str] | None = None,
        timeout_s: float | None = None,
    ) -> Document | None:
        """The document of ``events`` that matches and comes last, as counted by a field."""
        async with self.operation(timeout_s) as session:
            return await self.events.find_one(
                key, sort=[(by, DESCENDING)], projection=projection, session=session
            )

    async def find_all(
        self, key: Mapping[str, Any], session: AsyncClientSession, **options: Any
    ) -> list[Document]:
        """The documents of ``events`` that match; ``options`` are those of the driver's ``find``.

        Each of the server's replies is decoded in one go: where the driver does it, with a decoder
        for some type given to it, every document takes four times as long.
        """
        documents: list[Document] = []
        replies: Any = self.events.find_raw_batches(key, session=session, **options)
        async for reply in replies:
            documents += bson.decode_all(reply, OPTIONS)
        return documents

    def collection(self, name: str) -> AsyncCollection[Document]:
        """A collection of the bucket, read and written at majority."""
        return self.client.get_database(self.bucket).get_collection(
            name,
            codec_options=OPTIONS,
            read_preference=ReadPreference.PRIMARY,
            read_concern=READ_CONCERN,
            write_concern=WRITE_CONCERN,
        )
