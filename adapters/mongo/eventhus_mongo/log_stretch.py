"""A stretch of the log as the server sent it, decoded a few commits at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from attrs import frozen

from eventhus.errors import LogCorrupted
from eventhus.ports import Page
from eventhus_mongo.commits import Span, commit_size, log_span
from eventhus_mongo.connection import RawReply, end_of
from eventhus_mongo.documents import decode_reply
from eventhus_mongo.lazy_events import LazyEvents, Some
from eventhus_mongo.pages import pieces


@frozen(kw_only=True)
class LogStretch:
    """The events after a position, of commits that follow each other.

    The positions of the first and of the last commit are checked at once, and each commit between
    them when its events are looked at. Decoding all of a reply first, and looking at it later,
    would take almost twice as long: a thousand documents do not fit into the processor's cache.

    Attributes:
        after: The position to start after.
        limit: The most events.
        opening: The commit that the position lies in, or the last one before it, if it is known.
        last: The last commit, if there is any.
        chunks: The commits after ``opening``.
        is_cut: Whether there may be more within the limit.
    """

    after: int
    limit: int
    opening: Sequence[Span]
    last: Span | None
    chunks: Sequence[bytes] = ()
    is_cut: bool = False

    @property
    def size(self) -> int:
        """The number of the events."""
        return 0 if self.last is None else max(min(self.last.last - self.after, self.limit), 0)

    def __iter__(self) -> Iterator[Some]:
        """Yield the events, commit by commit.

        Raises:
            LogCorrupted: Commits are missing.
            UnknownFormat: A commit was not written by this version of the library.
        """
        after, until = self.after, self.after + self.limit
        for span, start, end in pieces(self.opening, after, self.limit):
            yield span.document, range(start, end)
            after += end - start
        for chunk in self.chunks:
            for document in decode_reply(chunk):
                size = commit_size(document)
                position = document["_id"]
                if position != after + 1:
                    raise LogCorrupted(None, after + 1, position)
                yield document, range(min(size, until - after))
                after += size

    def page(self, bucket: str) -> Page:
        """Return the page of these events."""
        position = self.after + self.size
        tail = None if self.last is None else end_of(self.last, position)
        return Page(
            events=LazyEvents(bucket, self, self.size),
            position=position,
            event_id="" if tail is None else tail.event_id,
            is_last=not self.is_cut and self.size < self.limit,
        )


def stretch_of(after: int, limit: int, opening: Sequence[Span], reply: RawReply) -> LogStretch:
    """Return the stretch of a reply, whose commits begin after the position.

    Raises:
        LogCorrupted: Commits are missing before the first of them.
        UnknownFormat: The first or the last one was not written by this version of the library.
    """
    last = opening[-1] if opening else None
    if reply.chunks:
        end = after if last is None else max(after, last.last)
        first = first_of(reply)
        if first.first != end + 1:
            raise LogCorrupted(None, end + 1, first.first)
        last = log_span(*decode_reply(reply.last))
    return LogStretch(
        after=after,
        limit=limit,
        opening=opening,
        last=last,
        chunks=reply.chunks,
        is_cut=reply.is_cut,
    )


def first_of(reply: RawReply) -> Span:
    """Return the first commit in a reply that has one. Raises what ``log_span`` does."""
    return log_span(*decode_reply(reply.first))
