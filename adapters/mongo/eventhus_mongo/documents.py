"""The form of commits and snapshots in MongoDB: plain documents, readable in its shell.

A commit is one document::

    {_id: <position of its first event>, aggregate_type, aggregate_id,
     version: <of its first event>, size: <how many events>, commit_id, command_id?, recorded_at,
     metadata: {correlation_id?, causation_id?, values?}, events: [{type, schema?, data}, …]}

``schema`` is left out where it is 1. Where a key of ``data`` or of ``values`` is one that MongoDB
or its tools take for their own, it is kept as JSON text under ``data_json`` or ``values_json``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

import bson
from attrs import frozen
from bson import Int64
from bson.codec_options import CodecOptions, TypeDecoder, TypeRegistry
from bson.errors import BSONError
from pymongo.common import MAX_BSON_SIZE

from eventhus import Metadata, Recorded, StreamId
from eventhus.adapter_support import check_plain_data
from eventhus.errors import CommitTooLarge, InvalidArgument, InvalidCommit
from eventhus.ports import Commit, EventData, Snapshot, StoredCommit, StoredEvent, event_id

Document: TypeAlias = dict[str, Any]

Count: TypeAlias = Literal["version", "_id"]
"""What events are counted in: their stream, or the log. Also the field of a commit's first."""

FORMAT = 1
"""The version of the documents' form. A document of another says so in its field ``format``."""

ENVELOPE = ("command_id", "recorded_at", "metadata")
"""The fields of a commit that it does not take to fold a state."""

LIMIT_BYTES = MAX_BSON_SIZE  # 16 MiB, of every MongoDB since 1.8


class _PlainInt(TypeDecoder):
    """Reads 64-bit integers as ``int``, where the driver has a class of its own."""

    @property
    def bson_type(self) -> type[Int64]:
        return Int64

    def transform_bson(self, value: Any) -> int:
        return int(value)


OPTIONS: CodecOptions[Document] = CodecOptions(type_registry=TypeRegistry([_PlainInt()]))
"""How documents are read: whatever options the client has been given for other uses."""


class UnknownFormat(Exception):
    """A document is not of the form above; never leaves this package."""


@frozen
class Encoded:
    """A commit as a document that has no place in the log yet, and its size."""

    document: Document
    size_bytes: int

    def at(self, position: int, version: int) -> Document:
        """The whole document of a commit whose first event is at this position and version."""
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
        "version": 0,  # where the documents of a collection are looked at, it stands here
        "size": len(commit.events),
        "commit_id": commit.id,
    }
    if commit.command_id is not None:
        document["command_id"] = commit.command_id
    # A date of MongoDB's own ends at the millisecond. This text sorts as its times do.
    document["recorded_at"] = commit.recorded_at.astimezone(UTC).isoformat(timespec="microseconds")
    document["metadata"] = _encode_metadata(commit.metadata)
    document["events"] = [_encode_event(commit.stream, event) for event in commit.events]
    try:
        size_bytes = len(bson.encode({"_id": Int64(0), **document}))
    except (BSONError, OverflowError, UnicodeError) as error:
        raise InvalidCommit(
            f"the commit for {commit.stream} cannot be kept, because of its ids, the names of its "
            f"events or their schema numbers: {type(error).__name__}"
        ) from error
    if size_bytes > LIMIT_BYTES:
        raise CommitTooLarge(commit.stream, size_bytes, LIMIT_BYTES)
    return Encoded(document, size_bytes)


def decode_commit(document: Document) -> StoredCommit:
    """The commit in a document.

    Its ``expected_version`` is the one that it met.

    Raises:
        UnknownFormat: The document is none of ours, or of a newer version's.
    """
    version, _ = span(document, "version")
    position, _ = span(document, "_id")
    try:
        commit = Commit(
            id=document["commit_id"],
            stream=stream_of(document),
            events=events_of(document),
            expected_version=version - 1,
            recorded_at=datetime.fromisoformat(document["recorded_at"]),
            metadata=_decode_metadata(document["metadata"]),
            command_id=document.get("command_id"),
        )
        return StoredCommit(commit=commit, version=version, position=position)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise not_ours(document) from None


def decode_events(document: Document) -> list[StoredEvent]:
    """The events in a document, each in its envelope. Raises like ``decode_commit``."""
    check_format(document)
    try:
        version, position = document["version"], document["_id"]
        if not (type(version) is int and type(position) is int):
            raise not_ours(document)
        stream = stream_of(document)
        recorded_at = datetime.fromisoformat(document["recorded_at"])
        metadata = _decode_metadata(document["metadata"])
        return [
            Recorded(
                stream=stream,
                version=version + index,
                position=position + index,
                id=event_id(document["commit_id"], index),
                event=event,
                recorded_at=recorded_at,
                metadata=metadata,
            )
            for index, event in enumerate(events_of(document))
        ]
    except (AttributeError, KeyError, TypeError, ValueError):
        raise not_ours(document) from None


def stream_of(document: Document) -> StreamId:
    """The stream that a document belongs to."""
    return StreamId(document["aggregate_type"], document["aggregate_id"])


def events_of(document: Document) -> list[EventData]:
    """The bare events in a document. Raises like ``decode_commit``."""
    try:
        events = [
            EventData(
                event["type"],
                event["data"] if "data" in event else json.loads(event["data_json"]),
                event.get("schema", 1),
            )
            for event in document["events"]
        ]
    except (AttributeError, KeyError, TypeError, ValueError):
        raise not_ours(document) from None  # the parser's error holds the data
    if len(events) != document["size"]:
        raise not_ours(document)
    return events


def event_id_of(document: Document, index: int) -> str:
    """The id of a document's event at ``index``, from 0. Raises like ``decode_commit``."""
    try:
        return event_id(document["commit_id"], index)
    except KeyError:
        raise not_ours(document) from None


def span(document: Document, counted: Count) -> tuple[int, int]:
    """The first and the last number of a document's events. Raises like ``decode_commit``.

    Args:
        document: A commit, or as much of it as ``counted``, ``size`` and ``format``.
        counted: Whether they are numbered in the log or in their stream.
    """
    check_format(document)
    first, size = document.get(counted), document.get("size")
    if not (type(first) is int and type(size) is int and first > 0 and size > 0):
        raise not_ours(document)
    return first, first + size - 1


def last_position(document: Document) -> int:
    """The position of a document's last event. Raises like ``decode_commit``."""
    return span(document, "_id")[1]


def last_version(document: Document) -> int:
    """The version of a document's last event. Raises like ``decode_commit``."""
    return span(document, "version")[1]


def check_format(document: Document) -> None:
    """Refuse a document that a newer version of this library wrote.

    Raises:
        UnknownFormat: It did.
    """
    if document.get("format", FORMAT) != FORMAT:
        raise UnknownFormat(
            f"the commit at position {document.get('_id')} was written by a newer version of "
            f"eventhus, in form {document['format']!r}, and this one knows form {FORMAT}; "
            f"upgrade eventhus"
        )


def not_ours(document: Document) -> UnknownFormat:
    """The error for a document that is nothing like those above."""
    return UnknownFormat(
        f"the document {document.get('_id')!r} is none that eventhus wrote; "
        f"name another bucket, or move what is not eventhus's out of this database"
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
            f"the snapshot of {snapshot.stream} takes {size_bytes:,} bytes, and MongoDB keeps at "
            f"most {LIMIT_BYTES:,} in one document; keep less in the state"
        )
    return document


def decode_snapshot(document: Document) -> Snapshot:
    """The snapshot in a document.

    Raises:
        UnknownFormat: The document is none of ours, or of a newer version's.
    """
    check_format(document)
    try:
        return Snapshot(
            stream=stream_of(document["_id"]),
            version=document["version"],
            position=document["position"],
            event_id=document["event_id"],
            fingerprint=document["fingerprint"],
            data=_get(document, "data"),
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        raise not_ours(document) from None


def stream_key(stream: StreamId) -> Document:
    """What finds the commits of a stream, and the ``_id`` of its snapshot."""
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
    """Plain data as text, where MongoDB would not take it as it is."""
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
    """Whether a key of some plain data is one that MongoDB, or a tool of it, takes for its own."""
    # BSON has no NUL in keys; `$` begins an operator, and in `$ref` the driver sees a DBRef.
    if isinstance(data, dict):
        return any(
            "\0" in key or key.startswith("$") or has_special_key(value)
            for key, value in data.items()
        )
    return isinstance(data, list) and any(map(has_special_key, data))
