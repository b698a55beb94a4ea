"""Leases and checkpoints: one document each, which a single update decides about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bson import Int64
from pymongo import ASCENDING, ReturnDocument
from pymongo.errors import DuplicateKeyError, OperationFailure

from eventhus.adapter_support import check_checkpoint
from eventhus.adapter_support.limits import LARGEST
from eventhus.errors import InvalidArgument, LeaseLost
from eventhus.ports import Checkpoint, DamagedLease, HeldLease, Lease
from eventhus_mongo.bucket import check_refusal
from eventhus_mongo.connection import Connection
from eventhus_mongo.documents import (
    MALFORMED,
    Document,
    UnknownFormat,
    exact_int,
    exact_str,
    exact_time,
)

_MS = 1000
# ``$$NOW`` is fixed when a command arrives, and rivals may be carried out in another order, so one
# may find a lease that was given by a slightly later clock. Nothing waits that long in the server.
_SKEW_MS = 10_000


async def acquire(connection: Connection, name: str, owner: str, ttl_s: float) -> Lease | None:
    """See ``Leases.acquire``. ``$$NOW`` is the server's clock, the only one that all agree on."""
    me = {"$literal": owner}
    ttl_ms = max(1, round(ttl_s * _MS))
    over = _is_over({"$ifNull": ["$ttl_ms", ttl_ms]})
    # A lease that was deleted or restored has lost tokens that its checkpoint still has.
    saved = await _saved_token(connection, name)
    ours = {"$and": [{"$eq": ["$owner", me]}, {"$not": over}]}
    free = {"$or": [ours, over]}
    outdated = {"$or": [over, {"$and": [ours, {"$lt": ["$token", saved]}]}]}
    token = {"$add": [{"$max": ["$token", saved]}, Int64(1)]}
    until = {"$add": ["$$NOW", ttl_ms]}
    taken: dict[str, Any] = {
        "owner": {"$cond": [free, me, "$owner"]},
        "token": {"$cond": [outdated, token, "$token"]},
        "since": {"$cond": [over, "$$NOW", "$since"]},
        "until": {"$cond": [free, until, "$until"]},
        "ttl_ms": {"$cond": [free, ttl_ms, "$ttl_ms"]},
    }
    async with connection.operation() as session:
        try:
            document: dict[str, Any] | None = await connection.leases.find_one_and_update(
                {"_id": name},
                [{"$set": taken}],
                upsert=True,
                return_document=ReturnDocument.AFTER,
                session=session,
            )
        except DuplicateKeyError as error:  # another process created the document first
            await check_refusal(connection, connection.leases, error.details)
            return None
        except OperationFailure:  # it cannot calculate with what somebody else wrote
            document = await connection.leases.find_one({"_id": name}, session=session)
            if document is not None:
                _check_form(document)
            raise
    assert document is not None
    _check_form(document)
    if document["owner"] != owner:
        return None
    return Lease(name=name, owner=owner, token=document["token"])


def _is_over(ttl_ms: Document) -> Document:
    """Return the expression that tells whether a lease of such terms has expired.

    One that ends much later than one of its terms from now was written before the clock was set
    back. A missing document has expired, too.
    """
    latest = {"$add": ["$$NOW", ttl_ms, _SKEW_MS]}
    return {"$or": [{"$lte": ["$until", "$$NOW"]}, {"$gt": ["$until", latest]}]}


def _check_form(document: Document) -> None:
    owner, token = document.get("owner"), document.get("token")
    is_term = "ttl_ms" not in document or type(document["ttl_ms"]) is int
    is_token = type(token) is int and 0 < token <= LARGEST
    if not (type(owner) is str and is_token and is_term):
        raise _not_ours(document)


def _not_ours(document: Document) -> UnknownFormat:
    return UnknownFormat(
        f"the lease {document['_id']!r} was not written by eventhus; delete the document"
    )


_DAMAGED = {
    "$or": [
        {"owner": {"$not": {"$type": "string"}}},
        {"token": {"$not": {"$type": ["int", "long"], "$gt": 0, "$lte": LARGEST}}},
        {"ttl_ms": {"$exists": True, "$not": {"$type": ["int", "long"]}}},
    ]
}
"""Finds leases that nobody can acquire. The server cannot calculate with some of them."""


async def find_held(
    connection: Connection, after: str | None, limit: int
) -> list[HeldLease | DamagedLease]:
    """See ``Leases.leases``. A document whose id is no text belongs to nobody here."""
    ttl_ms = {"$cond": [{"$isNumber": "$ttl_ms"}, "$ttl_ms", 0]}
    reply = await connection.first_reply(
        {
            "_id": {"$type": "string"} if after is None else {"$gt": after},
            "$or": [{"$expr": {"$not": _is_over(ttl_ms)}}, _DAMAGED],
        },
        limit=limit,
        sort=[("_id", ASCENDING)],
        collection=connection.leases,
    )
    return [_decode(document) for document in reply.documents]


def _decode(document: Document) -> HeldLease | DamagedLease:
    try:
        _check_form(document)
        return HeldLease(
            name=document["_id"],
            owner=document["owner"],
            token=document["token"],
            since=exact_time(document["since"]),
            until=exact_time(document["until"]),
        )
    except (*MALFORMED, UnknownFormat):
        return DamagedLease(name=document["_id"], problem=str(_not_ours(document)))


async def release(connection: Connection, lease: Lease) -> None:
    """See ``Leases.release``. The document stays, because of its token."""
    async with connection.operation() as session:
        await connection.leases.update_one(
            {"_id": lease.name, "owner": lease.owner, "token": lease.token},
            [{"$set": {"until": "$$NOW"}}],
            session=session,
        )


async def _saved_token(connection: Connection, name: str) -> Int64:
    async with connection.operation() as session:
        found = await connection.checkpoints.find_one({"_id": name}, session=session)
    token = (found or {}).get("token") or 0
    if type(token) is not int or not 0 <= token < LARGEST:  # the next one is stored, too
        raise UnknownFormat(
            f"the token of checkpoint {name!r} was not written by eventhus; repair the document"
        )
    return Int64(token)


async def load_checkpoint(connection: Connection, name: str) -> Checkpoint:
    """See ``CheckpointStore.load_checkpoint``."""
    async with connection.operation() as session:
        document = await connection.checkpoints.find_one({"_id": name}, session=session)
    return Checkpoint() if document is None else decode_checkpoint(name, document)


def decode_checkpoint(name: str, document: Document) -> Checkpoint:
    """Return the checkpoint in a document.

    Raises:
        UnknownFormat: The document was not written by this library.
    """
    try:
        position = exact_int(document["position"])
        done = [(exact_int(first), exact_int(last)) for first, last in document.get("done", ())]
        saved_at = document.get("saved_at")
        checkpoint = Checkpoint(
            position,
            exact_str(document.get("event_id", "")),
            done,
            saved_at=None if saved_at is None else exact_time(saved_at),
        )
        check_checkpoint(name, checkpoint, 0)
    except (*MALFORMED, InvalidArgument):
        raise UnknownFormat(
            f"the checkpoint {name!r} was not written by eventhus; repair or delete the document"
        ) from None
    return checkpoint


async def save_checkpoint(
    connection: Connection, name: str, checkpoint: Checkpoint, token: int
) -> None:
    """See ``CheckpointStore.save_checkpoint``."""
    saved: dict[str, Any] = {
        "position": Int64(checkpoint.position),
        "event_id": checkpoint.event_id,
        "token": Int64(token),
    }
    change: dict[str, Any] = {"$set": saved, "$currentDate": {"saved_at": True}}
    if checkpoint.done:
        saved["done"] = [[Int64(first), Int64(last)] for first, last in checkpoint.done]
    else:
        change["$unset"] = {"done": ""}
    await _change_checkpoint(connection, name, token, change)


async def forget_checkpoint(connection: Connection, name: str, token: int) -> None:
    """See ``CheckpointStore.forget_checkpoint``. The document stays, because of its token."""
    start = {"position": Int64(0), "event_id": "", "token": Int64(token)}
    change = {"$set": start, "$unset": {"saved_at": "", "done": ""}}
    await _change_checkpoint(connection, name, token, change)


async def _change_checkpoint(
    connection: Connection, name: str, token: int, change: Mapping[str, Any]
) -> None:
    async with connection.operation() as session:
        try:
            await connection.checkpoints.update_one(
                {"_id": name, "$or": [{"token": {"$lte": token}}, {"token": None}]},
                change,
                upsert=True,
                session=session,
            )
        except DuplicateKeyError as error:  # a checkpoint with a higher token exists
            await check_refusal(connection, connection.checkpoints, error.details)
            raise LeaseLost(name, token) from None
