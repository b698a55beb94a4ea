"""The versions of views and processes.

Each is a document of ``views``::

    {_id: <collection>, name, version, start: {position, event_id},
     made_from: {<topic>: [<line> …]}}
"""

from __future__ import annotations

from typing import Any

from bson import Int64
from pymongo import ASCENDING, ReturnDocument
from pymongo.errors import DuplicateKeyError

from eventhus.adapter_support import check_registration
from eventhus.errors import IncompatibleBucket, InvalidArgument
from eventhus.ports import Checkpoint, DamagedRegistration, Registration
from eventhus_mongo.bucket import check_refusal
from eventhus_mongo.connection import Connection
from eventhus_mongo.documents import (
    MALFORMED,
    Document,
    UnknownFormat,
    decode_reply,
    is_valid,
)

COLLECTION = "views"


async def register(connection: Connection, registration: Registration) -> Registration:
    """See ``RegistrationStore.register``."""
    key = {"_id": registration.collection}
    collection = connection.collection(COLLECTION)
    async with connection.operation() as session:
        try:
            document: Document | None = await collection.find_one_and_update(
                key,
                {"$setOnInsert": _encode(registration)},
                upsert=True,
                return_document=ReturnDocument.AFTER,
                session=session,
            )
        except DuplicateKeyError as error:  # another process stored its own first
            await check_refusal(connection, collection, error.details)
            document = await collection.find_one(key, session=session)
    return registration if document is None else _decode(document)


async def find_all(connection: Connection) -> list[Registration | DamagedRegistration]:
    """See ``RegistrationStore.registrations``. A document whose id is no text belongs to nobody."""
    found: list[Registration | DamagedRegistration] = []
    async with connection.operation() as session:
        replies: Any = connection.collection(COLLECTION).find_raw_batches(
            {"_id": {"$type": "string"}}, sort=[("_id", ASCENDING)], session=session
        )
        async for reply in replies:
            found += [_found(connection.bucket, document) for document in decode_reply(reply)]
    return found


def _found(bucket: str, document: Document) -> Registration | DamagedRegistration:
    try:
        return _decode(document)
    except UnknownFormat as unknown:
        error = IncompatibleBucket(bucket, str(unknown))
        return DamagedRegistration(collection=document["_id"], error=error)


async def drop(connection: Connection, collection: str) -> None:
    """See ``RegistrationStore.drop_collection``."""
    async with connection.operation() as session:
        await connection.collection(collection).drop(session=session)
    connection.indexed.discard(collection)
    async with connection.operation() as session:
        await connection.collection(COLLECTION).delete_one({"_id": collection}, session=session)


def _encode(registration: Registration) -> Document:
    return {
        "name": registration.name,
        "version": Int64(registration.version),
        "start": {
            "position": Int64(registration.start.position),
            "event_id": registration.start.event_id,
        },
        "made_from": {topic: [*lines] for topic, lines in registration.made_from.items()},
    }


def _decode(document: Document) -> Registration:
    try:
        if not is_valid(document):
            raise ValueError("text or dates are invalid")
        start = document["start"]
        registration = Registration(
            collection=document["_id"],
            name=document["name"],
            version=document["version"],
            start=Checkpoint(start["position"], start["event_id"]),
            made_from=document["made_from"],
        )
        check_registration(registration)
    except (*MALFORMED, InvalidArgument):
        raise UnknownFormat(
            f"the document {document['_id']!r} of {COLLECTION} was not written by eventhus; "
            f"restore it, or delete it if its view or process starts at the beginning of the log"
        ) from None
    return registration
