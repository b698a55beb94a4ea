"""Snapshots: one document for each stream."""

from __future__ import annotations

import bson
from bson import Int64
from bson.errors import BSONError

from eventhus import StreamId
from eventhus.adapter_support import check_plain_data
from eventhus.adapter_support.limits import LARGEST
from eventhus.errors import InvalidArgument
from eventhus.ports import Snapshot
from eventhus_mongo.bucket import checking_refusal
from eventhus_mongo.connection import Connection
from eventhus_mongo.documents import (
    LIMIT_BYTES,
    MALFORMED,
    Document,
    get_data,
    is_readable,
    put_data,
)


async def load(connection: Connection, stream: StreamId) -> Snapshot | None:
    """See ``SnapshotStore.load_snapshot``."""
    async with connection.operation() as session:
        try:
            document = await connection.snapshots.find_one({"_id": _key(stream)}, session=session)
        except BSONError:  # as good as none, like one of another form
            return None
    return None if document is None else _decode(document)


async def save(connection: Connection, document: Document) -> None:
    """See ``SnapshotStore.save_snapshot``."""
    async with (
        checking_refusal(connection, connection.snapshots),
        connection.operation() as session,
    ):
        await connection.snapshots.replace_one(
            {"_id": document["_id"]}, document, upsert=True, session=session
        )


def encode(snapshot: Snapshot) -> Document:
    """Turn a snapshot into its document.

    Raises:
        InvalidArgument: The data is not plain, or too large for one document.
    """
    document: Document = {
        "_id": _key(snapshot.stream),
        "version": Int64(snapshot.version),
        "position": Int64(snapshot.position),
        "event_id": snapshot.event_id,
        "fingerprint": snapshot.fingerprint,
    }
    try:
        put_data(document, "data", snapshot.data)
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


def _decode(document: Document) -> Snapshot | None:
    """Return the snapshot in a document, or ``None`` if it is of another form.

    A snapshot only saves time, so one that cannot be read is as good as none.
    """
    version, position = document.get("version"), document.get("position")
    names = document.get("event_id"), document.get("fingerprint")
    if not (is_readable(document) and type(version) is int and type(position) is int):
        return None
    if not (0 < version <= LARGEST and 0 <= position <= LARGEST):
        return None
    if not all(type(name) is str for name in names):
        return None
    try:
        data = get_data(document, "data")
        check_plain_data(data)
        return Snapshot(
            stream=StreamId(**document["_id"]),
            version=version,
            position=position,
            event_id=document["event_id"],
            fingerprint=document["fingerprint"],
            data=data,
        )
    except MALFORMED:
        return None


def _key(stream: StreamId) -> Document:
    """Return the ``_id`` of the snapshot of a stream."""
    return {"aggregate_type": stream.aggregate_type, "aggregate_id": stream.aggregate_id}
