"""Saves the documents of views and processes; those that wait together are one bulk write.

A process saves the state of a key as soon as the key's commands are carried out, and does so for
many keys at once. Together they pay for one call of the driver and one flush of the journal.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TypeAlias

from pymongo.errors import BulkWriteError

from eventhus_mongo import views
from eventhus_mongo.connection import Connection
from eventhus_mongo.grouped_calls import Call, GroupedCalls

GROUP_DOCUMENTS = 1_000

_Saving: TypeAlias = Call[Sequence[views.Encoded], frozenset[str]]
_Savings: TypeAlias = GroupedCalls[Sequence[views.Encoded], frozenset[str]]


class DocumentSaver:
    """Saves documents in one bucket, the calls for each collection in groups."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._by_collection: dict[str, _Savings] = {}

    async def save(self, collection: str, writes: Sequence[views.Encoded]) -> frozenset[str]:
        """See ``ViewStore.save_documents``."""
        if not writes:
            return frozenset()
        if collection not in self._by_collection:
            self._by_collection[collection] = GroupedCalls(
                self._connection.bucket,
                "saving documents",
                partial(self._save, collection),
                most=GROUP_DOCUMENTS,
                weight=len,
            )
        return await self._by_collection[collection].ask(writes)

    def cut_off(self) -> None:
        """End the writes in flight."""
        for savings in self._by_collection.values():
            savings.cut_off()

    async def _save(self, collection: str, calls: Sequence[_Saving]) -> None:
        while calls:
            together, calls = _split(calls)
            await self._save_together(collection, together)

    async def _save_together(self, collection: str, calls: Sequence[_Saving]) -> None:
        writes = [write for call in calls for write in call.asked]
        try:
            taken = await views.save(self._connection, collection, writes)
        except BulkWriteError as error:
            if len(calls) == 1 or error.details["writeConcernErrors"]:
                raise
            # The server refused some of the documents. A save can be repeated, so each caller
            # learns about its own.
            await self._by_collection[collection].each_alone(calls)
            return
        for call in calls:
            call.answer(taken & _keys(call))


def _split(calls: Sequence[_Saving]) -> tuple[list[_Saving], list[_Saving]]:
    """Return calls that share no key, and those that have to come after them.

    The second write of a key may replace what the first one has written.
    """
    together: list[_Saving] = []
    later: list[_Saving] = []
    keys: set[str] = set()
    for call in calls:
        own = _keys(call)
        if keys.isdisjoint(own):
            together.append(call)
        else:
            later.append(call)
        keys |= own  # also those of a later call, which the next ones must not overtake
    return together, later


def _keys(call: _Saving) -> frozenset[str]:
    return frozenset(write.document["_id"] for write in call.asked)
