"""Reads the events of the log that match a query."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from attrs import evolve
from pymongo import ASCENDING, DESCENDING

from eventhus import Query
from eventhus.ports import Page, StoredEvent
from eventhus_mongo import query_filters
from eventhus_mongo.commits import Span, decode_events, event_id_of, log_span, names_of
from eventhus_mongo.connection import Connection, Tail
from eventhus_mongo.documents import Document
from eventhus_mongo.unfinished import Unfinished

LOG = "log"
"""The key of the log among unfinished commits."""

SCAN = 100_000
"""The most positions that one query goes through where no index helps, so that it ends in time."""


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
        events: list[StoredEvent] = []
        tail = await self._connection.tail()
        while True:
            page, is_cut = await self.next(query, after, limit - len(events), tail)
            events += page.events
            if page.is_last:
                return evolve(page, events=events)
            if len(events) == limit or (events and is_cut):
                return page_of(events, is_last=False)
            after = page.position

    async def next(self, query: Query, after: int, limit: int, tail: Tail) -> tuple[Page, bool]:
        """Return the next page of the log up to ``tail``, as far as one reply of the server goes.

        Returns:
            The page, and whether it was cut because of the size of its events. Its position is
            above ``after``, unless that is the tail or lies beyond.
        """
        if after >= tail.position:
            event_id = tail.event_id if after == tail.position else ""
            return Page(events=(), position=after, event_id=event_id, is_last=True), False
        end = tail
        if query_filters.is_scan(query) and tail.position - after > SCAN:
            end = await self._connection.tail(up_to=after + SCAN)
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
        events: list[StoredEvent] = []
        for span in spans:
            start = max(after + 1 - span.first, 0)
            events += _matching(span, query, start, limit - len(events))
            if len(events) == limit:
                self._unfinished.keep(LOG, span, until=events[-1].position)
                return page_of(events, is_last=False), False
        if reply.is_cut:
            end = _end_of(spans[-1])
        page = Page(
            events=events,
            position=end.position,
            event_id=end.event_id,
            is_last=end.position == tail.position,
        )
        return page, reply.is_cut and len(reply.documents) <= limit

    async def read_backwards(self, query: Query, before: int | None, limit: int) -> Page:
        """Return the page before a position, which ends at 1 if it has too few events."""
        tail = await self._connection.tail()
        last = tail.position if before is None else min(before - 1, tail.position)
        found = query_filters.branches(query)
        step = SCAN if query_filters.is_scan(query) else last
        events: list[StoredEvent] = []
        known = self._unfinished.get(LOG, last)
        spans, is_cut, low = ([known], False, known.first - 1) if known else ([], False, last)
        while True:
            for span in spans:
                events += _matching_backwards(span, query, last, limit - len(events))
                if len(events) == limit:
                    self._unfinished.keep_backwards(LOG, span, before=events[-1].position)
                    return page_of(events, is_last=False)
            if is_cut and events and len(spans) <= limit:
                return page_of(events, is_last=False)
            high = spans[-1].first - 1 if is_cut else low
            if high == 0:
                break
            low = max(high - step, 0)
            reply = await self._connection.first_reply(
                query_filters.at(found, {"$gt": low, "$lte": high}),
                limit=limit + 1,  # what matches in the first one may lie beyond ``before``
                sort=[("_id", DESCENDING)],
            )
            spans, is_cut = [log_span(document) for document in reply.documents], reply.is_cut
        event_id = await self.first_event_id()
        return Page(events=events, position=1, event_id=event_id, is_last=True)

    async def first_event_id(self) -> str:
        """Return the id of the first event of the log; empty if there is none."""
        document = await self._connection.last({"_id": 1}, projection=["commit_id"])
        return "" if document is None else event_id_of(document, 0)

    async def commit_at(self, position: int) -> list[Span]:
        """Return the commit that holds a position, or the last one before it."""
        if known := self._unfinished.get(LOG, position):
            return [known]
        document = await self._connection.last({"_id": {"$lte": position}})
        return [] if document is None else [log_span(document)]


def page_of(events: Sequence[StoredEvent], *, is_last: bool) -> Page:
    """Return a page that ends at its last event."""
    last = events[-1]
    return Page(events=events, position=last.position, event_id=last.id, is_last=is_last)


def _end_of(span: Span) -> Tail:
    return Tail(span.last, event_id_of(span.document, span.last - span.first))


def _matching(span: Span, query: Query, start: int, limit: int) -> list[StoredEvent]:
    """Return the first ``limit`` matching events of a commit from an index on."""
    wanted: list[int] = []
    for index, names in enumerate(names_of(span.document, start), start):
        if query.matches(*names):
            wanted.append(index)
            if len(wanted) == limit:
                break
    return [*_decoded(span.document, wanted)]


def _matching_backwards(span: Span, query: Query, last: int, limit: int) -> list[StoredEvent]:
    """Return the last ``limit`` matching events of a commit up to a position, last first."""
    end = min(span.last, last) + 1 - span.first
    names = [*names_of(span.document)][:end]
    wanted = [index for index, each in enumerate(names) if query.matches(*each)][-limit:]
    return [*_decoded(span.document, wanted)][::-1]


def _decoded(document: Document, wanted: list[int]) -> Iterator[StoredEvent]:
    if not wanted:
        return
    first = wanted[0]
    events = decode_events(document, first, wanted[-1] + 1)
    for index in wanted:
        yield events[index - first]
