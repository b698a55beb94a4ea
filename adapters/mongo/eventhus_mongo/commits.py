"""The documents of commits: plain, and readable in MongoDB's shell.

A commit is one document::

    {_id: <position of the first event>,
     parts: [{type, id, version: <of the part's first event>, size: <number of events>}, …],
     commit_id, command_id?, recorded_at, metadata: {correlation_id?, causation_id?, values?},
     events: [{type, schema?, tags?, data}, …]}

There is one part for each stream, and ``events`` has the events of the first part, then those of
the second, and so on. ``schema`` is omitted if it is 1, and ``tags`` if there are none. If a key of
``data`` or ``values`` has a meaning to MongoDB or its tools, the whole is stored as JSON text under
``data_json`` or ``values_json``.

Without ``correlation_id``, the commit begins a conversation, whose id is its ``commit_id``. Only a
commit without any conversation has a ``correlation_id`` that is null.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC
from typing import Any, NamedTuple, TypeAlias

import bson
from attrs import frozen
from bson import Int64
from bson.errors import BSONError

from eventhus import Metadata, StreamId
from eventhus.adapter_support.limits import LARGEST
from eventhus.domain.recorded import (
    unchecked_event_data,
    unchecked_metadata,
    unchecked_recorded,
    unchecked_stream_id,
)
from eventhus.errors import CommitTooLarge, InvalidCommit
from eventhus.ports import (
    Commit,
    EventData,
    Part,
    StoredCommit,
    StoredEvent,
    StreamEnd,
    event_id,
)
from eventhus_mongo.documents import (
    LIMIT_BYTES,
    MALFORMED,
    Document,
    as_text,
    as_time,
    check_format,
    get_data,
    not_ours,
    put_data,
)

ENVELOPE = ("command_id", "recorded_at", "metadata")
"""The fields of a commit that are not needed to fold a state."""

PLACE = ("parts.size", "commit_id", "format")
"""The fields of a commit that tell the positions and the ids of its events."""

CORRELATION = "metadata.correlation_id"
"""The field of a commit that names its conversation, unless that has the id of the commit."""

_NO_TAGS: frozenset[str] = frozenset()

_Part: TypeAlias = tuple[StreamId, int, int]
"""A stream, the version of its first event in a document, and the number of its events there."""


@frozen
class Encoded:
    """A commit as a document without a place in the log, and its size."""

    document: Document
    size_bytes: int

    def at(self, position: int, versions: Sequence[int]) -> Document:
        """Return the complete document, which is valid until the next call.

        Args:
            position: The position of the first event.
            versions: For each part, the version of its first event.
        """
        # In place, for speed: a commit is sent again only after the insert before has ended.
        for part, version in zip(self.document["parts"], versions, strict=True):
            part["version"] = version
        return {"_id": Int64(position), **self.document}


class Span(NamedTuple):
    """Consecutive events of a document, as a reader numbers them.

    Attributes:
        document: The commit.
        first: The number of the first event: its position, or its version in one stream.
        last: The number of the last event.
        offset: The index of the first event among the events of the commit.
    """

    document: Document
    first: int
    last: int
    offset: int


def encode_commit(commit: Commit) -> Encoded:
    """Turn a commit into its document.

    Raises:
        InvalidCommit: The data of an event is not plain, or an id is not text.
        CommitTooLarge: It would not fit into one document.
    """
    document: Document = {
        "parts": [
            {
                "type": part.stream.aggregate_type,
                "id": part.stream.aggregate_id,
                "version": 0,  # set later; here it has its place in the order of the fields
                "size": len(part.events),
            }
            for part in commit.parts
        ],
        "commit_id": commit.id,
    }
    if commit.command_id is not None:
        document["command_id"] = commit.command_id
    # MongoDB's dates have milliseconds only. This text sorts like the times.
    document["recorded_at"] = commit.recorded_at.astimezone(UTC).isoformat(timespec="microseconds")
    document["metadata"] = _encode_metadata(commit.metadata, commit.id)
    document["events"] = [
        _encode_event(part.stream, event) for part in commit.parts for event in part.events
    ]
    try:
        size_bytes = len(bson.encode({"_id": Int64(0), **document}))
    except (BSONError, OverflowError, UnicodeError) as error:
        raise InvalidCommit(
            f"the commit for {commit.stream} cannot be stored, because of its ids, the names of "
            f"its events or their schema numbers: {type(error).__name__}"
        ) from None  # the driver's error quotes the document
    if size_bytes > LIMIT_BYTES:
        raise CommitTooLarge(commit.stream, size_bytes, LIMIT_BYTES)
    return Encoded(document, size_bytes)


def decode_commit(document: Document) -> StoredCommit:
    """Return the commit in a document. Its parts expect the versions that they met.

    Raises:
        UnknownFormat: The document was not written by this version of the library.
    """
    whole = log_span(document)
    events = iter(events_of(document))
    try:
        places = [*_parts(document)]
        parts = [
            Part(
                stream=stream,
                events=[next(events) for _ in range(size)],
                expected_version=version - 1,
            )
            for stream, version, size in places
        ]
        commit_id = as_text(document["commit_id"])
        commit = Commit(
            id=commit_id,
            parts=parts,
            recorded_at=as_time(document["recorded_at"]),
            metadata=_decode_metadata(document["metadata"], commit_id),
            command_id=as_text(document["command_id"]) if "command_id" in document else None,
        )
    except MALFORMED:
        raise not_ours(document) from None
    versions = [version for _, version, _ in places]
    return StoredCommit(commit=commit, versions=versions, position=whole.first)


def decode_events(document: Document, indexes: Sequence[int]) -> list[StoredEvent]:
    """Return some of the events, in their envelopes. Raises what ``decode_commit`` does.

    Every event of the log passes through here, so checks are written out instead of called.

    Args:
        document: A commit.
        indexes: The places of the events among those of the commit, from 0.
    """
    try:
        position, commit_id, events = document["_id"], document["commit_id"], document["events"]
        if type(position) is not int or type(commit_id) is not str:
            raise not_ours(document)
        recorded_at = as_time(document["recorded_at"])
        metadata = _decode_metadata(document["metadata"], commit_id)
        origins = _origins(document["parts"], len(events))
        found: list[StoredEvent] = []
        for index in indexes:
            stream, shift = origins[index]
            found.append(
                unchecked_recorded(
                    stream=stream,
                    version=index + shift,
                    position=index + position,
                    id=event_id(commit_id, index),
                    event=_decode_event(events[index]),
                    recorded_at=recorded_at,
                    metadata=metadata,
                )
            )
    except MALFORMED:
        raise not_ours(document) from None  # the parser's error holds the data
    return found


def events_of(document: Document, start: int = 0, end: int | None = None) -> list[EventData]:
    """Return a range of the bare events, by default all. Raises what ``decode_commit`` does."""
    try:
        if len(document["events"]) != sum([part["size"] for part in document["parts"]]):
            raise not_ours(document)
        return [_decode_event(event) for event in document["events"][start:end]]
    except MALFORMED:
        raise not_ours(document) from None  # the parser's error holds the data


def names_of(document: Document, start: int = 0) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield the type and the tags of each event from an index on: all that a query looks at.

    Raises:
        UnknownFormat: The document was not written by this version of the library.
    """
    try:
        events = document["events"]
        if len(events) != sum([part["size"] for part in document["parts"]]):
            raise not_ours(document)
        for event in events[start:] if start else events:
            yield as_text(event["type"]), _tags(event)
    except MALFORMED:
        raise not_ours(document) from None


def event_id_of(document: Document, index: int) -> str:
    """Return the id of the event at ``index``, from 0. Raises what ``decode_commit`` does."""
    try:
        return event_id(as_text(document["commit_id"]), index)
    except MALFORMED:
        raise not_ours(document) from None


def readable_event_id(document: Document, index: int) -> str:
    """Return the same id, or nothing if it cannot be read, which a look at the event tells."""
    commit_id = document.get("commit_id")
    return event_id(commit_id, index) if type(commit_id) is str else ""


def log_span(document: Document) -> Span:
    """Return all events of a document, numbered by their positions.

    Args:
        document: A commit, or at least its field ``format`` and the sizes of its parts.

    Raises:
        UnknownFormat: The document was not written by this version of the library, or has another
            number of events than its parts say.
    """
    size = commit_size(document)
    first: int = document["_id"]
    return Span(document, first, first + size - 1, 0)


def commit_size(document: Document) -> int:
    """Return the number of events in a document. Its fields are checked as ``log_span`` does."""
    check_format(document)
    size = 0
    try:
        first = document["_id"]
        for part in document["parts"]:
            each = part["size"]
            if type(each) is not int or each < 1:
                raise not_ours(document)
            size += each
        if "events" in document and len(document["events"]) != size:
            raise not_ours(document)
    except MALFORMED:
        raise not_ours(document) from None
    if type(first) is not int or first < 1 or size == 0 or first + size > LARGEST:
        raise not_ours(document)
    return size


def stream_span(document: Document, stream: StreamId) -> Span:
    """Return the events of one stream in a document, numbered by their versions.

    Args:
        document: A commit that adds to the stream, or at least its fields ``_id``, ``parts`` and
            ``format``.
        stream: The stream.

    Raises:
        UnknownFormat: The document was not written by this version of the library.
    """
    check_format(document)
    if type(document.get("_id")) is not int:
        raise not_ours(document)
    offset = 0
    try:
        for part in document["parts"]:
            version, size = _numbers(part)
            if part["id"] == stream.aggregate_id and part["type"] == stream.aggregate_type:
                return Span(document, version, version + size - 1, offset)
            offset += size
    except MALFORMED:
        pass
    raise not_ours(document)


def placed_parts(document: Document) -> list[StreamEnd]:
    """Return for each part its stream, and the version and position of its last event.

    Args:
        document: A commit, or at least its fields ``_id``, ``parts`` and ``format``.

    Raises:
        UnknownFormat: The document was not written by this version of the library.
    """
    position = document["_id"] + commit_size(document) - 1
    ends: list[StreamEnd] = []
    try:
        for stream, version, size in reversed([*_parts(document)]):
            ends.append(StreamEnd(stream=stream, version=version + size - 1, position=position))
            position -= size
        if len({end.stream for end in ends}) < len(ends):
            raise not_ours(document)
    except MALFORMED:
        raise not_ours(document) from None
    return ends


def stream_places(document: Document) -> Iterator[tuple[str, str, Any]]:
    """Yield the type and the id of each stream in a document, and the first version there.

    The document was found by a filter for streams. Such a filter also finds an array of which one
    member matches; that belongs to no stream.
    """
    for part in document["parts"]:
        if isinstance(part, dict):
            type_, id_ = part.get("type"), part.get("id")
            if type(type_) is str and type(id_) is str:
                yield type_, id_, part.get("version")


def stream_filter(stream: StreamId, **versions: Any) -> dict[str, Any]:
    """Return a filter for the commits of a stream, whose part satisfies a condition.

    Without ``$elemMatch``, the id of one part would match together with the version of another.
    """
    part = {"id": stream.aggregate_id, "type": stream.aggregate_type, **versions}
    return {"parts": {"$elemMatch": part}}


def _parts(document: Document) -> Iterator[_Part]:
    for part in document["parts"]:
        yield StreamId(as_text(part["type"]), as_text(part["id"])), *_numbers(part)


def _origins(parts: Sequence[Document], events: int) -> list[tuple[StreamId, int]]:
    """Return for each event its stream, and by how much its version exceeds its index."""
    origins: list[tuple[StreamId, int]] = []
    for part in parts:
        type_, id_, version, size = part["type"], part["id"], part["version"], part["size"]
        if not (type(type_) is type(id_) is str and type_ and id_):
            raise TypeError("the name of a stream is empty or of another type")
        if not (
            type(version) is type(size) is int and version > 0 and 0 < size <= LARGEST - version
        ):
            raise ValueError("versions and sizes are whole numbers from 1, and no log is so long")
        if len(origins) + size > events:  # before a list of that size is made
            raise ValueError("the parts have more events than the commit")
        origin = unchecked_stream_id(type_, id_), version - len(origins)
        origins += [origin] if size == 1 else [origin] * size
    if len(origins) < events:
        raise ValueError("the parts have fewer events than the commit")
    return origins


def _numbers(part: Document) -> tuple[int, int]:
    """Return the version and the size of a part. The next version is stored in 64 bits."""
    version, size = part["version"], part["size"]
    if type(version) is type(size) is int and version > 0 and 0 < size <= LARGEST - version:
        return version, size
    raise ValueError("versions and sizes are whole numbers from 1, and no log is so long")


def _encode_event(stream: StreamId, event: EventData) -> Document:
    document: Document = {"type": event.type}
    if event.schema != 1:
        document["schema"] = event.schema
    if event.tags:
        document["tags"] = sorted(event.tags)
    try:
        put_data(document, "data", event.data)
    except ValueError as error:
        raise InvalidCommit(
            f"the data of {event.type} for {stream} is not JSON-compatible: {error}"
        ) from error
    return document


def _decode_event(document: Document) -> EventData:
    type_, schema = document["type"], document.get("schema", 1)
    if not (type(type_) is str and type(schema) is int and schema > 0):
        raise TypeError("the name or the schema of an event is of another type")
    return unchecked_event_data(
        type_,
        document["data"] if "data" in document else get_data(document, "data"),
        schema,
        _tags(document),
    )


def _tags(event: Document) -> frozenset[str]:
    if "tags" not in event:
        return _NO_TAGS
    tags = event["tags"]
    if type(tags) is not list:  # of a text or an object, a set has the letters or the keys
        raise TypeError("tags are of another type")
    return frozenset(map(as_text, tags))


def _encode_metadata(metadata: Metadata, commit_id: str) -> Document:
    document: Document = {}
    if metadata.correlation_id != commit_id:  # so that most commits are not in the index
        document["correlation_id"] = metadata.correlation_id
    if metadata.causation_id is not None:
        document["causation_id"] = metadata.causation_id
    if metadata.values:
        put_data(document, "values", dict(metadata.values))
    return document


def _decode_metadata(document: Document, commit_id: str) -> Metadata:
    correlation_id = document.get("correlation_id", commit_id)
    causation_id = document.get("causation_id")
    if "values" in document or "values_json" in document:
        values: Mapping[str, str] = get_data(document, "values")
        if type(values) is not dict:
            raise TypeError("the values of metadata are of another type")
        return Metadata(correlation_id, causation_id, values)
    if not (_is_id_or_none(correlation_id) and _is_id_or_none(causation_id)):
        raise TypeError("the id of a message is empty or of another type")
    return unchecked_metadata(correlation_id, causation_id)


def _is_id_or_none(value: object) -> bool:
    return value is None or (type(value) is str and value != "")
