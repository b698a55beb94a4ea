"""Reads and follows the log by position."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from pymongo import ASCENDING

from eventhus.ports import StoredEvent
from eventhus_mongo.connection import Connection
from eventhus_mongo.documents import Document, last_position
from eventhus_mongo.driver_errors import translating_errors
from eventhus_mongo.pages import recorded
from eventhus_mongo.unfinished import Unfinished
from eventhus_mongo.wakeups import Wakeups


class LogReader:
    """Reads the log of one bucket."""

    def __init__(self, connection: Connection, wakeups: Wakeups) -> None:
        self._connection = connection
        self._wakeups = wakeups
        self._unfinished = Unfinished()

    async def read(self, after: int, limit: int) -> list[StoredEvent]:
        """See ``EventStore.read``."""
        with translating_errors(self._connection.bucket):
            async with self._connection.operation() as session:
                # Commits have at least one event, so the page's last one begins in this range.
                documents = await self._connection.find_all(
                    {"_id": {"$gt": after, "$lte": after + limit}},
                    session,
                    sort=[("_id", ASCENDING)],
                    batch_size=limit + 1,
                )
            if after > 0 and not (documents and documents[0]["_id"] == after + 1):
                documents = [*await self._commit_at(after), *documents]
            if documents:
                last = last_position(documents[-1])
                self._unfinished.keep("log", documents[-1], is_unfinished=last > after + limit)
            return recorded(documents, "_id", after, limit)

    async def follow(self, after: int, limit: int) -> AsyncGenerator[Sequence[StoredEvent], None]:
        """See ``EventStore.follow``."""
        with self._connection.calls:
            documents = await self._opening(after)
        while True:
            # Taken before the log is read, so that growth in between is noticed.
            ticket = self._wakeups.ticket()
            if not documents:
                with self._connection.calls:
                    documents = await self._reply(after, limit)
            if not documents:
                await self._wakeups.wait(ticket)
                continue
            with translating_errors(self._connection.bucket):
                last = last_position(documents[-1])
                events = recorded(documents, "_id", after, last - after)
            documents = []
            self._wakeups.grown(last)
            for start in range(0, len(events), limit):
                yield events[start : start + limit]
            after = max(after, last)

    async def _opening(self, after: int) -> list[Document]:
        """Return the commit that a position lies in, if it has later events."""
        if after == 0:
            return []
        with translating_errors(self._connection.bucket):
            return [doc for doc in await self._commit_at(after) if last_position(doc) > after]

    async def _commit_at(self, position: int) -> list[Document]:
        """Return the commit that holds a position, or the last one before it."""
        if known := self._unfinished.get("log", position, "_id"):
            return [known]
        document = await self._connection.last({"_id": {"$lte": position}}, "_id")
        return [] if document is None else [document]

    async def _reply(self, after: int, limit: int) -> list[Document]:
        """Return one reply of the server, at most 16 MB, so that memory stays flat."""
        with translating_errors(self._connection.bucket):
            async with self._connection.operation() as session:
                return await self._connection.find_all(
                    {"_id": {"$gt": after}},
                    session,
                    sort=[("_id", ASCENDING)],
                    limit=-limit,  # negative: one reply, with as many documents as fit
                    batch_size=limit,  # otherwise the first reply has 101
                )
