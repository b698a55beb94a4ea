"""Group load: the streams that wait to be read go out together, in one query.

A driver's call costs more than reading a short stream does, so a process with many commands at
work would otherwise be bound by its calls.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from attrs import define
from pymongo.errors import PyMongoError

from eventhus import StreamId
from eventhus_mongo.connection import Connection
from eventhus_mongo.documents import Document, last_version, stream_key
from eventhus_mongo.driver_errors import translated, typed
from eventhus_mongo.known_versions import StreamEnds

GROUP_STREAMS = 25
TURNS = 2  # of the event loop
QUERIES = 2  # under way at once: one is answered by the server while the other's answer is decoded


_version = itemgetter("version")


@define(eq=False)
class _Waiting:
    stream: StreamId
    after: int
    limit: int
    done: asyncio.Future[list[Document]]


class Loader:
    """Reads streams of one bucket.

    Args:
        connection: The bucket.
        ends: What is learnt on the way.
        without: The fields of the documents that nobody is going to look at.
    """

    def __init__(
        self, connection: Connection, ends: StreamEnds, *, without: Sequence[str] = ()
    ) -> None:
        self._connection = connection
        self._projection = dict.fromkeys(without, 0) or None
        self._ends = ends
        self._queue: deque[_Waiting] = deque()
        self._querying: set[asyncio.Task[None]] = set()

    async def load(self, stream: StreamId, after: int, limit: int) -> list[Document]:
        """The documents that hold the next ``limit`` events of a stream behind version ``after``.

        There may be more events in the first and in the last of them, and none in the first.
        """
        documents = await self._enqueue(stream, after, limit)
        with translated(self._connection.bucket):
            if after > 0 and not self._begins_behind(after, stream, documents):
                # The page begins amid a commit, or at its end, where nobody has told so before.
                documents = [*await self._around(stream, after), *documents]
            if documents:
                self._ends.learn(stream, last_version(documents[-1]))
        return documents

    def cut_off(self) -> None:
        """End the queries under way."""
        for task in self._querying:
            task.cancel()

    def _begins_behind(self, after: int, stream: StreamId, documents: Sequence[Document]) -> bool:
        if documents:
            return bool(documents[0].get("version") == after + 1)
        return self._ends.get(stream) == after

    async def _around(self, stream: StreamId, version: int) -> list[Document]:
        """The commit that holds a version of a stream, or the last one before it."""
        key = {**stream_key(stream), "version": {"$lte": version}}
        document = await self._connection.last(key, "version")
        return [] if document is None else [document]

    async def _enqueue(self, stream: StreamId, after: int, limit: int) -> list[Document]:
        done: asyncio.Future[list[Document]] = asyncio.get_running_loop().create_future()
        self._queue.append(_Waiting(stream, after, limit, done))
        if len(self._querying) < QUERIES:
            task = asyncio.create_task(self._query())
            self._querying.add(task)
            task.add_done_callback(self._querying.discard)
        return await done

    async def _query(self) -> None:
        """Load what waits until nothing does."""
        while True:
            # As for commits: callers that were just answered are in this group with what they
            # load next.
            for _ in range(TURNS):
                await asyncio.sleep(0)
            group = self._take()
            if not group:
                return
            try:
                documents = await self._find(group)
            except PyMongoError as error:
                for waiting in group:
                    if not waiting.done.done():
                        waiting.done.set_exception(typed(self._connection.bucket, error))
            except BaseException:
                for waiting in group:  # a bug, or the end of the event loop
                    waiting.done.cancel()
                raise
            else:
                for waiting in group:
                    if not waiting.done.done():  # else its caller was cancelled
                        waiting.done.set_result(_chosen(waiting, documents))

    def _take(self) -> list[_Waiting]:
        group: list[_Waiting] = []
        while self._queue and len(group) < GROUP_STREAMS:
            waiting = self._queue.popleft()
            if not waiting.done.done():
                group.append(waiting)
        return group

    async def _find(self, group: Sequence[_Waiting]) -> dict[tuple[str, str], list[Document]]:
        async with self._connection.operation() as session:
            found = await self._connection.find_all(
                _filter(group), session, projection=self._projection
            )
        documents: dict[tuple[str, str], list[Document]] = {}
        for document in found:
            stream = document["aggregate_type"], document["aggregate_id"]
            documents.setdefault(stream, []).append(document)
        return documents


def _filter(group: Sequence[_Waiting]) -> dict[str, Any]:
    """What finds the documents of all. Most loads want streams of one type from their start."""
    ids: dict[tuple[str, int, int], list[str]] = {}
    for waiting in group:
        alike = (waiting.stream.aggregate_type, waiting.after, waiting.limit)
        ids.setdefault(alike, []).append(waiting.stream.aggregate_id)
    filters: list[dict[str, Any]] = [
        {
            "aggregate_id": {"$in": aggregate_ids},
            "aggregate_type": aggregate_type,
            # Commits have at least one event, so the page's last one begins in here.
            "version": {"$gt": after, "$lte": after + limit},
        }
        for (aggregate_type, after, limit), aggregate_ids in ids.items()
    ]
    if len(filters) == 1:
        return filters[0]
    return {"$or": filters}


def _chosen(waiting: _Waiting, found: dict[tuple[str, str], list[Document]]) -> list[Document]:
    stream, after, until = waiting.stream, waiting.after, waiting.after + waiting.limit
    documents = found.get((stream.aggregate_type, stream.aggregate_id), [])
    chosen = [document for document in documents if after < document["version"] <= until]
    chosen.sort(key=_version)
    return chosen
