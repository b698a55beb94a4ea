"""Cuts documents, each a whole commit, into the events that a reader asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias

from eventhus import StreamId
from eventhus.errors import LogCorrupted
from eventhus.ports import EventData, Slice, StoredEvent
from eventhus_mongo.commits import Span, decode_events, event_id_of, events_of
from eventhus_mongo.lazy_events import Some

Piece: TypeAlias = tuple[Span, int, int]
"""A part of a span: the range of its events in the document, as start and end indexes."""


def pieces(
    spans: Iterable[Span], after: int, limit: int, stream: StreamId | None = None
) -> Iterator[Piece]:
    """Yield the next ``limit`` events after the number ``after``, document by document.

    Args:
        spans: The events of documents, in order.
        after: The number to start after.
        limit: The most events.
        stream: The stream in which they are numbered; ``None`` for the log.

    Raises:
        LogCorrupted: There is a gap between the documents.
        UnknownFormat: A document was not written by this version of the library.
    """
    until = after + limit
    for span in spans:
        if span.first > after + 1:
            raise LogCorrupted(stream, after + 1, span.first)
        if span.last > after:
            last = min(span.last, until)
            shift = span.offset - span.first
            yield span, after + 1 + shift, last + 1 + shift
            after = last
        if after == until:
            return


def slice_of(
    spans: Iterable[Span], after: int, limit: int, stream: StreamId, *, is_cut: bool = False
) -> Slice:
    """Return the next events of a stream without envelopes. Raises what ``pieces`` does.

    Args:
        spans: The events of the stream in its commits.
        after: The version to start after.
        limit: The most events.
        stream: The stream.
        is_cut: Whether there may be more commits than these.
    """
    events: list[EventData] = []
    span, end, first_event_id = Span({}, 0, 0, 0), 0, ""
    for span, start, end in pieces(spans, after, limit, stream):
        events += events_of(span.document, start, end)
        first_event_id = first_event_id or event_id_of(span.document, start)
    if not events:
        return Slice(events=(), version=0, position=0, event_id="", first_event_id="")
    return Slice(
        events=events,
        version=span.first + end - 1 - span.offset,
        position=span.document["_id"] + end - 1,
        event_id=event_id_of(span.document, end - 1),
        first_event_id=first_event_id,
        is_cut=is_cut and len(events) < limit,
    )


def pieces_backwards(spans: Iterable[Span], before: int | None, limit: int) -> list[Some]:
    """Return the events of the log before a position, last first, for a page.

    Args:
        spans: The events of documents, last first. The first of them begins before the position.
        before: The position; ``None`` for the end of the log.
        limit: The most events.

    Raises:
        LogCorrupted: There is a gap between the documents.
    """
    found: list[Some] = []
    above: int | None = None
    for span in spans:
        if above is not None and span.last + 1 != above:
            raise LogCorrupted(None, span.last + 1, above)
        last = span.last if before is None else min(span.last, before - 1)
        indexes = range(last - span.first, -1, -1)[:limit]
        found.append((span.document, indexes))
        limit -= len(indexes)
        if limit == 0:
            break
        above = span.first
    return found


def recorded(spans: Iterable[Span], after: int, limit: int, stream: StreamId) -> list[StoredEvent]:
    """Return the next events of a stream in their envelopes. Raises what ``pieces`` does."""
    events: list[StoredEvent] = []
    for span, start, end in pieces(spans, after, limit, stream):
        events += decode_events(span.document, range(start, end))
    return events
