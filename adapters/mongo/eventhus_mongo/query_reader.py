"""Reads the events of the log that match a query."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from attrs import evolve, frozen
from pymongo import ASCENDING, DESCENDING

from eventhus import Query
from eventhus.errors import LogCorrupted
from eventhus.ports import Page
from eventhus_mongo import query_filters
from eventhus_mongo.commits import Span, log_span, names_of, readable_event_id
from eventhus_mongo.connection import Connection, Reply, Tail, end_of
from eventhus_mongo.lazy_events import LazyEvents, Some, page_of, total_size
from eventhus_mongo.query_filters import Filter
from eventhus_mongo.unfinished import Unfinished

LOG = "log"
"""The key of the log among unfinished commits."""

SCAN = 100_000
"""The most positions that one query goes through where no index helps, so that it ends in time."""

AT_ONCE = 2
"""The queries at once where nothing matches, since the server goes through each in one thread."""


@frozen
class Found:
    """Matching events of a stretch of the log.

    Attributes:
        pieces: The events.
        end: The end of the stretch; backwards, its first event.
        is_last: Whether it ends with the log.
        is_cut: Whether it was cut because of the size of its events.
    """

    pieces: Sequence[Some]
    end: Tail
    is_last: bool = False
    is_cut: bool = False

    def page(self, bucket: str) -> Page:
        """Return the page of these events."""
        return Page(
            events=LazyEvents(bucket, self.pieces, total_size(self.pieces)),
            position=self.end.position,
            event_id=self.end.event_id,
            is_last=self.is_last,
        )


class QueryReader:
    """Reads events by query. Its methods raise the driver's errors and ``UnknownFormat``.

    The tail is taken first, and then only what lies below is read. MongoDB goes through an index
    for each item of a query, one after the other, so it may miss an event of one item that was
    stored before one of another item that it finds. Below the tail, nothing is stored any more.
    """

    def __init__(self, connection: Connection, unfinished: Unfinished) -> None:
        self._connection = connection
        self._unfinished = unfinished

    async def read(self, query: Query, after: int, limit: int) -> Page:
        """Return the next page, which ends with the log if it has fewer than ``limit`` events."""
        tail = await self._connection.tail()
        pieces: list[Some] = []
        while True:
            found = await self.next(query, after, limit - total_size(pieces), tail)
            pieces += found.pieces
            if found.is_last:
                return evolve(found, pieces=pieces).page(self._connection.bucket)
            if total_size(pieces) == limit or (pieces and found.is_cut):
                return page_of(self._connection.bucket, pieces, is_last=False)
            after = found.end.position

    async def next(self, query: Query, after: int, limit: int, tail: Tail) -> Found:
        """Return what matches in the log up to ``tail``, as far as one reply of the server goes.

        It ends above ``after``, unless that is the tail or lies beyond.
        """
        if after >= tail.position:
            event_id = tail.event_id if after == tail.position else ""
            return Found([], Tail(after, event_id), is_last=True)
        end = tail
        if query_filters.is_scan(query) and tail.position - after > SCAN:
            end = await self._connection.tail(up_to=after + SCAN)
            if end.position <= after:
                raise LogCorrupted(None, after + 1, tail.position)
        reply = await self._connection.first_reply(
            query_filters.at(
                query_filters.branches(query),
                {"$gt": after, "$lte": end.position},
                also=after + 1 if after > 0 else None,  # which proves that a commit ends there
            ),
            limit=limit + 1,
            sort=[("_id", ASCENDING)],
        )
        spans = [log_span(document) for document in reply.documents]
        if after > 0 and not (spans and spans[0].first == after + 1):
            spans = [*await self.commit_at(after), *spans]
        pieces: list[Some] = []
        rest = limit
        for span in spans:
            wanted = _matching(span, query, max(after + 1 - span.first, 0), rest)
            if wanted:
                pieces.append((span.document, wanted))
                rest -= len(wanted)
            if rest == 0:
                last = Tail(span.first + wanted[-1], readable_event_id(span.document, wanted[-1]))
                self._unfinished.keep(LOG, span, until=last.position)
                return Found(pieces, last)
        if reply.is_cut:
            end = end_of(spans[-1])
        return Found(
            pieces,
            end,
            is_last=end.position == tail.position,
            is_cut=reply.is_cut and len(reply.documents) <= limit,
        )

    async def read_backwards(self, query: Query, before: int | None, limit: int) -> Page:
        """Return the page before a position, which ends at 1 if it has too few events."""
        tail = await self._connection.tail()
        last = tail.position if before is None else min(before - 1, tail.position)
        found = query_filters.branches(query)
        step = SCAN if query_filters.is_scan(query) else last
        bucket = self._connection.bucket
        pieces: list[Some] = []
        rest = limit
        known = self._unfinished.get(LOG, last)
        spans, is_cut, low = ([known], False, known.first - 1) if known else ([], False, last)
        while True:
            for span in spans:
                if wanted := _matching_backwards(span, query, last, rest):
                    pieces.append((span.document, wanted))
                    rest -= len(wanted)
                if rest == 0:
                    page = page_of(bucket, pieces, is_last=False)
                    self._unfinished.keep_backwards(LOG, span, before=page.position)
                    return page
            if is_cut and pieces and len(spans) <= limit:
                return page_of(bucket, pieces, is_last=False)
            high = spans[-1].first - 1 if is_cut else low
            if high == 0:
                break
            is_rare = low < last and not spans
            highs = range(high, 0, -step)[: AT_ONCE if is_rare else 1]
            replies = await asyncio.gather(
                *(self._before(found, high, max(high - step, 0), limit) for high in highs)
            )
            for high, reply in zip(highs, replies, strict=True):
                low = max(high - step, 0)
                spans, is_cut = [log_span(document) for document in reply.documents], reply.is_cut
                if spans:
                    break
                if low > 0:
                    await self._check_reaches(high)
        first = Tail(1, await self.first_event_id())
        return Found(pieces, first, is_last=True).page(bucket)

    async def _before(self, found: list[Filter], high: int, low: int, limit: int) -> Reply:
        """Return commits of a stretch that may match, last first."""
        return await self._connection.first_reply(
            query_filters.at(found, {"$gt": low, "$lte": high}),
            limit=limit + 1,  # what matches in the first one may lie beyond ``before``
            sort=[("_id", DESCENDING)],
        )

    async def _check_reaches(self, position: int) -> None:
        """Raise an error if the log has a gap before a position, which may be too long to scan.

        A commit that claims more events than it has hides one, so it is read as a whole.
        """
        spans = await self.commit_at(position)
        last = spans[0].last if spans else 0
        if last < position:
            raise LogCorrupted(None, last + 1, position + 1)

    async def first_event_id(self) -> str:
        """Return the id of the first event of the log; empty if there is none."""
        document = await self._connection.last({"_id": 1}, projection=["commit_id"])
        return "" if document is None else readable_event_id(document, 0)

    async def commit_at(self, position: int) -> list[Span]:
        """Return the commit that holds a position, or the last one before it."""
        if known := self._unfinished.get(LOG, position):
            return [known]
        document = await self._connection.last({"_id": {"$lte": position}})
        return [] if document is None else [log_span(document)]


def _matching(span: Span, query: Query, start: int, limit: int) -> list[int]:
    """Return the places of the first ``limit`` matching events of a commit from an index on."""
    wanted: list[int] = []
    for index, names in enumerate(names_of(span.document, start), start):
        if query.matches(*names):
            wanted.append(index)
            if len(wanted) == limit:
                break
    return wanted


def _matching_backwards(span: Span, query: Query, last: int, limit: int) -> list[int]:
    """Return the places of the last ``limit`` matching events up to a position, last first."""
    end = min(span.last, last) + 1 - span.first
    names = [*names_of(span.document)][:end]
    return [index for index, each in enumerate(names) if query.matches(*each)][: -limit - 1 : -1]
