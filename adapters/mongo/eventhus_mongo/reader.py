"""Reads and follows the log by position."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from functools import partial

from pymongo import ASCENDING, DESCENDING

from eventhus import Query
from eventhus.errors import LogCorrupted
from eventhus.ports import Page, StoredCommit
from eventhus_mongo.commits import Span, decode_commit, log_span
from eventhus_mongo.connection import Connection, RawReply, Tail
from eventhus_mongo.group_reader import GroupReader
from eventhus_mongo.lazy_events import page_of, total_size
from eventhus_mongo.log_stretch import LogStretch, first_of, stretch_of
from eventhus_mongo.pages import pieces_backwards
from eventhus_mongo.query_reader import LOG, QueryReader
from eventhus_mongo.unfinished import Unfinished
from eventhus_mongo.wakeups import Wakeups

AT_HEAD = 100  # commits that are looked for after the last page; more than come in meanwhile


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
        self._groups = GroupReader(connection, queries)
        self._unfinished = unfinished

    def cut_off(self) -> None:
        """End the queries in flight."""
        self._groups.cut_off()

    async def read(self, query: Query | None, after: int, limit: int) -> Page:
        """See ``EventStore.read``."""
        if query is not None:
            return await self._groups.read(query, after, limit)
        known = self._unfinished.get(LOG, after)
        found = await self._next(after, limit, [known] if known else [])
        if found.last is not None:
            self._unfinished.keep(LOG, found.last, until=after + found.size)
        return found.page(self._connection.bucket)

    async def read_backwards(self, query: Query | None, before: int | None, limit: int) -> Page:
        """See ``EventStore.read_backwards``."""
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
        is_full = total_size(found) == limit
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
        last: Span | None = None
        is_bounded = True
        while True:
            # Taken before the log is read, so that growth in between is noticed.
            ticket = self._wakeups.ticket()
            opening = [last] if last is not None and last.last >= after else []
            found = await self._connection.calls.carry_out(
                partial(self._next, after, limit, opening, is_bounded=is_bounded)
            )
            last = found.last
            if found.size:
                page = found.page(self._connection.bucket)
                del found  # before the next one is read
                after, is_bounded = page.position, not page.is_last
                self._wakeups.grown(after)
                yield page
                del page
            elif is_bounded:
                is_bounded = False
            else:
                await self._wakeups.wait(ticket)
                is_bounded = True

    async def _select(self, query: Query, after: int, limit: int) -> AsyncGenerator[Page, None]:
        while True:
            ticket = self._wakeups.ticket()
            tail, page = await self._connection.calls.carry_out(
                partial(self._next_matching, query, after, limit)
            )
            self._wakeups.grown(tail.position)
            if page.position > after:
                after = page.position
                yield page
            else:
                await self._wakeups.wait(ticket)

    async def _next_matching(self, query: Query, after: int, limit: int) -> tuple[Tail, Page]:
        """Return the end of the log, and the next page as far as one reply of the server goes."""
        tail = await self._connection.tail()
        found = await self._queries.next(query, after, limit, tail)
        return tail, found.page(self._connection.bucket)

    async def _next(
        self, after: int, limit: int, opening: Sequence[Span], *, is_bounded: bool = True
    ) -> LogStretch:
        """Return the next events, from at most one reply of the server.

        Args:
            after: The position to start after.
            limit: The most events.
            opening: The commit that holds that position, or the last one before, if it is known.
            is_bounded: Whether to look for commits that begin within ``limit`` positions only, so
                that those of many events do not fill the memory. There are no others to be read,
                unless some are missing. Without it, a few commits are looked for, wherever they
                begin.
        """
        reply = RawReply()
        if not (opening and opening[-1].last >= after + limit):
            reply = await self._connection.first_raw_reply(
                {"_id": {"$gt": after, **({"$lte": after + limit} if is_bounded else {})}},
                limit=limit if is_bounded else min(limit, AT_HEAD),
                sort=[("_id", ASCENDING)],
            )
            follows = bool(reply.chunks) and first_of(reply).first == after + 1
            if after > 0 and not opening and not follows:
                opening = await self._queries.commit_at(after)
        found = stretch_of(after, limit, opening, reply)
        if found.last is not None and found.last.first > after + limit:
            return await self._next(after, limit, opening)
        return found


def _last(spans: Sequence[Span]) -> int:
    """Return the last position of commits in descending order; 0 if there are none."""
    return spans[0].last if spans else 0
