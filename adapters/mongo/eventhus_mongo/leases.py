"""Leases and checkpoints, each one document that a single update decides about."""

from __future__ import annotations

from typing import Any

from bson import Int64
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from eventhus.errors import LeaseLost
from eventhus.ports import Checkpoint, Lease
from eventhus_mongo.connection import Connection

_MS = 1000


async def acquire(connection: Connection, name: str, owner: str, ttl_s: float) -> Lease | None:
    """See ``Leases.acquire``. ``$$NOW`` is the server's clock, the only one that all agree on."""
    me = {"$literal": owner}
    over = {"$lte": ["$until", "$$NOW"]}  # also where there is no document yet
    # A lease that was deleted, or restored, has forgotten tokens that its checkpoint remembers.
    saved = await _saved_token(connection, name)
    ours = {"$and": [{"$eq": ["$owner", me]}, {"$not": over}]}
    free = {"$or": [ours, over]}
    outdated = {"$or": [over, {"$and": [ours, {"$lt": ["$token", saved]}]}]}
    token = {"$add": [{"$max": ["$token", saved]}, Int64(1)]}
    until = {"$add": ["$$NOW", max(1, round(ttl_s * _MS))]}
    taken: dict[str, Any] = {
        "owner": {"$cond": [free, me, "$owner"]},
        "token": {"$cond": [outdated, token, "$token"]},
        "until": {"$cond": [free, until, "$until"]},
    }
    async with connection.operation() as session:
        try:
            document = await connection.leases.find_one_and_update(
                {"_id": name},
                [{"$set": taken}],
                upsert=True,
                return_document=ReturnDocument.AFTER,
                session=session,
            )
        except DuplicateKeyError:  # another made the document first
            return None
    assert document is not None
    if document["owner"] != owner:
        return None
    return Lease(name=name, owner=owner, token=int(document["token"]))


async def release(connection: Connection, lease: Lease) -> None:
    """See ``Leases.release``. The document stays, for its token."""
    async with connection.operation() as session:
        await connection.leases.update_one(
            {"_id": lease.name, "owner": lease.owner, "token": lease.token},
            [{"$set": {"until": "$$NOW"}}],
            session=session,
        )


async def _saved_token(connection: Connection, name: str) -> Int64:
    async with connection.operation() as session:
        found = await connection.checkpoints.find_one({"_id": name}, session=session)
    return Int64((found or {}).get("token") or 0)


async def load_checkpoint(connection: Connection, name: str) -> Checkpoint:
    """See ``CheckpointStore.load_checkpoint``."""
    async with connection.operation() as session:
        document = await connection.checkpoints.find_one({"_id": name}, session=session)
    if document is None:
        return Checkpoint()
    return Checkpoint(int(document["position"]), document.get("event_id", ""))


async def save_checkpoint(
    connection: Connection, name: str, checkpoint: Checkpoint, token: int
) -> None:
    """See ``CheckpointStore.save_checkpoint``."""
    saved: dict[str, Any] = {
        "position": Int64(checkpoint.position),
        "event_id": checkpoint.event_id,
        "token": Int64(token),
    }
    async with connection.operation() as session:
        try:
            await connection.checkpoints.update_one(
                {"_id": name, "$or": [{"token": {"$lte": token}}, {"token": None}]},
                {"$set": saved},
                upsert=True,
                session=session,
            )
        except DuplicateKeyError:  # there is one, with a higher token
            raise LeaseLost(name, token) from None
