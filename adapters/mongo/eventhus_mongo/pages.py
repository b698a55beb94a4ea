"""From documents, each a whole commit, to the events that a reader asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, TypeAlias

from eventhus import EventData, LogCorrupted, StreamId
from eventhus.ports import Slice, StoredEvent, event_id
from eventhus_mongo.documents import (
    Document,
    check_format,
    decode_events,
    events_of,
    not_ours,
)

Count = Literal["version", "_id"]
"""What is counted: the events of one stream, or those of the log. Also the field of the first."""


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
        check_format(document)
        try:
            start: int = document[counted]
            end: int = start + document["size"]  # behind its last event
        except (KeyError, TypeError) as error:
            raise not_ours(document) from error
        if start > after + 1:
            raise LogCorrupted(_stream(document, counted), after + 1, start)
        if end > after + 1:
            last = min(end - 1, until)
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
        event_id=event_id(document["commit_id"], last - 1),
    )


def recorded(
    documents: Sequence[Document], counted: Count, after: int, limit: int
) -> list[StoredEvent]:
    """The next events, each in its envelope. Raises like ``parts``."""
    events: list[StoredEvent] = []
    for document, first, last in parts(documents, counted, after, limit):
        events += decode_events(document)[first:last]
    return events


def _stream(document: Document, counted: Count) -> StreamId | None:
    if counted == "_id":
        return None
    return StreamId(document["aggregate_type"], document["aggregate_id"])
