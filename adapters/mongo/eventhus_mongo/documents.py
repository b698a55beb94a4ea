"""The documents of commits and snapshots: plain, and readable in MongoDB's shell.

A commit is one document::

    {_id: <position of the first event>, aggregate_type, aggregate_id,
     version: <of the first event>, size: <number of events>, commit_id, command_id?, recorded_at,
     metadata: {correlation_id?, causation_id?, values?}, events: [{type, schema?, data}, …]}

``schema`` is omitted if it is 1. If a key of ``data`` or ``values`` has a meaning to MongoDB or its
tools, the whole is stored as JSON text under ``data_json`` or ``values_json``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

import bson
from attrs import frozen
from bson import Int64
from bson.codec_options import CodecOptions, DatetimeConversion, TypeDecoder, TypeRegistry
from bson.errors import BSONError
from bson.raw_bson import DEFAULT_RAW_BSON_OPTIONS as _RAW
from bson.raw_bson import RawBSONDocument
from pymongo.common import MAX_BSON_SIZE

from eventhus import Metadata, Recorded, StreamId
from eventhus.adapter_support import check_plain_data
from eventhus.errors import CommitTooLarge, InvalidArgument, InvalidCommit
from eventhus.ports import Commit, EventData, Snapshot, StoredCommit, StoredEvent, event_id

Document: TypeAlias = dict[str, Any]

Count: TypeAlias = Literal["version", "_id"]
"""The numbering of events: in their stream, or in the log. Also the field of the first number."""

FORMAT = 1
"""The version of this form. A document of another version says so in its field ``format``."""

ENVELOPE = ("command_id", "recorded_at", "metadata")
"""The fields of a commit that are not needed to fold a state."""

MOST = 2**62  # events in a log, by far

LIMIT_BYTES = MAX_BSON_SIZE  # 16 MiB, of every MongoDB since 1.8


class _PlainInt(TypeDecoder):
    """Reads 64-bit integers as ``int`` instead of the driver's own class."""

    @property
    def bson_type(self) -> type[Int64]:
        return Int64

    def transform_bson(self, value: Any) -> int:
        return int(value)


OPTIONS: CodecOptions[Document] = CodecOptions(type_registry=TypeRegistry([_PlainInt()]))
"""The options for reading documents, whatever the client's options for other uses are."""

# They read what the strict options refuse: dates beyond Python's, and text that is not UTF-8.
_LENIENT = OPTIONS.with_options(
    datetime_conversion=DatetimeConversion.DATETIME_MS, unicode_decode_error_handler="replace"
)
_INVALID = "\0invalid"  # BSON has no NUL in keys, so no stored document has this one


# Whatever decoding a document of another form may raise.
MALFORMED = (AttributeError, LookupError, TypeError, ValueError, ArithmeticError, RecursionError)


def decode_reply(reply: bytes) -> list[Document]:
    """Return the documents in a reply of the server.

    A document that is not valid BSON is marked, and ``check_format`` refuses it. So it fails only
    the caller that asked for it, not its neighbours in the same reply.
    """
    try:
        return bson.decode_all(reply, OPTIONS)
    except BSONError:
        return [_decode_leniently(document) for document in bson.decode_all(reply, _RAW)]


def _decode_leniently(document: RawBSONDocument) -> Document:
    try:
        return bson.decode(document.raw, OPTIONS)
    except BSONError:
        return {**bson.decode(document.raw, _LENIENT), _INVALID: True}


class UnknownFormat(Exception):
    """A document does not have the form above. It never leaves this package."""


@frozen
class Encoded:
    """A commit as a document without a place in the log, and its size."""

    document: Document
    size_bytes: int

    def at(self, position: int, version: int) -> Document:
        """Return the complete document, with the position and version of the first event."""
        return {"_id": Int64(position), **self.document, "version": version}


def encode_commit(commit: Commit) -> Encoded:
    """Turn a commit into its document.

    Raises:
        InvalidCommit: The data of an event is not plain, or an id is not text.
        CommitTooLarge: It would not fit into one document.
    """
    document: Document = {
        "aggregate_type": commit.stream.aggregate_type,
        "aggregate_id": commit.stream.aggregate_id,
        "version": 0,  # set later; here it has its place in the order of the fields
        "size": len(commit.events),
        "commit_id": commit.id,
    }
    if commit.command_id is not None:
        document["command_id"] = commit.command_id
    # MongoDB's dates have milliseconds only. This text sorts like the times.
    document["recorded_at"] = commit.recorded_at.astimezone(UTC).isoformat(timespec="microseconds")
    document["metadata"] = _encode_metadata(commit.metadata)
    document["events"] = [_encode_event(commit.stream, event) for event in commit.events]
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
    """Return the commit in a document. Its ``expected_version`` is the version that it met.

    Raises:
        UnknownFormat: The document was not written by this version of the library.
    """
    version, _ = span(document, "version")
    position, _ = span(document, "_id")
    try:
        commit = Commit(
            id=_text(document["commit_id"]),
            stream=stream_of(document),
            events=events_of(document),
            expected_version=version - 1,
            recorded_at=_recorded_at(document),
            metadata=_decode_metadata(document["metadata"]),
            command_id=_text(document["command_id"]) if "command_id" in document else None,
        )
        return StoredCommit(commit=commit, version=version, position=position)
    except MALFORMED:
        raise not_ours(document) from None


def decode_events(document: Document, start: int, end: int) -> list[StoredEvent]:
    """Return a range of the events, in their envelopes. Raises what ``decode_commit`` does."""
    check_format(document)
    try:
        version, position = document["version"], document["_id"]
        if not (type(version) is int and type(position) is int):
            raise not_ours(document)
        stream = stream_of(document)
        recorded_at = _recorded_at(document)
        metadata = _decode_metadata(document["metadata"])
        commit_id = _text(document["commit_id"])
        return [
            Recorded(
                stream=stream,
                version=version + index,
                position=position + index,
                id=event_id(commit_id, index),
                event=event,
                recorded_at=recorded_at,
                metadata=metadata,
            )
            for index, event in enumerate(events_of(document, start, end), start)
        ]
    except MALFORMED:
        raise not_ours(document) from None


def stream_of(document: Document) -> StreamId:
    """Return the stream that a document belongs to."""
    return StreamId(document["aggregate_type"], document["aggregate_id"])


def events_of(document: Document, start: int = 0, end: int | None = None) -> list[EventData]:
    """Return a range of the bare events, by default all. Raises what ``decode_commit`` does."""
    try:
        if len(document["events"]) != document["size"]:
            raise not_ours(document)
        return [_decode_event(event) for event in document["events"][start:end]]
    except MALFORMED:
        raise not_ours(document) from None  # the parser's error holds the data


def event_id_of(document: Document, index: int) -> str:
    """Return the id of the event at ``index``, from 0. Raises what ``decode_commit`` does."""
    try:
        return event_id(_text(document["commit_id"]), index)
    except MALFORMED:
        raise not_ours(document) from None


def span(document: Document, counted: Count) -> tuple[int, int]:
    """Return the first and the last number of the events. Raises what ``decode_commit`` does.

    Args:
        document: A commit, or at least its fields ``counted``, ``size`` and ``format``.
        counted: The numbering.
    """
    check_format(document)
    first, size = document.get(counted), document.get("size")
    if not (type(first) is int and type(size) is int and first > 0 and size > 0):
        raise not_ours(document)
    return first, first + size - 1


def last_position(document: Document) -> int:
    """Return the position of the last event. Raises what ``decode_commit`` does."""
    return span(document, "_id")[1]


def last_version(document: Document) -> int:
    """Return the version of the last event. Raises what ``decode_commit`` does."""
    return span(document, "version")[1]


def check_format(document: Document) -> None:
    """Refuse a document that is invalid or was written by a newer version of this library.

    Raises:
        UnknownFormat: It is.
    """
    if _INVALID in document:
        raise UnknownFormat(
            f"the document {document.get('_id')!r} holds invalid dates or text; repair it"
        )
    if document.get("format", FORMAT) != FORMAT:
        raise UnknownFormat(
            f"the commit at position {document.get('_id')} was written by a newer version of "
            f"eventhus, in form {document['format']!r}, and this one knows form {FORMAT}; "
            f"upgrade eventhus"
        )


def not_ours(document: Document) -> UnknownFormat:
    """Return the error for a document that does not have the form above."""
    return UnknownFormat(
        f"the document {document.get('_id')!r} was not written by eventhus; use another bucket, "
        f"or move foreign documents out of this database"
    )


def encode_snapshot(snapshot: Snapshot) -> Document:
    """Turn a snapshot into its document.

    Raises:
        InvalidArgument: The data is not plain, or too large for one document.
    """
    document: Document = {
        "_id": stream_key(snapshot.stream),
        "version": Int64(snapshot.version),
        "position": Int64(snapshot.position),
        "event_id": snapshot.event_id,
        "fingerprint": snapshot.fingerprint,
    }
    try:
        _put(document, "data", snapshot.data)
    except ValueError as error:
        raise InvalidArgument(
            f"the snapshot of {snapshot.stream} is not JSON-compatible: {error}"
        ) from error
    size_bytes = len(bson.encode(document))
    if size_bytes > LIMIT_BYTES:
        raise InvalidArgument(
            f"the snapshot of {snapshot.stream} takes {size_bytes:,} bytes, and MongoDB stores at "
            f"most {LIMIT_BYTES:,} in one document; keep less in the state"
        )
    return document


def readable_snapshot(document: Document) -> Snapshot | None:
    """Return the snapshot in a document, or ``None`` if it is not of the form above.

    A snapshot only saves time, so one that cannot be read is as good as none.
    """
    version, position = document.get("version"), document.get("position")
    names = document.get("event_id"), document.get("fingerprint")
    is_known = document.get("format", FORMAT) == FORMAT and _INVALID not in document
    if not (is_known and type(version) is int and type(position) is int):
        return None
    if not (0 < version <= MOST and 0 <= position <= MOST):
        return None
    if not all(type(name) is str for name in names):
        return None
    try:
        data = _get(document, "data")
        check_plain_data(data)
        return Snapshot(
            stream=stream_of(document["_id"]),
            version=version,
            position=position,
            event_id=document["event_id"],
            fingerprint=document["fingerprint"],
            data=data,
        )
    except MALFORMED:
        return None


def stream_key(stream: StreamId) -> Document:
    """Return the filter for the commits of a stream, which is also the ``_id`` of its snapshot."""
    return {"aggregate_type": stream.aggregate_type, "aggregate_id": stream.aggregate_id}


def _encode_event(stream: StreamId, event: EventData) -> Document:
    document: Document = {"type": event.type}
    if event.schema != 1:
        document["schema"] = event.schema
    try:
        _put(document, "data", event.data)
    except ValueError as error:
        raise InvalidCommit(
            f"the data of {event.type} for {stream} is not JSON-compatible: {error}"
        ) from error
    return document


def _decode_event(document: Document) -> EventData:
    type_, schema = document["type"], document.get("schema", 1)
    if not (type(type_) is str and type(schema) is int and schema > 0):
        raise TypeError("the name or the schema of an event is of another type")
    data = document["data"] if "data" in document else json.loads(document["data_json"])
    return EventData(type_, data, schema)


def _text(value: object) -> str:
    if type(value) is not str:
        raise TypeError("an id is of another type")
    return value


def _recorded_at(document: Document) -> datetime:
    recorded_at = datetime.fromisoformat(document["recorded_at"])
    if recorded_at.utcoffset() is None:
        raise ValueError("a time without its offset")
    return recorded_at


def _encode_metadata(metadata: Metadata) -> Document:
    document: Document = {}
    if metadata.correlation_id is not None:
        document["correlation_id"] = metadata.correlation_id
    if metadata.causation_id is not None:
        document["causation_id"] = metadata.causation_id
    if metadata.values:
        _put(document, "values", dict(metadata.values))
    return document


def _decode_metadata(document: Document) -> Metadata:
    if "values" in document or "values_json" in document:
        values: Mapping[str, str] = _get(document, "values")
    else:
        values = {}
    return Metadata(document.get("correlation_id"), document.get("causation_id"), values)


def as_json(data: Any) -> str:
    """Return plain data as JSON text."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def _put(document: Document, name: str, data: Any) -> None:
    check_plain_data(data)
    if has_special_key(data):
        document[f"{name}_json"] = as_json(data)
    else:
        document[name] = data


def _get(document: Document, name: str) -> Any:
    return document[name] if name in document else json.loads(document[f"{name}_json"])


def has_special_key(data: Any) -> bool:
    """Return whether a key in plain data has a meaning to MongoDB or its tools."""
    # BSON has no NUL in keys, `$` begins an operator, and the driver turns `$ref` into a DBRef.
    if isinstance(data, dict):
        return any(
            "\0" in key or key.startswith("$") or has_special_key(value)
            for key, value in data.items()
        )
    return isinstance(data, list) and any(map(has_special_key, data))
