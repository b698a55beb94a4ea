"""Inspection of a log: an event by its id, a conversation, and the streams by their names.

The index of streams has an entry for each commit of each stream, the last commit first. Listing
streams reads some entries, and goes on after the last stream among them. So a stream of a million
commits costs no more than one of a few.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from attrs import frozen
from bson import MaxKey, MinKey
from pymongo import ASCENDING, DESCENDING

from eventhus import StreamId
from eventhus.ports import StoredEvent, StreamEnd, split_event_id
from eventhus_mongo.commits import CORRELATION, commit_size, decode_events, placed_parts
from eventhus_mongo.connection import STREAM_KEYS, Connection
from eventhus_mongo.documents import Document, not_ours

ENTRIES = 32  # of the index of streams that are read at once

_KEYS = [name for name, _ in STREAM_KEYS]

_Name: TypeAlias = tuple[str, str]
"""The type and the id of a stream, in the order of the index and of code points."""


class Inspector:
    """Looks into the log of one bucket on behalf of people."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def find_event(self, event_id: str) -> StoredEvent | None:
        """See ``Inspection.find_event``."""
        place = split_event_id(event_id)
        if place is None:
            return None
        commit_id, index = place
        reply = await self._connection.first_reply({"commit_id": commit_id}, limit=1)
        for document in reply.documents:
            if index < commit_size(document):
                return decode_events(document, [index])[0]
        return None

    async def related(self, correlation_id: str, after: int, limit: int) -> list[StoredEvent]:
        """See ``Inspection.related``."""
        others = {CORRELATION: {"$eq": correlation_id, "$type": "string"}}  # as the index says
        documents: list[Document] = []
        if after > 0:  # which may lie inside a commit
            before = await self._connection.first_reply(
                {**others, "_id": {"$lte": after}}, limit=1, sort=[("_id", DESCENDING)]
            )
            documents += before.documents
        reply = await self._connection.first_reply(
            {**others, "_id": {"$gt": after}}, limit=limit, sort=[("_id", ASCENDING)]
        )
        documents += reply.documents
        # Last: in the other order, the commit and an answer to it may land in between.
        own = await self._connection.first_reply({"commit_id": correlation_id}, limit=1)
        documents += own.documents
        if reply.is_cut:
            end = reply.documents[-1]["_id"]
            documents = [each for each in documents if not _is_after(each, end)]
        events: dict[int, StoredEvent] = {}
        for document in documents:
            first = max(after + 1 - _position(document), 0)
            indexes = range(first, commit_size(document))[:limit]
            for event in decode_events(document, indexes):
                if event.metadata.correlation_id == correlation_id:
                    events[event.position] = event
        return [events[position] for position in sorted(events)[:limit]]

    async def streams(
        self, stream_type: str | None, prefix: str, after: StreamId | None, limit: int
    ) -> list[StreamEnd]:
        """See ``Inspection.streams``."""
        start = _Start() if stream_type is None else _Start((stream_type, prefix))
        if after is not None:
            name = after.aggregate_type, after.aggregate_id
            if stream_type is None or name >= (stream_type, prefix):
                start = _Start(name, is_after=True)
        found: list[StreamEnd] = []
        is_last = False
        while not is_last and len(found) < limit:
            ends, start, is_last = await self._ends(start, stream_type, prefix)
            found += ends
        return found[:limit]

    async def _ends(
        self, start: _Start, stream_type: str | None, prefix: str
    ) -> tuple[list[StreamEnd], _Start, bool]:
        """Return the ends of the next streams, the next start, and whether they are the last.

        Raises:
            UnknownFormat: One of their commits was not written by this version of the library.
        """
        reply = await self._connection.first_reply(
            {},
            limit=ENTRIES,
            hint=STREAM_KEYS,
            min=dict(zip(_KEYS, start.bound, strict=True)),  # as ``Cursor.min`` makes it
            projection={"parts": 1, "format": 1, "entry": {"$meta": "indexKey"}},
        )
        ends: dict[_Name, StreamEnd] = {}
        last = start.name
        is_last = not reply.is_cut
        for document in reply.documents:
            type_, id_, version = [*map(document["entry"].get, _KEYS)]
            if not _is_in(type_, id_, stream_type, prefix):
                is_last = True
                break
            parts = placed_parts(document)
            if (type_, id_, version) not in _entries(document):
                raise not_ours(document)
            last = type_, id_
            # MongoDB returns a commit once, for the first of its streams.
            for part in parts:
                name = part.stream.aggregate_type, part.stream.aggregate_id
                if name not in ends or ends[name].version < part.version:
                    ends[name] = part
        names = sorted(name for name in ends if start.is_before(name))
        if is_last:
            names = [name for name in names if _is_in(*name, stream_type, prefix)]
        elif last is not None:
            names = [name for name in names if name <= last]
        return [ends[name] for name in names], _Start(last, is_after=True), is_last


@frozen
class _Start:
    """The place in the index of streams to read on from.

    Attributes:
        name: The type and the id of a stream; ``None`` for the beginning.
        is_after: Whether to leave out that stream.
    """

    name: _Name | None = None
    is_after: bool = False

    @property
    def bound(self) -> tuple[Any, Any, Any]:
        """The lower bound for the index, in which the versions of a stream descend."""
        type_, id_ = (MinKey(), MinKey()) if self.name is None else self.name
        return type_, id_, MinKey() if self.is_after else MaxKey()

    def is_before(self, name: _Name) -> bool:
        """Return whether a stream comes after this place."""
        return self.name is None or name > self.name or (name == self.name and not self.is_after)


def _is_in(type_: Any, id_: Any, stream_type: str | None, prefix: str) -> bool:
    if stream_type is None or (type_ == stream_type and not prefix):
        return True
    return type_ == stream_type and type(id_) is str and id_.startswith(prefix)


def _entries(document: Document) -> list[tuple[str, str, int]]:
    """Return the entries of the index of streams that a commit has."""
    return [(part["type"], part["id"], part["version"]) for part in document["parts"]]


def _position(document: Document) -> int:
    commit_size(document)  # it is a number then
    position: int = document["_id"]
    return position


def _is_after(document: Document, position: int) -> bool:
    return _position(document) > position
