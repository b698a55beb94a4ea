"""Finds commits by their command ids; those that wait together are found by one query."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import TypeAlias

from eventhus.ports import StoredCommit
from eventhus_mongo.commits import decode_commit
from eventhus_mongo.connection import Connection
from eventhus_mongo.documents import Document
from eventhus_mongo.driver_errors import translating_errors
from eventhus_mongo.grouped_calls import Call, GroupedCalls

GROUP_IDS = 100
GROUP_BYTES = 16 * 1024 * 1024  # of commits in one group; most ids are new and have none

_Finding: TypeAlias = Call[str, Document | None]


class CommandFinder:
    """Finds the commits of commands in one bucket."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._calls: GroupedCalls[str, Document | None] = GroupedCalls(
            connection.bucket, "finding a command", self._find, most=GROUP_IDS
        )

    async def find(self, command_id: str) -> StoredCommit | None:
        """See ``EventStore.find``."""
        document = await self._calls.ask(command_id)
        with translating_errors(self._connection.bucket):
            return None if document is None else decode_commit(document)

    def cut_off(self) -> None:
        """End the queries in flight."""
        self._calls.cut_off()

    async def _find(self, calls: Sequence[_Finding]) -> None:
        async with self._connection.operation() as session:
            reply = await self._connection.find_within(
                GROUP_BYTES if len(calls) > 1 else inf,
                {"command_id": {"$in": [call.asked for call in calls]}},
                session,
            )
        if reply.is_cut:
            await self._calls.each_alone(calls)
            return
        for call in calls:
            found = (each for each in reply.documents if _has(each, call.asked))
            call.answer(next(found, None))


def _has(document: Document, command_id: str) -> bool:
    """Return whether the server would find a document by this id, even if it is not of ours."""
    value = document.get("command_id")
    return value == command_id or (isinstance(value, list) and command_id in value)
