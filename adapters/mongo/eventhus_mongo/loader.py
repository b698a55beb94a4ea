"""Group load: the streams that wait to be loaded go out together, in one query."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from math import inf
from operator import attrgetter
from typing import Any, TypeAlias

from attrs import define, evolve, frozen
from pymongo.errors import PyMongoError

from eventhus import EventhusError, StreamId
from eventhus.errors import StoreUnavailable
from eventhus_mongo.batching import Batcher
from eventhus_mongo.commits import Span, stream_places, stream_span
from eventhus_mongo.connection import Connection
from eventhus_mongo.documents import Document
from eventhus_mongo.driver_errors import to_eventhus_error, translating_errors
from eventhus_mongo.known_versions import KnownVersions
from eventhus_mongo.unfinished import Unfinished

GROUP_STREAMS = 50
GROUP_BYTES = 16 * 1024 * 1024  # of documents in one group

_ByStream: TypeAlias = dict[tuple[str, str], list[Document]]
"""Documents by the type and the id of a stream."""


@frozen
class Found:
    """The commits that a load has found.

    Attributes:
        spans: The events of the stream in each commit, in order.
        is_cut: Whether there may be more of them, because their size has reached the limit.
    """

    spans: list[Span]
    is_cut: bool = False


@define(eq=False)
class _Load:
    """A call of ``load`` that waits for its commits."""

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
        # One group at a time: two would each have half of the streams, and so would the appends
        # that follow.
        self._batcher: Batcher[_Load] = Batcher(self._query, self._give_up, most=GROUP_STREAMS)
        self._large: Batcher[_Load] = Batcher(self._load_each, self._give_up, most=1)

    async def load(self, stream: StreamId, after: int, limit: int) -> Found:
        """Return the commits that hold the next ``limit`` events after version ``after``.

        The first and the last commit may hold more events, and the first one may hold none.
        """
        loading = _Load(stream, after, limit, asyncio.get_running_loop().create_future())
        self._batcher.add(loading)
        found = await loading.done
        spans = found.spans
        with translating_errors(self._connection.bucket):
            if after > 0 and not self._begins_after(after, stream, spans):
                # The page begins inside a commit, or after one whose end is not known yet.
                spans = [*await self._commit_at(stream, after), *spans]
            if spans:
                self._known.learn(stream, spans[-1].last)
                self._unfinished.keep(stream, spans[-1], until=after + limit)
        return evolve(found, spans=spans)

    def cut_off(self) -> None:
        """End the queries in flight."""
        self._batcher.cut_off()
        self._large.cut_off()

    def _begins_after(self, after: int, stream: StreamId, spans: Sequence[Span]) -> bool:
        if spans:
            return spans[0].first == after + 1
        return self._known.get(stream) == after

    async def _commit_at(self, stream: StreamId, version: int) -> list[Span]:
        """Return the commit that holds a version of a stream, or the last one before it."""
        if known := self._unfinished.get(stream, version):
            return [known]
        document = await self._connection.last_of(stream, up_to=version)
        return [] if document is None else [stream_span(document, stream)]

    async def _query(self, group: Sequence[_Load]) -> None:
        """Load a group of streams. Each caller gets its own answer, or its own error."""
        try:
            found = await self._find(group)
            if found is None:  # they go on beside the next groups
                for loading in group:
                    self._large.add(loading)
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

    async def _find_one(self, loading: _Load) -> list[Span]:
        """Return as many of the next commits of a large stream as fit into one group."""
        most = loading.limit
        while True:
            part = evolve(loading, limit=most)
            # The index has the last commit first, so what is cut off would be the next ones. A
            # commit has at least one event, so there are no more of them than versions.
            within = GROUP_BYTES if most > 1 else inf
            async with self._connection.operation() as session:
                reply = await self._connection.find_within(
                    within, _filter([part]), session, projection=self._projection
                )
            if not reply.is_cut:
                return _chosen(part, _by_stream([part], reply.documents))
            most = max(1, min(most // 2, len(reply.documents)))

    async def _find(self, group: Sequence[_Load]) -> _ByStream | None:
        """Return the commits by stream, or ``None`` if they are too large for one group."""
        async with self._connection.operation() as session:
            reply = await self._connection.find_within(
                GROUP_BYTES, _filter(group), session, projection=self._projection
            )
        return None if reply.is_cut else _by_stream(group, reply.documents)


def _by_stream(group: Sequence[_Load], documents: Sequence[Document]) -> _ByStream:
    """Return the documents by stream; one may belong to several."""
    found: _ByStream = {
        (each.stream.aggregate_type, each.stream.aggregate_id): [] for each in group
    }
    for document in documents:
        for type_, id_, _ in stream_places(document):
            if (type_, id_) in found:
                found[type_, id_].append(document)
    return found


def _filter(group: Sequence[_Load]) -> dict[str, Any]:
    """Return a filter for all loads. Most of them read one type of stream from its start."""
    ids: dict[tuple[str, int, int], list[str]] = {}
    for loading in group:
        alike = (loading.stream.aggregate_type, loading.after, loading.limit)
        ids.setdefault(alike, []).append(loading.stream.aggregate_id)
    # Within one element, or MongoDB would find the commits in which the id belongs to one part and
    # the version to another, and could not use the index for both.
    filters: list[dict[str, Any]] = [
        {
            "parts": {
                "$elemMatch": {
                    "id": {"$in": aggregate_ids},
                    "type": aggregate_type,
                    # Commits have at least one event of each stream, so the page's last one begins
                    # in this range.
                    "version": {"$gt": after, "$lte": after + limit},
                }
            }
        }
        for (aggregate_type, after, limit), aggregate_ids in ids.items()
    ]
    if len(filters) == 1:
        return filters[0]
    return {"$or": filters}


def _chosen(loading: _Load, found: _ByStream) -> list[Span]:
    stream, after, until = loading.stream, loading.after, loading.after + loading.limit
    documents = found[stream.aggregate_type, stream.aggregate_id]
    spans = [stream_span(document, stream) for document in documents]
    chosen = [span for span in spans if after < span.first <= until]
    chosen.sort(key=attrgetter("first"))
    return chosen
