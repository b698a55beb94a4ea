"""Group commit: the commits that wait while one insert is under way go out in the next one.

The log is dense because a commit is inserted at the position right behind the last one that its
writer has seen, as its ``_id``, which MongoDB keeps unique: of two writers that aim at one
position one wins, and the other reads the tail and tries again. No position can be skipped, since
nobody aims beyond what exists.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import define
from pymongo.errors import BulkWriteError, PyMongoError

from eventhus import ConcurrencyError, StreamId
from eventhus.adapter_support import checked_commit
from eventhus.errors import (
    AccessDenied,
    CommandIdReused,
    IncompatibleBucket,
    InvalidCommit,
    OutcomeUnknown,
    StoreUnavailable,
)
from eventhus.ports import Commit, StoredCommit
from eventhus_mongo.connection import Connection
from eventhus_mongo.documents import (
    Document,
    Encoded,
    UnknownFormat,
    decode_commit,
    encode_commit,
    last_position,
    last_version,
    stream_key,
)
from eventhus_mongo.driver_errors import DUPLICATE_KEY, describe, is_passing, translated, typed
from eventhus_mongo.known_versions import StreamEnds

BATCH_COMMITS = 200
BATCH_BYTES = 4_000_000
BACKOFF_S = 0.002  # doubles with every failure, up to the cap
BACKOFF_CAP_S = 0.5
RIVALRY = 4  # doublings of the back-off, at most, after a position that another writer took
MIN_ATTEMPT_S = 0.05
TURNS = 2  # of the event loop: a caller whose command was waiting for another's is back after two


@define(eq=False)
class _Waiting:
    """A commit on its way into the log."""

    commit: Commit
    encoded: Encoded
    deadline: float  # of the event loop's clock
    done: asyncio.Future[StoredCommit | None]
    end: int  # a version of the stream at which a commit is known to end
    sent: bool = False  # and never heard of since


class Appender:
    """Appends commits to the log of one bucket."""

    def __init__(self, connection: Connection, ends: StreamEnds) -> None:
        self._connection = connection
        self._ends = ends
        self._queue: deque[_Waiting] = deque()
        self._next: int | None = None  # the next free position, as far as is known
        self._sending: asyncio.Task[None] | None = None
        self._failures = 0  # of inserts, in a row
        self._clashed = False  # whether the last insert was held up by a stream that had gone on

    async def append(self, commit: Commit) -> StoredCommit:
        """See ``EventStore.append``."""
        commit = checked_commit(commit)
        encoded = encode_commit(commit)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._connection.timeout_s
        end = self._proven(commit)
        sent = False
        attempt = 0
        while True:
            if end is None:
                try:
                    examined = await self._examine(commit, clashed=attempt > 0)
                except StoreUnavailable as error:
                    if sent:  # and the way to what became of it is barred
                        raise self._unknown(commit, error.problem) from error
                    raise
                if isinstance(examined, StoredCommit):
                    return examined
                end = examined
            waiting = _Waiting(commit, encoded, deadline, loop.create_future(), end, sent)
            stored = await self._enqueue(waiting)
            if stored is not None:
                return stored
            # Its version or one of its ids is taken. It may be this very commit, sent before.
            end, sent = None, waiting.sent
            if loop.time() > deadline:
                raise self._late(waiting, "other writers kept getting in first")
            if attempt > 0:
                await _back_off(attempt)
            attempt += 1

    async def drain(self) -> None:
        """Return once no commit is on its way any more."""
        while self._sending is not None:
            await asyncio.wait([self._sending])

    def cut_off(self) -> None:
        """Send no more."""
        if self._sending is not None:
            self._sending.cancel()

    async def tail(self, timeout_s: float | None = None) -> int:
        """The position of the last event in the log. Raises the driver's errors."""
        last = await self._connection.last(
            {}, "_id", projection=["size", "format"], timeout_s=timeout_s
        )
        return 0 if last is None else last_position(last)

    async def find(self, key: Mapping[str, Any]) -> StoredCommit | None:
        """The commit of a commit id or a command id, if it is in the log."""
        with translated(self._connection.bucket):
            async with self._connection.operation() as session:
                document = await self._connection.events.find_one(key, session=session)
            return None if document is None else decode_commit(document)

    def _proven(self, commit: Commit) -> int | None:
        """The version to append behind, if it is known already that a commit ends there."""
        expected = commit.expected_version
        if expected == 0:
            return 0  # nothing lies before the first version
        known = self._ends.get(commit.stream)
        return known if expected is None or expected == known else None

    async def _examine(self, commit: Commit, *, clashed: bool) -> StoredCommit | int:
        """The version to append behind, from the log; or the commit, if it is in there already."""
        # The stream first: what it has gained since is found by the id, never the other way round.
        end = await self._end_of(commit.stream)
        fits = commit.expected_version in (None, end)
        if clashed or not fits:
            first = await self._known(commit)
            if first is not None:
                return first
        if not fits:
            assert commit.expected_version is not None
            raise ConcurrencyError(commit.stream, commit.expected_version, end)
        self._ends.learn(commit.stream, end)
        return end

    async def _end_of(self, stream: StreamId) -> int:
        with translated(self._connection.bucket):
            last = await self._connection.last(
                stream_key(stream), "version", projection=["version", "size", "format"]
            )
            return 0 if last is None else last_version(last)

    async def _known(self, commit: Commit) -> StoredCommit | None:
        first = await self.find({"commit_id": commit.id})
        if first is not None:
            if first.commit.stream != commit.stream:
                raise InvalidCommit(
                    f"commit id {commit.id} of {commit.stream} names a commit of "
                    f"{first.commit.stream}; make ids that are unique for ever"
                )
            return first
        if commit.command_id is None:
            return None
        first = await self.find({"command_id": commit.command_id})
        if first is not None and first.commit.stream != commit.stream:
            raise CommandIdReused(commit.command_id, commit.stream, first.commit.stream)
        return first

    async def _enqueue(self, waiting: _Waiting) -> StoredCommit | None:
        """The stored commit; ``None`` if its version or one of its ids is taken."""
        self._queue.append(waiting)
        if self._sending is None:
            self._sending = asyncio.create_task(self._send())
        return await waiting.done

    async def _send(self) -> None:
        """Send what waits until nothing does. There is one of these at a time."""
        batch: list[_Waiting] = []
        try:
            while True:
                # Callers that were just answered go on first: what they append next is then in
                # this batch, where else each insert would take a part of them only.
                for _ in range(TURNS):
                    await asyncio.sleep(0)
                batch = self._take()
                if not batch:
                    return
                if self._failures:
                    await _back_off(self._failures)
                await self._insert(batch)
        except BaseException as error:
            # A bug, or the end of the event loop: nobody may wait for ever.
            for waiting in batch:
                waiting.sent = True
            for waiting in (*batch, *self._queue):
                _fail(waiting, self._late(waiting, f"appending ended with {type(error).__name__}"))
            self._queue.clear()
            self._next = None
            raise
        finally:
            self._sending = None

    def _take(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        size_bytes = 0
        while self._queue and len(batch) < BATCH_COMMITS:
            waiting = self._queue[0]
            size_bytes += waiting.encoded.size_bytes
            if batch and size_bytes > BATCH_BYTES:
                break
            self._queue.popleft()
            if waiting.done.done():  # its caller was cancelled
                size_bytes -= waiting.encoded.size_bytes
            else:
                batch.append(waiting)
        return batch

    async def _insert(self, batch: Sequence[_Waiting]) -> None:
        """Send a batch. Afterwards each of its commits is settled, or in the queue again."""
        now = asyncio.get_running_loop().time()
        # Half of the time that the most urgent one has: the other half is for finding out what
        # became of it, and for sending it again.
        remaining = min(waiting.deadline for waiting in batch) - now
        attempt_s = max(remaining / 2, MIN_ATTEMPT_S)
        placed: list[StoredCommit] = []
        try:
            if self._next is None:
                self._next = await self.tail(attempt_s) + 1
            batch = self._drop_stale(batch)
            if self._clashed:
                batch = await self._drop_taken(batch, attempt_s)
            if not batch:
                return
            documents = self._place(batch, self._next, placed)
            async with self._connection.operation(attempt_s) as session:
                await self._connection.events.insert_many(documents, session=session)
        except UnknownFormat as unknown:
            for waiting in batch:
                _fail(waiting, IncompatibleBucket(self._connection.bucket, str(unknown)))
        except PyMongoError as error:
            self._failed(batch, placed, error)
        else:
            self._failures, self._clashed = 0, False
            self._settle(batch, placed)

    def _drop_stale(self, batch: Sequence[_Waiting]) -> list[_Waiting]:
        """Those whose stream is not known to have gone on, which would hold up all behind them."""
        hopeful: list[_Waiting] = []
        for waiting in batch:
            known = self._ends.get(waiting.commit.stream)
            if waiting.commit.expected_version is None or known is None or known <= waiting.end:
                hopeful.append(waiting)
            else:
                _resolve(waiting, None)
        return hopeful

    async def _drop_taken(self, batch: Sequence[_Waiting], timeout_s: float) -> list[_Waiting]:
        """Those whose version is free.

        Where others write to the same streams, many commits of a batch may come too late, and
        each would hold up those behind it for an insert of its own. So after the first, one query
        finds the others.
        """
        if not batch:
            return []
        key = ("aggregate_id", "aggregate_type", "version")
        places = [
            (
                waiting.commit.stream.aggregate_id,
                waiting.commit.stream.aggregate_type,
                waiting.end + 1,
            )
            for waiting in batch
        ]
        async with self._connection.operation(timeout_s) as session:
            found = await self._connection.find_all(
                {"$or": [dict(zip(key, place, strict=True)) for place in places]},
                session,
                projection=key,
            )
        taken = {tuple(document[name] for name in key) for document in found}
        free: list[_Waiting] = []
        for waiting, place in zip(batch, places, strict=True):
            if place in taken:
                _resolve(waiting, None)
            else:
                free.append(waiting)
        return free

    def _place(
        self, batch: Sequence[_Waiting], position: int, placed: list[StoredCommit]
    ) -> list[Document]:
        documents: list[Document] = []
        ends: dict[StreamId, int] = {}  # as they will be behind the commits placed so far
        for waiting in batch:
            commit = waiting.commit
            end = waiting.end
            if commit.expected_version is None:
                known = self._ends.get(commit.stream) or 0
                end = max(end, known, ends.get(commit.stream, 0))
            stored = StoredCommit(commit=commit, version=end + 1, position=position)
            ends[commit.stream] = stored.last_version
            placed.append(stored)
            documents.append(waiting.encoded.at(position, end + 1))
            position += len(commit.events)
        return documents

    def _settle(self, batch: Sequence[_Waiting], placed: Sequence[StoredCommit]) -> None:
        """These are in the log, acknowledged by a majority."""
        for waiting, stored in zip(batch, placed, strict=True):
            self._ends.learn(stored.commit.stream, stored.last_version)
            self._next = stored.last_position + 1
            _resolve(waiting, stored)

    def _failed(
        self, batch: Sequence[_Waiting], placed: Sequence[StoredCommit], error: PyMongoError
    ) -> None:
        if isinstance(error, BulkWriteError) and not error.details.get("writeConcernErrors"):
            self._stopped(batch, placed, error.details["writeErrors"][0])
            return
        # Whether anything was stored is not known. To send the same again, behind the tail as it
        # is then, is safe: MongoDB refuses a commit id that it has.
        self._next = None
        self._failures += 1
        told = typed(self._connection.bucket, error)
        if placed and not isinstance(told, AccessDenied):  # which comes before anything is done
            for waiting in batch:
                waiting.sent = True
        if is_passing(error):
            self._put_back(batch, describe(error))
            return
        for waiting in batch:
            _fail(waiting, self._unknown(waiting.commit, describe(error)) if waiting.sent else told)

    def _stopped(
        self, batch: Sequence[_Waiting], placed: Sequence[StoredCommit], problem: Mapping[str, Any]
    ) -> None:
        """The insert went as far as one document that was refused."""
        stop: int = problem["index"]
        self._settle(batch[:stop], placed[:stop])
        refused = batch[stop]
        if problem["code"] != DUPLICATE_KEY:
            told = f"MongoDB refused a document with error {problem['code']}"
            _fail(refused, self._late(refused, told))
            self._put_back(batch[stop + 1 :])
        elif "_id" in problem["keyPattern"]:
            # Another writer has the position. What is behind it, the tail tells. To wait for
            # longer than an insert takes would leave the log to whoever loses least.
            self._next = None
            self._failures = min(self._failures + 1, RIVALRY)
            self._put_back(batch[stop:], "other writers kept getting in first")
        else:
            self._next = placed[stop].position
            self._failures, self._clashed = 0, True
            _resolve(refused, None)
            self._put_back(batch[stop + 1 :])

    def _put_back(self, batch: Sequence[_Waiting], problem: str | None = None) -> None:
        now = asyncio.get_running_loop().time()
        for waiting in reversed(batch):
            if problem is not None and now >= waiting.deadline - MIN_ATTEMPT_S:
                _fail(waiting, self._late(waiting, problem))
            else:
                self._queue.appendleft(waiting)

    def _late(self, waiting: _Waiting, problem: str) -> StoreUnavailable | OutcomeUnknown:
        if waiting.sent:
            return self._unknown(waiting.commit, problem)
        return StoreUnavailable(self._connection.bucket, problem)

    def _unknown(self, commit: Commit, problem: str) -> OutcomeUnknown:
        return OutcomeUnknown(self._connection.bucket, problem, commit.stream, commit.id)


def _resolve(waiting: _Waiting, stored: StoredCommit | None) -> None:
    if not waiting.done.done():  # else its caller was cancelled
        waiting.done.set_result(stored)


def _fail(waiting: _Waiting, error: Exception) -> None:
    if not waiting.done.done():
        waiting.done.set_exception(error)


async def _back_off(failures: int) -> None:
    # Full jitter, from "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    cap = min(BACKOFF_CAP_S, BACKOFF_S * 2 ** min(failures, 10))
    await asyncio.sleep(random.uniform(0, cap))  # noqa: S311 - no secret
