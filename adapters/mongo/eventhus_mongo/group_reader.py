"""Group read: the queries that wait to be read from the start of the log go out together, as one.

A decision reads what its boundary finds before it is made. Fifty different boundaries at once would
otherwise be fifty queries, each of which costs more than the few commits that it finds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from operator import itemgetter

from attrs import define
from pymongo.errors import PyMongoError

from eventhus import Query
from eventhus.errors import StoreUnavailable
from eventhus.ports import Page, QueryItem
from eventhus_mongo import query_filters
from eventhus_mongo.batching import Batcher
from eventhus_mongo.commits import commit_size, names_of
from eventhus_mongo.connection import TAGS_KEYS, Connection, Tail
from eventhus_mongo.documents import Document, UnknownFormat
from eventhus_mongo.driver_errors import to_eventhus_error
from eventhus_mongo.lazy_events import Some
from eventhus_mongo.query_reader import Found, QueryReader

GROUP_QUERIES = 50
GROUP_ITEMS = 500  # of all queries in a group
GROUP_COMMITS = 5000  # that they find together


@define(eq=False)
class _Read:
    """A call of ``read`` that waits for its page, or for ``None`` if it must be read alone."""

    query: Query
    limit: int
    done: asyncio.Future[Found | None]


class GroupReader:
    """Reads the first page of a query, together with others.

    Args:
        connection: The bucket.
        queries: Reads whatever cannot be read together.
    """

    def __init__(self, connection: Connection, queries: QueryReader) -> None:
        self._connection = connection
        self._queries = queries
        self._batcher: Batcher[_Read] = Batcher(
            self._read_group,
            self._give_up,
            most=GROUP_QUERIES,
            weight=lambda reading: len(reading.query.items) / GROUP_ITEMS,
            most_weight=1,
        )

    async def read(self, query: Query, after: int, limit: int) -> Page:
        """See ``EventStore.read``. Raises what ``QueryReader.read`` does."""
        if after == 0 and not query_filters.is_scan(query):
            reading = _Read(query, limit, asyncio.get_running_loop().create_future())
            self._batcher.add(reading)
            found = await reading.done
            if found is not None:
                return found.page(self._connection.bucket)
        return await self._queries.read(query, after, limit)

    def cut_off(self) -> None:
        """End the query in flight."""
        self._batcher.cut_off()

    async def _read_group(self, group: Sequence[_Read]) -> None:
        """Read for a group. Each caller gets its own page, reads alone, or gets an error."""
        try:
            found = await self._find(group)
        except UnknownFormat:  # it may belong to one of them
            found = [None] * len(group)
        except PyMongoError as error:
            for reading in group:
                if not reading.done.done():
                    reading.done.set_exception(to_eventhus_error(self._connection.bucket, error))
            return
        for reading, each in zip(group, found, strict=True):
            if not reading.done.done():  # otherwise its caller was cancelled
                reading.done.set_result(each)

    def _give_up(self, reading: _Read, error: BaseException) -> None:
        if not reading.done.done():
            problem = f"reading ended with {type(error).__name__}"
            reading.done.set_exception(StoreUnavailable(self._connection.bucket, problem))

    async def _find(self, group: Sequence[_Read]) -> Sequence[Found | None]:
        """Return what each of a group finds, or ``None`` for one that finds much."""
        if len(group) == 1:
            return [None]
        tail = await self._connection.tail()
        if tail.position == 0:
            return [Found([], Tail(), is_last=True)] * len(group)
        reply = await self._connection.first_reply(
            query_filters.any_of([reading.query for reading in group], tail.position),
            limit=GROUP_COMMITS,
            hint=TAGS_KEYS,
        )
        if reply.is_cut:
            return [None] * len(group)
        pieces = _by_query([reading.query for reading in group], reply.documents)
        return [
            Found(each, tail, is_last=True)
            if sum([len(indexes) for _, indexes in each]) < reading.limit
            else None
            for reading, each in zip(group, pieces, strict=True)
        ]


def _by_query(queries: Sequence[Query], documents: Sequence[Document]) -> list[list[Some]]:
    """Return for each query the events that match it.

    Raises:
        UnknownFormat: A document was not written by this version of the library.
    """
    by_tag: dict[str, list[tuple[int, QueryItem]]] = {}
    for number, query in enumerate(queries):
        for item in query.items:
            by_tag.setdefault(query_filters.key_tag(item), []).append((number, item))
    found: list[list[Some]] = [[] for _ in queries]
    for document in documents:
        commit_size(document)
    # They came in the order of the tags.
    for document in sorted(documents, key=itemgetter("_id")):
        wanted: dict[int, list[int]] = {}
        for index, (type_, tags) in enumerate(names_of(document)):
            matching = {
                number
                for tag in tags
                for number, item in by_tag.get(tag, ())
                if item.matches(type_, tags)
            }
            for number in matching:
                wanted.setdefault(number, []).append(index)
        for number, indexes in wanted.items():
            found[number].append((document, indexes))
    return found
