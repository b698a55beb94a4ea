"""The versions of views and processes.

Each is a document of ``views``::

    {_id: <collection>, name, version, start: {position, event_id},
     made_from: {<topic>: [<line> …]}}
"""

from __future__ import annotations

from bson import Int64
from pymongo import ASCENDING, ReturnDocument
from pymongo.errors import DuplicateKeyError

from eventhus.adapter_support import check_registration
from eventhus.errors import InvalidArgument
from eventhus.ports import Checkpoint, Registration
from eventhus_mongo.connection import Connection
from eventhus_mongo.documents import MALFORMED, Document, not_ours

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
        except DuplicateKeyError:  # another process stored its own first
            document = await collection.find_one(key, session=session)
    return registration if document is None else _decode(document)


async def find_all(connection: Connection) -> list[Registration]:
    """See ``RegistrationStore.registrations``."""
    async with connection.operation() as session:
        found = connection.collection(COLLECTION).find(sort=[("_id", ASCENDING)], session=session)
        return [_decode(document) async for document in found]


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
        raise not_ours(document) from None
    return registration
