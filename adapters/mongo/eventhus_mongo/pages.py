"""From documents, each a whole commit, to the events that a reader asked for."""

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
"""A document, and which of its events a reader asked for: those from one index up to another."""


def parts(documents: Sequence[Document], counted: Count, after: int, limit: int) -> Iterator[Part]:
    """The next ``limit`` events behind ``after``, document by document.

    Raises:
        LogCorrupted: The documents do not go on right behind one another.
        UnknownFormat: A document is none of ours, or of a newer version's.
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


def slice_of(documents: Sequence[Document], after: int, limit: int) -> Slice:
    """The next events of a stream, bare. Raises like ``parts``."""
    events: list[EventData] = []
    document: Document = {}
    last = 0
    for document, first, last in parts(documents, "version", after, limit):
        events += events_of(document)[first:last]
    if not events:
        return Slice(events=(), version=0, position=0, event_id="")
    return Slice(
        events=events,
        version=document["version"] + last - 1,
        position=document["_id"] + last - 1,
        event_id=event_id_of(document, last - 1),
    )


def recorded(
    documents: Sequence[Document], counted: Count, after: int, limit: int
) -> list[StoredEvent]:
    """The next events, each in its envelope. Raises like ``parts``."""
    events: list[StoredEvent] = []
    for document, first, last in parts(documents, counted, after, limit):
        events += decode_events(document)[first:last]
    return events
