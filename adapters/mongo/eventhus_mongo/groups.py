"""The groups that read the log, and their dead letters.

A group is a document of ``groups``: where it began, and how many letters it ever had::

    {_id: <group>, start: {position, event_id}, letters}

A dead letter is a document of ``dead_letters``::

    {_id: {group, number}, key, stream: {type, id}, id, type, headers: [[name, value] …], body,
     attempt}

``key`` identifies the message, so that a letter that is saved again is found. A body that is UTF-8
is kept as text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import bson
from bson import Int64
from pymongo import ASCENDING, DESCENDING, IndexModel, ReturnDocument
from pymongo.errors import DuplicateKeyError

from eventhus import StreamId
from eventhus.adapter_support import check_group_start
from eventhus.adapter_support.limits import LARGEST
from eventhus.errors import InvalidArgument
from eventhus.ports import Checkpoint, DeadLetter, Message
from eventhus_mongo.bucket import check_refusal, checking_refusal
from eventhus_mongo.connection import Connection
from eventhus_mongo.documents import (
    LIMIT_BYTES,
    MALFORMED,
    Document,
    UnknownFormat,
    check_format,
    exact_int,
    exact_str,
    not_ours,
)

LETTERS = "dead_letters"
_KEYS = (("_id.group", ASCENDING), ("key", ASCENDING))
_BY_KEY = IndexModel(_KEYS, name="group_key", unique=True)
_DIGEST_SIZE = 16  # bytes of the hash of a message
_MARGIN_BYTES = 1024  # of a document, for its number


async def create(connection: Connection, group: str, start: Checkpoint) -> Checkpoint:
    """See ``GroupStore.create_group``."""
    given = {
        "position": Int64(start.position),
        "event_id": {"$literal": start.event_id},
    }
    async with (
        checking_refusal(connection, connection.groups),
        connection.operation() as session,
    ):
        document = await connection.groups.find_one_and_update(
            {"_id": group},
            [{"$set": {"start": {"$ifNull": ["$start", given]}}}],
            upsert=True,
            return_document=ReturnDocument.AFTER,
            session=session,
        )
    return _start(document or {})


async def load(connection: Connection, group: str) -> Checkpoint | None:
    """See ``GroupStore.load_group``."""
    async with connection.operation() as session:
        document = await connection.groups.find_one({"_id": group}, session=session)
    return None if document is None or "start" not in document else _start(document)


async def delete(connection: Connection, group: str) -> None:
    """See ``GroupStore.delete_group``. The document stays, because it counts the letters."""
    async with connection.operation() as session:
        await connection.groups.update_one(
            {"_id": group}, {"$unset": {"start": ""}}, session=session
        )


def _start(document: Document) -> Checkpoint:
    try:
        start = document["start"]
        began = Checkpoint(exact_int(start["position"]), exact_str(start["event_id"]))
        check_group_start("group", began)
    except (*MALFORMED, InvalidArgument):
        raise UnknownFormat(
            f"the document {document.get('_id')!r} of groups was not written by eventhus; repair "
            f"or delete it"
        ) from None
    return began


async def names(connection: Connection, after: str, limit: int) -> list[str]:
    """See ``GroupStore.groups``."""
    found: list[str] = []
    while True:
        reply = await connection.first_reply(
            {"_id": {"$gt": after}},
            limit=limit,
            sort=[("_id", ASCENDING)],
            projection={"created": {"$ne": [{"$type": "$start"}, "missing"]}},
            collection=connection.groups,
        )
        documents = reply.documents
        for document in documents:
            check_format(document)  # a name that is not UTF-8 would be found again and again
        uncreated = [each["_id"] for each in documents if not each["created"]]
        lettered = await _with_letters(connection, uncreated) if uncreated else ()
        found += [each["_id"] for each in documents if each["created"] or each["_id"] in lettered]
        if len(found) >= limit or not reply.is_cut:
            return found[:limit]
        after = documents[-1]["_id"]


async def _with_letters(connection: Connection, groups: Sequence[str]) -> list[str]:
    """Return those of some groups that have letters."""
    async with connection.operation() as session:
        found: list[str] = await connection.letters.distinct(
            "_id.group", {"_id.group": {"$in": [*groups]}}, session=session
        )
    return found


async def count_letters(connection: Connection, group: str, limit: int) -> int:
    """See ``GroupStore.count_letters``."""
    async with connection.operation() as session:
        return await connection.letters.count_documents(
            _letters_after(group, 0), limit=limit, hint="_id_", session=session
        )


async def save_letter(connection: Connection, group: str, letter: Document) -> None:
    """See ``GroupStore.save_letter``."""
    key = {"_id.group": group, "key": letter["key"]}
    if LETTERS not in connection.indexed:
        async with connection.operation() as session:
            await connection.letters.create_indexes([_BY_KEY], session=session)
        connection.indexed.add(LETTERS)
    while not await _has_letter(connection, key):
        number = await _next_number(connection, group)
        document = {"_id": {"group": group, "number": Int64(number)}, **letter}
        try:
            async with connection.operation() as session:
                await connection.letters.insert_one(document, session=session)
        except DuplicateKeyError as error:
            await check_refusal(connection, connection.letters, error.details, _KEYS)
            # The letter was saved at the same time, an answer got lost, or the counter was deleted.
            await _count_letters_there(connection, group)
        else:
            return


async def _has_letter(connection: Connection, key: Document) -> bool:
    async with connection.operation() as session:
        found = await connection.letters.find_one(key, projection=["_id"], session=session)
    return found is not None


async def _next_number(connection: Connection, group: str) -> int:
    """Return a number that is never given again, not even that of a letter that was deleted.

    Raises:
        UnknownFormat: The counter was not written by this library.
    """
    async with (
        checking_refusal(connection, connection.groups),
        connection.operation() as session,
    ):
        counted = await connection.groups.find_one_and_update(
            {"_id": group},
            {"$inc": {"letters": Int64(1)}},
            upsert=True,
            return_document=ReturnDocument.AFTER,
            session=session,
        )
    assert counted is not None
    number = counted["letters"]
    if type(number) is not int or not 0 < number <= LARGEST:
        raise not_ours(counted)
    return number


async def _count_letters_there(connection: Connection, group: str) -> None:
    """Continue the counter of a group after the letters that it has."""
    async with connection.operation() as session:
        last = await connection.letters.find_one(
            _letters_after(group, 0),
            sort=[("_id", DESCENDING)],
            projection=["_id"],
            session=session,
        )
    if last is None:  # it was deleted meanwhile
        return
    async with connection.operation() as session:
        await connection.groups.update_one(
            {"_id": group}, {"$max": {"letters": last["_id"]["number"]}}, session=session
        )


async def load_letters(
    connection: Connection, group: str, after: int, limit: int
) -> list[DeadLetter]:
    """See ``GroupStore.load_letters``."""
    reply = await connection.first_reply(
        _letters_after(group, after),
        limit=limit,
        sort=[("_id", ASCENDING)],
        collection=connection.letters,
    )
    return [_decode(document) for document in reply.documents]


def _letters_after(group: str, after: int) -> Document:
    return {
        "_id": {
            "$gt": {"group": group, "number": Int64(after)},
            "$lte": {"group": group, "number": Int64(LARGEST)},
        }
    }


async def delete_letter(connection: Connection, group: str, number: int) -> None:
    """See ``GroupStore.delete_letter``."""
    async with connection.operation() as session:
        await connection.letters.delete_one(
            {"_id": {"group": group, "number": Int64(number)}}, session=session
        )


def encode(message: Message) -> Document:
    """Turn a message into its document, without the number.

    Raises:
        InvalidArgument: It is too large for one document.
    """
    try:
        body: str | bytes = message.body.decode()
    except UnicodeDecodeError:
        body = message.body
    identity = blake2b(message.id.encode(), digest_size=_DIGEST_SIZE)
    identity.update(b"\0" + message.body)
    document: Document = {
        "key": identity.hexdigest(),
        "stream": {"type": message.stream.aggregate_type, "id": message.stream.aggregate_id},
        "id": message.id,
        "type": message.type,
        # Not an object: a name of a header may hold a dot or begin with a dollar sign.
        "headers": [[name, value] for name, value in message.headers.items()],
        "body": body,
        "attempt": Int64(message.attempt),
    }
    size_bytes = len(bson.encode(document)) + _MARGIN_BYTES
    if size_bytes > LIMIT_BYTES:
        raise InvalidArgument(
            f"the letter of message {message.id!r} takes {size_bytes:,} bytes, and MongoDB stores "
            f"at most {LIMIT_BYTES:,} in one document; handle the event from the log"
        )
    return document


def _decode(document: Document) -> DeadLetter:
    try:
        body: object = document["body"]
        stream: Mapping[str, Any] = document["stream"]
        message = Message(
            id=exact_str(document["id"]),
            stream=StreamId(exact_str(stream["type"]), exact_str(stream["id"])),
            type=exact_str(document["type"]),
            body=body.encode() if isinstance(body, str) else _bytes(body),
            headers={exact_str(name): exact_str(value) for name, value in document["headers"]},
            attempt=exact_int(document["attempt"]),
        )
        number = exact_int(document["_id"]["number"])
    except MALFORMED:
        raise not_ours(document) from None
    return DeadLetter(message=message, number=number)


def _bytes(value: object) -> bytes:
    if type(value) is not bytes:
        raise TypeError
    return value
