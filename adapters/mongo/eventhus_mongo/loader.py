"""Group load: the streams that wait to be loaded go out together, in one query."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

from attrs import astuple, define, evolve, frozen
from pymongo import ASCENDING
from pymongo.errors import PyMongoError

from eventhus import EventhusError, StreamId
from eventhus.errors import StoreUnavailable
from eventhus_mongo.batching import Batcher
from eventhus_mongo.connection import Connection
from eventhus_mongo.documents import Document, last_version, not_ours, stream_key
from eventhus_mongo.driver_errors import to_eventhus_error, translating_errors
from eventhus_mongo.known_versions import KnownVersions
from eventhus_mongo.unfinished import Unfinished

GROUP_STREAMS = 25
GROUP_BYTES = 16 * 1024 * 1024  # of documents in one group
QUERIES = 2  # in flight at once: the server answers one while the other's answer is decoded

_version = itemgetter("version")


@frozen
class Found:
    """The documents that a load has found.

    Attributes:
        documents: The documents, in order.
        is_cut: True if there may be more of them, because their size has reached the limit.
    """

    documents: list[Document]
    is_cut: bool = False


@define(eq=False)
class _Load:
    """A call of ``load`` that waits for its documents."""

    stream: StreamId
    after: int
    limit: int
    done: asyncio.Future[Found]


class Loader:
    """Loads the streams of one bucket.

    Args:
        connection: The bucket.
        known: Learns at which versions commits end.
        without: Fields of the documents that the caller does not need.
    """

    def __init__(
        self, connection: Connection, known: KnownVersions, *, without: Sequence[str] = ()
    ) -> None:
        self._connection = connection
        self._projection = dict.fromkeys(without, 0) or None
        self._known = known
        self._unfinished = Unfinished()
        self._batcher: Batcher[_Load] = Batcher(
            self._query, self._give_up, most=GROUP_STREAMS, tasks=QUERIES
        )

    async def load(self, stream: StreamId, after: int, limit: int) -> Found:
        """Return the documents that hold the next ``limit`` events after version ``after``.

        The first and the last document may hold more events, and the first one may hold none.
        """
        loading = _Load(stream, after, limit, asyncio.get_running_loop().create_future())
        self._batcher.add(loading)
        found = await loading.done
        documents = found.documents
        with translating_errors(self._connection.bucket):
            if after > 0 and not self._begins_after(after, stream, documents):
                # The page begins inside a commit, or after one whose end is not known yet.
                documents = [*await self._commit_at(stream, after), *documents]
            if documents:
                last = last_version(documents[-1])
                self._known.learn(stream, last)
                self._unfinished.keep(stream, documents[-1], is_unfinished=last > after + limit)
        return evolve(found, documents=documents)

    def cut_off(self) -> None:
        """End the queries in flight."""
        self._batcher.cut_off()

    def _begins_after(self, after: int, stream: StreamId, documents: Sequence[Document]) -> bool:
        if documents:
            return bool(documents[0].get("version") == after + 1)
        return self._known.get(stream) == after

    async def _commit_at(self, stream: StreamId, version: int) -> list[Document]:
        """Return the commit that holds a version of a stream, or the last one before it."""
        if known := self._unfinished.get(stream, version, "version"):
            return [known]
        key = {**stream_key(stream), "version": {"$lte": version}}
        document = await self._connection.last(key, "version")
        return [] if document is None else [document]

    async def _query(self, group: Sequence[_Load]) -> None:
        """Load a group of streams. Each caller gets its own answer, or its own error."""
        try:
            found = await self._find(_filter(group))
            if found is None:
                await self._load_each(group)
                return
        except PyMongoError as error:
            for loading in group:
                if not loading.done.done():
                    loading.done.set_exception(to_eventhus_error(self._connection.bucket, error))
            return
        for loading in group:
            if loading.done.done():  # its caller was cancelled
                continue
            try:
                with translating_errors(self._connection.bucket):
                    loading.done.set_result(Found(_chosen(loading, found)))
            except Exception as error:  # noqa: BLE001 - it is this caller's alone
                loading.done.set_exception(error)

    def _give_up(self, loading: _Load, error: BaseException) -> None:
        if not loading.done.done():
            problem = f"loading ended with {type(error).__name__}"
            loading.done.set_exception(StoreUnavailable(self._connection.bucket, problem))

    async def _load_each(self, group: Sequence[_Load]) -> None:
        """Load large streams one by one, each as much as fits into one reply of the server."""
        for loading in group:
            if loading.done.done():  # its caller was cancelled
                continue
            try:
                with translating_errors(self._connection.bucket):
                    found = Found(await self._find_one(loading), is_cut=True)
            except EventhusError as error:
                if not loading.done.done():
                    loading.done.set_exception(error)
            else:
                if not loading.done.done():
                    loading.done.set_result(found)

    async def _find_one(self, loading: _Load) -> list[Document]:
        async with self._connection.operation() as session:
            found = await self._connection.find_all(
                _filter([loading]),
                session,
                projection=self._projection,
                sort=[("version", ASCENDING)],
                limit=-loading.limit,  # negative: one reply, with as many documents as fit
                batch_size=loading.limit,
            )
        return _chosen(loading, {astuple(loading.stream): found})

    async def _find(self, key: Mapping[str, Any]) -> dict[tuple[str, str], list[Document]] | None:
        """Return the documents by stream, or ``None`` if they are too large for one group."""
        async with self._connection.operation() as session:
            found = await self._connection.find_within(
                GROUP_BYTES, key, session, projection=self._projection
            )
        if found is None:
            return None
        documents: dict[tuple[str, str], list[Document]] = {}
        for document in found:
            stream = document["aggregate_type"], document["aggregate_id"]
            # An array matches, too, if one of its members does. It belongs to no stream.
            if all(isinstance(part, str) for part in stream):
                documents.setdefault(stream, []).append(document)
        return documents


def _filter(group: Sequence[_Load]) -> dict[str, Any]:
    """Return a filter for all loads. Most of them read one type of stream from its start."""
    ids: dict[tuple[str, int, int], list[str]] = {}
    for loading in group:
        alike = (loading.stream.aggregate_type, loading.after, loading.limit)
        ids.setdefault(alike, []).append(loading.stream.aggregate_id)
    filters: list[dict[str, Any]] = [
        {
            "aggregate_id": {"$in": aggregate_ids},
            "aggregate_type": aggregate_type,
            # Commits have at least one event, so the page's last one begins in this range.
            "version": {"$gt": after, "$lte": after + limit},
        }
        for (aggregate_type, after, limit), aggregate_ids in ids.items()
    ]
    if len(filters) == 1:
        return filters[0]
    return {"$or": filters}


def _chosen(loading: _Load, found: dict[tuple[str, str], list[Document]]) -> list[Document]:
    stream, after, until = loading.stream, loading.after, loading.after + loading.limit
    documents = found.get((stream.aggregate_type, stream.aggregate_id), [])
    for document in documents:
        if type(document["version"]) is not int:  # a number of another kind matches the query, too
            raise not_ours(document)
    chosen = [document for document in documents if after < document["version"] <= until]
    chosen.sort(key=_version)
    return chosen
