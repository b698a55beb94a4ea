"""Wakes followers when the log has grown: by a change stream, or by polling.

A change stream needs a replica set, has no past, and ends for good once the oplog has overwritten
its place. It therefore only wakes followers. They read by position, and also poll.
"""

from __future__ import annotations

import asyncio
from typing import Any

from pymongo.asynchronous.change_stream import AsyncChangeStream
from pymongo.errors import OperationFailure, PyMongoError

from eventhus_mongo.connection import Connection
from eventhus_mongo.documents import Document

POLL_S = 0.05  # without a change stream
POLL_WATCHED_S = 1.0  # with one
REOPEN_S = 1.0  # after a failure
LINGER_S = 1.0  # how long the change stream stays open while nobody waits
_UNSUPPORTED = {
    13,  # Unauthorized
    40324,  # the server does not know $changeStream
    40573,  # the server is not in a replica set
}

_PIPELINE: list[dict[str, Any]] = [
    {"$match": {"operationType": "insert"}},
    {"$project": {"documentKey": 1}},  # the resume token, ``_id``, stays
]


class Wakeups:
    """Wakes the followers of one log. The change stream is open only while someone waits."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._last = 0  # the highest position known to exist
        self._rings = 0
        self._waiting: set[asyncio.Future[None]] = set()
        self._wanted = asyncio.Event()
        self._watcher: asyncio.Task[None] | None = None
        self._watching = False
        self._closed = False

    def ticket(self) -> int:
        """Return a ticket. ``wait`` returns at once if the log has grown since it was taken."""
        return self._rings

    async def wait(self, ticket: int) -> None:
        """Wait until the log may have grown."""
        if self._rings != ticket or self._closed:
            return
        if self._watcher is None:
            self._watcher = asyncio.create_task(self._watch())
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(woken)
        self._wanted.set()
        try:
            await asyncio.wait([woken], timeout=POLL_WATCHED_S if self._watching else POLL_S)
        finally:
            self._waiting.discard(woken)
            if not self._waiting:
                self._wanted.clear()

    def grown(self, position: int) -> None:
        """Note that the log holds an event at this position, and wake all followers."""
        if position > self._last:
            self._last = position
            self._ring()

    async def close(self) -> None:
        """Wake all followers for the last time, and close the change stream."""
        self._closed = True
        self._ring()
        if self._watcher is not None:
            self._watcher.cancel()  # once: see ``CallsInFlight.carry_out``
            await asyncio.wait([self._watcher])

    def _ring(self) -> None:
        self._rings += 1
        for woken in self._waiting:
            if not woken.done():
                woken.set_result(None)

    async def _watch(self) -> None:
        while not self._closed:
            await self._wanted.wait()
            try:
                # Start at the last read. By default a change stream starts at the primary's latest
                # operation, and would miss a commit that had no majority yet at that read.
                async with await self._connection.events.watch(
                    _PIPELINE, start_at_operation_time=self._connection.seen
                ) as changes:
                    self._watching = True
                    self._ring()  # for what came before it was open
                    await self._listen(changes)
                    if not changes.alive:  # the collection was dropped: it would end again at once
                        await asyncio.sleep(REOPEN_S)
            except OperationFailure as error:
                if error.code in _UNSUPPORTED:
                    return
                await asyncio.sleep(REOPEN_S)
            except PyMongoError:
                await asyncio.sleep(REOPEN_S)
            finally:
                self._watching = False

    async def _listen(self, changes: AsyncChangeStream[Document]) -> None:
        while changes.alive and not self._closed:  # the driver can drop the cancellation
            # Busy followers read the log anyway. Close the change stream instead of going through
            # a long list of old changes later.
            try:
                async with asyncio.timeout(LINGER_S):
                    await self._wanted.wait()
            except TimeoutError:
                return
            change: dict[str, Any] | None = await changes.try_next()
            if change is not None:
                self.grown(change["documentKey"]["_id"])
