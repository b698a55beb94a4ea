"""The documents of views and processes: one for each key, easy to query by hand.

A view is a collection ``view_<name>``, and a process ``process_<name>``, of documents::

    {_id: <key>, _position: <of the last event in it>, <the fields of the value> …}

Fields that begin with an underscore belong to the store. A value that is not an object, or has such
a field, is stored whole under ``_value``. A value with a key that has a meaning to MongoDB or its
tools is stored as JSON text under ``_json``. A deleted value leaves its position, and ``_deleted``.
A parked key has no value but ``_parked: {position, handled, error, at}``, which a partial index
finds. ``_skipped: [{position, why, at}]`` holds the events that were left out on purpose.
``_revision`` counts the changes at one position, and is left out at 0.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any

import bson
from attrs import frozen
from bson import Int64
from pymongo import ASCENDING, IndexModel, InsertOne, ReplaceOne
from pymongo.errors import BulkWriteError

from eventhus.errors import InvalidArgument
from eventhus.ports import Parked, Skipped, ViewDocument, ViewWrite
from eventhus_mongo.connection import Connection
from eventhus_mongo.documents import (
    LIMIT_BYTES,
    MALFORMED,
    Document,
    as_json,
    as_text,
    as_time,
    has_special_key,
    not_ours,
    parse_json,
)
from eventhus_mongo.driver_errors import DUPLICATE_KEY

_PARKED = IndexModel(
    [("_parked.position", ASCENDING)],
    name="parked",
    partialFilterExpression={"_parked.position": {"$exists": True}},
)
"""Finds parked documents. The others pay nothing for it."""


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
    try:
        skipped = [
            Skipped(
                position=_number(each["position"]), why=as_text(each["why"]), at=as_time(each["at"])
            )
            for each in _list(document.get("_skipped", []))
        ]
        parked = _parked(document["_parked"]) if "_parked" in document else None
        deleted = _flag(document.get("_deleted", False))
        data = None if deleted or parked is not None else _data(document)
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
    )


def _data(document: Document) -> Any:
    if "_value" in document:
        return document["_value"]
    if "_json" in document:
        return parse_json(document["_json"])
    return {name: value for name, value in document.items() if not name.startswith("_")}


def _parked(stored: Document) -> Parked:
    return Parked(
        position=_number(stored["position"]),
        error=as_text(stored["error"]),
        at=as_time(stored["at"]),
        handled=_number(stored["handled"]),
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
    async with connection.operation() as session:
        found = connection.collection(collection).find({"_id": {"$in": [*keys]}}, session=session)
        documents = [decode(document) async for document in found]
    return {document.key: document for document in documents}


async def load_parked(
    connection: Connection, collection: str, after: str | None, limit: int
) -> list[ViewDocument]:
    """See ``ViewStore.load_parked``. The server sorts them, as parked documents are few."""
    await _create_index(connection, collection)
    key: Document = {"_parked.position": {"$exists": True}}
    if after is not None:
        key["_id"] = {"$gt": after}
    async with connection.operation() as session:
        found = connection.collection(collection).find(
            key, sort=[("_id", ASCENDING)], limit=limit, hint="parked", session=session
        )
        return [decode(document) async for document in found]


async def _create_index(connection: Connection, collection: str) -> None:
    """Create the index of parked documents, unless it exists."""
    async with connection.operation() as session:
        await connection.collection(collection).create_indexes([_PARKED], session=session)
    connection.indexed.add(collection)


async def save(
    connection: Connection, collection: str, writes: Sequence[Encoded]
) -> frozenset[str]:
    """See ``ViewStore.save_documents``."""
    if not writes:
        return frozenset()
    if collection not in connection.indexed:  # later, the index may take long to build
        await _create_index(connection, collection)
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
