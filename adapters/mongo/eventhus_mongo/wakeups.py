"""Tells followers that the log has grown: by a change stream, or, without one, by the clock.

A change stream needs a replica set, has no past, and ends for good where the oplog is overtaken.
So it only ever wakes: what there is to read is read by position, and a follower that is not woken
looks by itself.
"""

from __future__ import annotations

import asyncio
from typing import Any

from pymongo.asynchronous.change_stream import AsyncChangeStream
from pymongo.errors import OperationFailure, PyMongoError

from eventhus_mongo.connection import Connection
from eventhus_mongo.documents import Document

POLL_S = 0.05  # where nothing wakes
POLL_WATCHED_S = 1.0  # where a change stream does
REOPEN_S = 1.0  # after a failure
LINGER_S = 1.0  # that the change stream is kept open while nobody waits
_UNSUPPORTED = {
    13,  # Unauthorized
    40324,  # a server that knows no $changeStream
    40573,  # no replica set
}

_PIPELINE: list[dict[str, Any]] = [
    {"$match": {"operationType": "insert"}},
    {"$project": {"documentKey": 1}},  # the resume token, ``_id``, stays
]


class Wakeups:
    """Wakes the followers of one log. The change stream is open only while there are some."""

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
        """What ``wait`` takes: it does not wait if the log was seen to grow since."""
        return self._rings

    async def wait(self, ticket: int) -> None:
        """Return when the log may have grown."""
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
        """The log holds an event at this position, as whoever saw it first lets all know."""
        if position > self._last:
            self._last = position
            self._ring()

    async def close(self) -> None:
        """Wake everybody for the last time."""
        self._closed = True
        self._ring()
        if self._watcher is not None:
            self._wanted.set()
            while not self._watcher.done():  # the driver can lose a cancellation
                self._watcher.cancel()
                await asyncio.wait([self._watcher], timeout=POLL_S)

    def _ring(self) -> None:
        self._rings += 1
        for woken in self._waiting:
            if not woken.done():
                woken.set_result(None)

    async def _watch(self) -> None:
        while not self._closed:
            await self._wanted.wait()
            try:
                # From the last look on. By itself it begins behind what the primary has, of which
                # a commit that no majority has yet would be missed both by it and by that look.
                async with await self._connection.events.watch(
                    _PIPELINE, start_at_operation_time=self._connection.seen
                ) as changes:
                    self._watching = True
                    self._ring()  # what came before it was open
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
        while changes.alive:
            # While its followers are busy there is no need to hear of what they will read anyway.
            # A long silence would only leave a long list of old changes to go through.
            try:
                async with asyncio.timeout(LINGER_S):
                    await self._wanted.wait()
            except TimeoutError:
                return
            change: dict[str, Any] | None = await changes.try_next()
            if change is not None:
                self.grown(change["documentKey"]["_id"])
