"""Reads and follows the log by position."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from pymongo import ASCENDING, DESCENDING

from eventhus import Query
from eventhus.errors import LogCorrupted
from eventhus.ports import Page, StoredCommit
from eventhus_mongo.commits import Span, decode_commit, log_span
from eventhus_mongo.connection import Connection, end_of
from eventhus_mongo.driver_errors import translating_errors
from eventhus_mongo.lazy_events import page_of, size_of
from eventhus_mongo.pages import log_pieces, pieces_backwards
from eventhus_mongo.query_reader import LOG, QueryReader
from eventhus_mongo.unfinished import Unfinished
from eventhus_mongo.wakeups import Wakeups


class LogReader:
    """Reads the log of one bucket."""

    def __init__(
        self,
        connection: Connection,
        wakeups: Wakeups,
        queries: QueryReader,
        unfinished: Unfinished,
    ) -> None:
        self._connection = connection
        self._wakeups = wakeups
        self._queries = queries
        self._unfinished = unfinished

    async def read(self, query: Query | None, after: int, limit: int) -> Page:
        """See ``EventStore.read``."""
        with translating_errors(self._connection.bucket):
            if query is not None:
                return await self._queries.read(query, after, limit)
            spans, has_more = await self._next(after, limit)
            if after > 0 and not (spans and spans[0].first == after + 1):
                spans = [*await self._queries.commit_at(after), *spans]
            if found := log_pieces(spans, after, limit):
                is_last = not has_more and spans[-1].last < after + limit
                page = page_of(self._connection.bucket, found, is_last=is_last)
                self._unfinished.keep(LOG, spans[-1], until=page.position)
                return page
            is_there = bool(spans) and spans[-1].last == after
            event_id = end_of(spans[-1]).event_id if is_there else ""
            return Page(events=(), position=after, event_id=event_id, is_last=True)

    async def read_backwards(self, query: Query | None, before: int | None, limit: int) -> Page:
        """See ``EventStore.read_backwards``."""
        with translating_errors(self._connection.bucket):
            if query is not None:
                return await self._queries.read_backwards(query, before, limit)
            spans, has_more = await self._before(before, limit)
            if before is not None and _last(spans) < before - 1:
                # It lies beyond the head, or right above a gap. The log is looked at again, because
                # below this tail everything is there by now.
                tail = await self._connection.tail()
                spans, has_more = await self._before(before, limit)
                if _last(spans) < min(before - 1, tail.position):
                    raise LogCorrupted(None, _last(spans) + 1, before)
            found = pieces_backwards(spans, before, limit)
            if not found:
                event_id = await self._queries.first_event_id()
                return Page(events=(), position=1, event_id=event_id, is_last=True)
            is_full = size_of(found) == limit
            page = page_of(self._connection.bucket, found, is_last=not (is_full or has_more))
            if is_full:
                last = spans[len(found) - 1]
                self._unfinished.keep_backwards(LOG, last, before=page.position)
            elif page.is_last and page.position > 1:
                raise LogCorrupted(None, 1, page.position)
            return page

    async def _before(self, before: int | None, limit: int) -> tuple[list[Span], bool]:
        """Return the commits that begin before a position, last first; and whether there are more.

        They are at most one reply of the server, besides one that an earlier page ended in.
        """
        known = None if before is None else self._unfinished.get(LOG, before - 1)
        high = before if known is None else known.first
        reply = await self._connection.first_reply(
            {} if high is None else {"_id": {"$lt": high}}, limit=limit, sort=[("_id", DESCENDING)]
        )
        spans = [log_span(document) for document in reply.documents]
        return spans if known is None else [known, *spans], reply.is_cut

    async def commits(self, after: int, limit: int) -> Sequence[StoredCommit]:
        """See ``EventStore.commits``."""
        with translating_errors(self._connection.bucket):
            reply = await self._connection.first_reply(
                {"_id": {"$gt": after}}, limit=limit, sort=[("_id", ASCENDING)]
            )
            spans = [log_span(document) for document in reply.documents]
            if after > 0 and spans and spans[0].first != after + 1:
                for before in await self._queries.commit_at(after):
                    after = max(after, before.last)
            for span in spans:
                if span.first != after + 1:
                    raise LogCorrupted(None, after + 1, span.first)
                after = span.last
            return [decode_commit(span.document) for span in spans]

    async def follow(
        self, query: Query | None, after: int, limit: int
    ) -> AsyncGenerator[Page, None]:
        """See ``EventStore.follow``."""
        pages = self._follow(after, limit) if query is None else self._select(query, after, limit)
        async for page in pages:
            yield page

    async def _follow(self, after: int, limit: int) -> AsyncGenerator[Page, None]:
        with self._connection.calls:
            spans = await self._opening(after)
        is_bounded = has_more = True
        while True:
            # Taken before the log is read, so that growth in between is noticed.
            ticket = self._wakeups.ticket()
            if not spans:
                with self._connection.calls, translating_errors(self._connection.bucket):
                    spans, has_more = await self._next(after, limit, is_bounded=is_bounded)
                is_bounded = is_bounded or has_more
            if spans:
                self._wakeups.grown(spans[-1].last)
                # A page at a time, so that memory stays flat.
                while spans:
                    with translating_errors(self._connection.bucket):
                        found = log_pieces(spans, after, limit)
                    spans = [span for span in spans if span.last > after + limit]
                    is_last = not (spans or has_more)
                    page = page_of(self._connection.bucket, found, is_last=is_last)
                    after = page.position
                    yield page
            elif is_bounded:
                is_bounded = False
            else:
                await self._wakeups.wait(ticket)

    async def _select(self, query: Query, after: int, limit: int) -> AsyncGenerator[Page, None]:
        while True:
            ticket = self._wakeups.ticket()
            with self._connection.calls, translating_errors(self._connection.bucket):
                tail = await self._connection.tail()
                found = await self._queries.next(query, after, limit, tail)
                page = found.page(self._connection.bucket)
            self._wakeups.grown(tail.position)
            if page.position > after:
                after = page.position
                yield page
            else:
                await self._wakeups.wait(ticket)

    async def _opening(self, after: int) -> list[Span]:
        """Return the commit that a position lies in, if it has later events."""
        if after == 0:
            return []
        with translating_errors(self._connection.bucket):
            return [span for span in await self._queries.commit_at(after) if span.last > after]

    async def _next(
        self, after: int, limit: int, *, is_bounded: bool = True
    ) -> tuple[list[Span], bool]:
        """Return the next commits, at most one reply of the server, and whether there may be more.

        Args:
            after: The position to start after.
            limit: The most commits.
            is_bounded: Whether to leave out commits that begin more than ``limit`` positions
                later. Commits have at least one event, so there are none, unless some are missing.
                Without it, ``limit`` commits may have many more events than are asked for.
        """
        positions = {"$gt": after, **({"$lte": after + limit} if is_bounded else {})}
        reply = await self._connection.first_reply(
            {"_id": positions}, limit=limit, sort=[("_id", ASCENDING)]
        )
        spans = [log_span(document) for document in reply.documents]
        is_full = is_bounded and bool(spans) and spans[-1].last >= after + limit
        return spans, reply.is_cut or is_full


def _last(spans: Sequence[Span]) -> int:
    """Return the last position of commits in descending order; 0 if there are none."""
    return spans[0].last if spans else 0
