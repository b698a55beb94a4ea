"""The documents of views and processes: one for each key, easy to query by hand.

A view is a collection ``view_<name>``, and a process ``process_<name>``, of documents::

    {_id: <key>, _position: <of the last event in it>, <the fields of the value> …}

Fields that begin with an underscore belong to the store. A value that is not an object, or has such
a field, is stored whole under ``_value``. A value with a key that has a meaning to MongoDB or its
tools is stored as JSON text under ``_json``. A deleted value leaves its position, and ``_deleted``.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any

import bson
from attrs import frozen
from bson import Int64
from pymongo import InsertOne, ReplaceOne
from pymongo.errors import BulkWriteError

from eventhus.errors import InvalidArgument
from eventhus.ports import ViewDocument, ViewWrite
from eventhus_mongo.connection import Connection
from eventhus_mongo.documents import (
    LIMIT_BYTES,
    MALFORMED,
    Document,
    as_json,
    has_special_key,
    not_ours,
)
from eventhus_mongo.driver_errors import DUPLICATE_KEY


@frozen
class Encoded:
    """A document, and the position of the one that it replaces; 0 for none."""

    document: Document
    replaces: int

    def operation(self) -> InsertOne[Document] | ReplaceOne[Document]:
        """Return the operation that replaces the stored document."""
        if self.replaces == 0:
            return InsertOne(self.document)
        return ReplaceOne(
            {"_id": self.document["_id"], "_position": Int64(self.replaces)}, self.document
        )


def encode(collection: str, write: ViewWrite) -> Encoded:
    """Turn a write into its document.

    Raises:
        InvalidArgument: It is too large for one document.
    """
    given = write.document
    document: Document = {"_id": given.key, "_position": Int64(given.position)}
    data = given.data
    if given.deleted:
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
    return Encoded(document, write.replaces)


def decode(document: Document) -> ViewDocument:
    """Return the value in a document.

    Raises:
        UnknownFormat: The document was not written by this library.
    """
    key, position = document.get("_id"), document.get("_position")
    if not (isinstance(key, str) and type(position) is int):
        raise not_ours(document)
    if document.get("_deleted"):
        return ViewDocument(key=key, position=position, data=None, deleted=True)
    if "_value" in document:
        data: Any = document["_value"]
    elif "_json" in document:
        try:
            data = json.loads(document["_json"])
        except MALFORMED:
            raise not_ours(document) from None  # the parser's error holds the data
    else:
        data = {name: value for name, value in document.items() if not name.startswith("_")}
    return ViewDocument(key=key, position=position, data=data)


async def load(
    connection: Connection, collection: str, keys: Collection[str]
) -> dict[str, ViewDocument]:
    """See ``ViewStore.load_documents``."""
    async with connection.operation() as session:
        found = connection.collection(collection).find({"_id": {"$in": [*keys]}}, session=session)
        documents = [decode(document) async for document in found]
    return {document.key: document for document in documents}


async def save(
    connection: Connection, collection: str, writes: Sequence[Encoded]
) -> frozenset[str]:
    """See ``ViewStore.save_documents``."""
    if not writes:
        return frozenset()
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
    wanted = {write.document["_id"]: write.document["_position"] for write in writes}
    async with connection.operation() as session:
        found = connection.collection(collection).find(
            {"_id": {"$in": [*wanted]}}, projection=["_position"], session=session
        )
        there = {document["_id"]: document.get("_position") async for document in found}
    return frozenset(key for key, position in wanted.items() if there.get(key) != position)


async def delete(connection: Connection, collection: str) -> None:
    """See ``ViewStore.delete_documents``. Indexes that users made stay."""
    async with connection.operation() as session:
        await connection.collection(collection).delete_many({}, session=session)
