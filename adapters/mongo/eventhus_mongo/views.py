"""The documents of views and processes: one for each key, easy to query by hand.

A view is a collection ``view_<name>``, and a process ``process_<name>``, of documents::

    {_id: <key>, _position: <of the last event in it>, <the fields of the value> …}

Fields that begin with an underscore belong to the store. A value that is not an object, or has such
a field, is stored whole under ``_value``. A value with a key that has a meaning to MongoDB or its
tools is stored as JSON text under ``_json``. A deleted value leaves its position, and ``_deleted``.
A parked key has no value but ``_parked: {position, handled, error, at}``, which a partial index
finds. ``_by`` and ``_us`` hold the values of the indexed fields. ``_skipped: [{position, why,
at}]`` holds the events that were left out on purpose. ``_revision`` counts the changes at one
position, and is left out at 0. The document of a process has the armed deadlines of its key,
``_deadlines: [{name, due, event_id, position}]``, and in ``_due`` the time of the earliest, by
which a partial index finds it. A parked key has no ``_due``.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any

import bson
from attrs import frozen
from bson import Int64
from pymongo import ASCENDING, IndexModel, InsertOne, ReplaceOne
from pymongo.errors import BulkWriteError, OperationFailure

from eventhus.adapter_support.limits import LARGEST
from eventhus.errors import InvalidArgument
from eventhus.ports import ArmedDeadline, Parked, Skipped, ViewDocument, ViewWrite
from eventhus.ports.views import unchecked_view_document
from eventhus_mongo.connection import Connection
from eventhus_mongo.documents import (
    LIMIT_BYTES,
    MALFORMED,
    Document,
    as_json,
    as_text,
    as_time,
    decode_reply,
    has_special_key,
    is_plain,
    is_valid,
    not_ours,
    parse_json,
)
from eventhus_mongo.driver_errors import DUPLICATE_KEY
from eventhus_mongo.indexed_values import index_values

_SPECIAL = {"_revision", "_skipped", "_deadlines", "_parked", "_deleted"}
"""The fields of documents that are more than a value and its position."""

_REPLACED = "\ufffd"  # in place of what is not UTF-8
_BAD_HINT = 2  # the server's BadValue
_PARKED = IndexModel(
    [("_parked.position", ASCENDING)],
    name="parked",
    partialFilterExpression={"_parked.position": {"$exists": True}},
)
"""Finds parked documents. The others pay nothing for it."""

_ARMED = IndexModel(
    [("_due", ASCENDING), ("_id", ASCENDING)],
    name="armed",
    partialFilterExpression={"_due": {"$exists": True}},
)
"""Finds documents with armed deadlines, by time. The others pay nothing for it."""


@frozen
class Encoded:
    """A document, and the position and revision of the one that it replaces; 0 for none."""

    document: Document
    replaces: int
    replaces_revision: int

    def operation(self) -> InsertOne[Document] | ReplaceOne[Document]:
        """Return the operation that replaces the stored document."""
        if self.replaces == 0:
            return InsertOne(self.document)
        key = {
            "_id": self.document["_id"],
            "_position": Int64(self.replaces),
            "_revision": self.replaces_revision or None,  # None stands for a missing field, too
        }
        return ReplaceOne(key, self.document)


def encode(collection: str, write: ViewWrite) -> Encoded:
    """Turn a write into its document.

    Raises:
        InvalidArgument: It is too large for one document.
    """
    given = write.document
    document: Document = {"_id": given.key, "_position": Int64(given.position)}
    if given.revision:
        document["_revision"] = given.revision
    if given.skipped:
        document["_skipped"] = [
            {"position": Int64(each.position), "why": each.why, "at": _text(each.at)}
            for each in given.skipped
        ]
    if given.deadlines:
        document["_deadlines"] = [
            {
                "name": each.name,
                "due": _text(each.due),
                "event_id": each.event_id,
                "position": Int64(each.position),
            }
            for each in given.deadlines
        ]
    if given.due is not None:
        document["_due"] = _text(given.due)
    data = given.data
    if given.parked is not None:
        document["_parked"] = {
            "position": Int64(given.parked.position),
            "handled": Int64(given.parked.handled),
            "error": given.parked.error,
            "at": _text(given.parked.at),
        }
    elif given.deleted:
        document["_deleted"] = True
    elif has_special_key(data):
        document["_json"] = as_json(data)
    elif isinstance(data, dict) and not any(key.startswith("_") for key in data):
        document |= data
    else:
        document["_value"] = data
    if document.keys().isdisjoint(("_parked", "_deleted")):
        document |= index_values(write.indexed)
    size_bytes = len(bson.encode(document))
    if size_bytes > LIMIT_BYTES:
        raise InvalidArgument(
            f"the document of {given.key!r} in {collection} takes {size_bytes:,} bytes, and "
            f"MongoDB stores at most {LIMIT_BYTES:,} in one; keep less under one key"
        )
    return Encoded(document, write.replaces, write.replaces_revision)


def decode(document: Document) -> ViewDocument:
    """Return the value in a document.

    Raises:
        UnknownFormat: The document was not written by this library.
    """
    key, position = document.get("_id"), document.get("_position")
    revision = document.get("_revision", 0)
    if not (isinstance(key, str) and type(position) is int and type(revision) is int):
        raise not_ours(document)
    # The next revision is stored, too.
    if not (0 <= position <= LARGEST and 0 <= revision <= LARGEST):
        raise not_ours(document)
    if _REPLACED in key and not is_valid(document):  # a page after it would begin with it again
        raise not_ours(document)
    if _SPECIAL.isdisjoint(document):
        data, is_damaged = _value(document)
        return unchecked_view_document(
            key=key, position=position, data=data, skipped=(), deadlines=(), is_damaged=is_damaged
        )
    try:
        skipped = [
            Skipped(
                position=_number(each["position"]), why=as_text(each["why"]), at=as_time(each["at"])
            )
            for each in _list(document.get("_skipped", []))
        ]
        deadlines = [_deadline(each) for each in _list(document.get("_deadlines", []))]
        parked = _parked(document["_parked"]) if "_parked" in document else None
        deleted = _flag(document.get("_deleted", False))
        has_value = not deleted and parked is None
        data, is_damaged = _value(document) if has_value else (None, False)
    except MALFORMED:
        raise not_ours(document) from None  # the parser's error holds the data
    return ViewDocument(
        key=key,
        position=position,
        data=data,
        deleted=deleted,
        revision=revision,
        parked=parked,
        skipped=skipped,
        deadlines=deadlines,
        is_damaged=is_damaged,
    )


def _value(document: Document) -> tuple[Any, bool]:
    """Return the value of a document; or ``None``, and that it is damaged."""
    try:
        data = _data(document)
    except MALFORMED:
        return None, True
    return (data, False) if is_plain(data) else (None, True)


def _data(document: Document) -> Any:
    if not is_valid(document):
        raise ValueError("dates or text are invalid")
    if "_value" in document:
        return document["_value"]
    if "_json" in document:
        return parse_json(document["_json"])
    return {name: value for name, value in document.items() if name[:1] != "_"}


def _parked(stored: Document) -> Parked:
    return Parked(
        position=_number(stored["position"]),
        error=as_text(stored["error"]),
        at=as_time(stored["at"]),
        handled=_number(stored["handled"]),
    )


def _deadline(stored: Document) -> ArmedDeadline:
    due = as_time(stored["due"]).astimezone(UTC)  # of a machine's own zone if somebody left it out
    return ArmedDeadline(
        as_text(stored["name"]), due, as_text(stored["event_id"]), _number(stored["position"])
    )


def _number(value: object) -> int:
    if type(value) is not int:
        raise TypeError("a position is of another type")
    return value


def _flag(value: object) -> bool:
    if type(value) is not bool:
        raise TypeError("a flag is of another type")
    return value


def _list(value: object) -> list[Any]:
    if type(value) is not list:
        raise TypeError("a list is of another type")
    return value


def _text(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="microseconds")


async def load(
    connection: Connection, collection: str, keys: Collection[str]
) -> dict[str, ViewDocument]:
    """See ``ViewStore.load_documents``."""
    found = await _find(connection, collection, {"_id": {"$in": [*keys]}}, len(keys))
    return {document.key: document for document in found}


async def _find(
    connection: Connection, collection: str, key: Document, limit: int, **options: Any
) -> list[ViewDocument]:
    """Return the first documents that match. One that is not valid BSON is damaged."""
    documents: list[ViewDocument] = []
    async with connection.operation() as session:
        replies: Any = connection.collection(collection).find_raw_batches(
            key, session=session, limit=limit, batch_size=limit + 1, **options
        )
        async for reply in replies:
            documents += map(decode, decode_reply(reply))
    return documents


async def load_parked(
    connection: Connection, collection: str, after: str | None, limit: int
) -> list[ViewDocument]:
    """See ``ViewStore.load_parked``. The server sorts them, as parked documents are few."""
    key: Document = {"_parked.position": {"$exists": True}}
    if after is not None:
        key["_id"] = {"$gt": after}
    order = [("_id", ASCENDING)]
    return await _find_along(connection, collection, key, limit, sort=order, hint="parked")


async def load_armed(
    connection: Connection, collection: str, after: tuple[datetime, str] | None, limit: int
) -> list[ViewDocument]:
    """See ``ViewStore.load_armed``."""
    key: Document = {"_due": {"$exists": True}}
    if after is not None:
        due = _text(after[0])
        key = {
            "_due": {"$gte": due},  # bounds the index, which the alternatives alone do not
            "$or": [{"_due": {"$gt": due}}, {"_id": {"$gt": after[1]}}],
        }
    order = [("_due", ASCENDING), ("_id", ASCENDING)]
    return await _find_along(connection, collection, key, limit, sort=order, hint="armed")


async def _find_along(
    connection: Connection, collection: str, key: Document, limit: int, **options: Any
) -> list[ViewDocument]:
    """Return what ``_find`` does along an index, which is created if only the index is missing."""
    try:
        return await _find(connection, collection, key, limit, **options)
    except OperationFailure as error:
        if error.code != _BAD_HINT:
            raise
    await _create_indexes(connection, collection)
    return await _find(connection, collection, key, limit, **options)


async def _create_indexes(connection: Connection, collection: str) -> None:
    """Create the indexes of parked documents and of deadlines, unless they exist."""
    indexes = [_PARKED, _ARMED] if collection.startswith("process_") else [_PARKED]
    async with connection.operation() as session:
        await connection.collection(collection).create_indexes(indexes, session=session)
    connection.indexed.add(collection)


async def save(
    connection: Connection, collection: str, writes: Sequence[Encoded]
) -> frozenset[str]:
    """See ``ViewStore.save_documents``."""
    if not writes:
        return frozenset()
    if collection not in connection.indexed:  # later, they may take long to build
        await _create_indexes(connection, collection)
    async with connection.operation() as session:
        try:
            result = await connection.collection(collection).bulk_write(
                [write.operation() for write in writes], ordered=False, session=session
            )
            if result.inserted_count + result.matched_count == len(writes):
                return frozenset()
        except BulkWriteError as error:
            codes = {each["code"] for each in error.details["writeErrors"]}
            if codes != {DUPLICATE_KEY} or error.details["writeConcernErrors"]:
                raise
    # The server says how many documents were replaced, but not which.
    wanted = {write.document["_id"]: _place(write.document) for write in writes}
    async with connection.operation() as session:
        found = connection.collection(collection).find(
            {"_id": {"$in": [*wanted]}}, projection=["_position", "_revision"], session=session
        )
        there = {document["_id"]: _place(document) async for document in found}
    return frozenset(key for key, place in wanted.items() if there.get(key) != place)


def _place(document: Document) -> tuple[Any, Any]:
    return document.get("_position"), document.get("_revision", 0)


async def delete(connection: Connection, collection: str) -> None:
    """See ``ViewStore.delete_documents``. Indexes that users made stay."""
    async with connection.operation() as session:
        await connection.collection(collection).delete_many({}, session=session)
