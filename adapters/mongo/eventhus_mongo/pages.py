"""Cuts documents, each a whole commit, into the events that a reader asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from eventhus.errors import LogCorrupted
from eventhus.ports import EventData, Slice, StoredEvent
from eventhus_mongo.documents import (
    Count,
    Document,
    decode_events,
    event_id_of,
    events_of,
    span,
    stream_of,
)

Part: TypeAlias = tuple[Document, int, int]
"""A document, and the range of its events that a reader asked for, as start and end indexes."""


def parts(documents: Sequence[Document], counted: Count, after: int, limit: int) -> Iterator[Part]:
    """Yield the next ``limit`` events after ``after``, document by document.

    Raises:
        LogCorrupted: There is a gap between the documents.
        UnknownFormat: A document was not written by this version of the library.
    """
    until = after + limit
    for document in documents:
        start, last = span(document, counted)
        if start > after + 1:
            stream = None if counted == "_id" else stream_of(document)
            raise LogCorrupted(stream, after + 1, start)
        if last > after:
            last = min(last, until)
            yield document, after + 1 - start, last + 1 - start
            after = last
        if after == until:
            return


def slice_of(
    documents: Sequence[Document], after: int, limit: int, *, is_cut: bool = False
) -> Slice:
    """Return the next events of a stream without envelopes. Raises what ``parts`` does.

    Args:
        documents: The commits.
        after: The version to start after.
        limit: The most events.
        is_cut: True if there may be more commits than these.
    """
    events: list[EventData] = []
    document: Document = {}
    last = 0
    for document, first, last in parts(documents, "version", after, limit):
        events += events_of(document, first, last)
    if not events:
        return Slice(events=(), version=0, position=0, event_id="")
    return Slice(
        events=events,
        version=document["version"] + last - 1,
        position=document["_id"] + last - 1,
        event_id=event_id_of(document, last - 1),
        is_cut=is_cut and len(events) < limit,
    )


def recorded(
    documents: Sequence[Document], counted: Count, after: int, limit: int
) -> list[StoredEvent]:
    """Return the next events in their envelopes. Raises what ``parts`` does."""
    events: list[StoredEvent] = []
    for document, first, last in parts(documents, counted, after, limit):
        events += decode_events(document, first, last)
    return events
