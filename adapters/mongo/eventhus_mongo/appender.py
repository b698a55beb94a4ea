"""Group commit: the commits that wait while one insert is in flight go out in the next one.

The log is dense because a writer inserts a commit at the position after the last one that it has
seen. The position is the ``_id``, which MongoDB keeps unique: of two writers that aim at the same
position one wins, and the other reads the tail and tries again. No position is skipped, since
nobody aims beyond what exists.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from attrs import define
from pymongo.errors import BulkWriteError, PyMongoError

from eventhus import ConcurrencyError, StreamId
from eventhus.adapter_support import Backoff, checked_commit
from eventhus.errors import (
    AccessDenied,
    CommandIdReused,
    IncompatibleBucket,
    InvalidCommit,
    OutcomeUnknown,
    StoreUnavailable,
)
from eventhus.ports import Commit, StoredCommit
from eventhus_mongo.batching import Batcher
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
from eventhus_mongo.driver_errors import (
    DUPLICATE_KEY,
    describe,
    is_passing,
    to_eventhus_error,
    translating_errors,
)
from eventhus_mongo.known_versions import KnownVersions

BATCH_COMMITS = 200
BATCH_BYTES = 4_000_000
RETRY = Backoff(first_s=0.004, cap_s=0.5)
RIVALRY = 4  # the most failures that count after a position that another writer took
MIN_ATTEMPT_S = 0.05


@define(eq=False)
class _Append:
    """A call of ``append`` that waits for its place in the log."""

    commit: Commit
    encoded: Encoded
    deadline: float  # by the event loop's clock
    done: asyncio.Future[StoredCommit | None]
    end: int  # the version of the stream to append at, where a commit is known to end
    sent: bool = False  # it was sent, and its outcome is not known


class Appender:
    """Appends commits to the log of one bucket."""

    def __init__(self, connection: Connection, known: KnownVersions) -> None:
        self._connection = connection
        self._known = known
        self._random = Random()  # noqa: S311 - spreads retries, guards nothing
        self._batcher: Batcher[_Append] = Batcher(
            self._insert_batch,
            self._give_up,
            most=BATCH_COMMITS,
            weight=lambda waiting: waiting.encoded.size_bytes,
            most_weight=BATCH_BYTES,
        )
        self._next: int | None = None  # the next free position, as far as is known
        self._failures = 0  # of inserts, in a row
        self._clashed = False  # whether a stream that had grown stopped the last insert

    async def append(self, commit: Commit) -> StoredCommit:
        """See ``EventStore.append``."""
        commit = checked_commit(commit)
        encoded = encode_commit(commit)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._connection.timeout_s
        end = self._known_end(commit)
        sent = False
        attempt = 0
        while True:
            if end is None:
                try:
                    examined = await self._examine(commit, clashed=attempt > 0)
                except StoreUnavailable as error:
                    if sent:  # and its outcome cannot be looked up
                        raise self._unknown(commit, error.problem) from error
                    raise
                if isinstance(examined, StoredCommit):
                    return examined
                end = examined
            waiting = _Append(commit, encoded, deadline, loop.create_future(), end, sent)
            self._batcher.add(waiting)
            stored = await waiting.done
            if stored is not None:
                return stored
            # Its version or one of its ids is taken, perhaps by this very commit, sent earlier.
            end, sent = None, waiting.sent
            if loop.time() > deadline:
                raise self._late(waiting, "other writers kept getting in first")
            if attempt > 0:
                await self._back_off(attempt)
            attempt += 1

    async def drain(self) -> None:
        """Wait until no commit is in flight."""
        await self._batcher.drain()

    def cut_off(self) -> None:
        """Send no more."""
        self._batcher.cut_off()

    async def tail(self, timeout_s: float | None = None) -> int:
        """Return the position of the last event in the log. Raises the driver's errors."""
        last = await self._connection.last(
            {}, "_id", projection=["size", "format"], timeout_s=timeout_s
        )
        return 0 if last is None else last_position(last)

    async def find(self, key: Mapping[str, Any]) -> StoredCommit | None:
        """Return the commit with a commit id or a command id, or ``None``."""
        with translating_errors(self._connection.bucket):
            async with self._connection.operation() as session:
                document = await self._connection.events.find_one(key, session=session)
            return None if document is None else decode_commit(document)

    def _known_end(self, commit: Commit) -> int | None:
        """Return the version to append at, if it is known that a commit ends there."""
        expected = commit.expected_version
        if expected == 0:
            return 0  # nothing precedes the first version
        known = self._known.get(commit.stream)
        return known if expected is None or expected == known else None

    async def _examine(self, commit: Commit, *, clashed: bool) -> StoredCommit | int:
        """Look up the version to append at; return the commit itself if the log holds it."""
        # The stream first. In the other order, a commit that lands in between would be missed.
        end = await self._end_of(commit.stream)
        fits = commit.expected_version in (None, end)
        if clashed or not fits:
            first = await self._stored(commit)
            if first is not None:
                return first
        if not fits:
            assert commit.expected_version is not None
            raise ConcurrencyError(commit.stream, commit.expected_version, end)
        self._known.learn(commit.stream, end)
        return end

    async def _end_of(self, stream: StreamId) -> int:
        with translating_errors(self._connection.bucket):
            last = await self._connection.last(
                stream_key(stream), "version", projection=["version", "size", "format"]
            )
            return 0 if last is None else last_version(last)

    async def _stored(self, commit: Commit) -> StoredCommit | None:
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

    async def _insert_batch(self, batch: list[_Append]) -> None:
        if self._failures:
            await self._back_off(self._failures)
        await self._insert(batch)

    def _give_up(self, waiting: _Append, error: BaseException) -> None:
        waiting.sent = True  # it may have been
        _fail(waiting, self._late(waiting, f"appending ended with {type(error).__name__}"))
        self._next = None

    async def _back_off(self, failures: int) -> None:
        await asyncio.sleep(RETRY.jittered_s(failures, self._random))

    async def _insert(self, batch: Sequence[_Append]) -> None:
        """Send a batch. Afterwards each of its commits is settled or back in the queue."""
        now = asyncio.get_running_loop().time()
        # Half of the time that the most urgent one has. The other half is for looking up its
        # outcome, and for sending it again.
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

    def _drop_stale(self, batch: Sequence[_Append]) -> list[_Append]:
        """Drop the commits whose stream is known to have grown: they would stop the insert."""
        fresh: list[_Append] = []
        for waiting in batch:
            known = self._known.get(waiting.commit.stream)
            if waiting.commit.expected_version is None or known is None or known <= waiting.end:
                fresh.append(waiting)
            else:
                _resolve(waiting, None)
        return fresh

    async def _drop_taken(self, batch: Sequence[_Append], timeout_s: float) -> list[_Append]:
        """Drop the commits whose version is taken.

        If others write to the same streams, many commits of a batch may come too late, and each
        would cost the later ones another insert. After the first, one query finds the others.
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
        taken = [tuple(document[name] for name in key) for document in found]
        free: list[_Append] = []
        for waiting, place in zip(batch, places, strict=True):
            if place in taken:
                _resolve(waiting, None)
            else:
                free.append(waiting)
        return free

    def _place(
        self, batch: Sequence[_Append], position: int, placed: list[StoredCommit]
    ) -> list[Document]:
        documents: list[Document] = []
        ends: dict[StreamId, int] = {}  # after the commits placed so far
        for waiting in batch:
            commit = waiting.commit
            end = waiting.end
            if commit.expected_version is None:
                known = self._known.get(commit.stream) or 0
                end = max(end, known, ends.get(commit.stream, 0))
            stored = StoredCommit(commit=commit, version=end + 1, position=position)
            ends[commit.stream] = stored.last_version
            placed.append(stored)
            documents.append(waiting.encoded.at(position, end + 1))
            position += len(commit.events)
        return documents

    def _settle(self, batch: Sequence[_Append], placed: Sequence[StoredCommit]) -> None:
        """Answer commits that are in the log, acknowledged by a majority."""
        for waiting, stored in zip(batch, placed, strict=True):
            self._known.learn(stored.commit.stream, stored.last_version)
            self._next = stored.last_position + 1
            _resolve(waiting, stored)

    def _failed(
        self, batch: Sequence[_Append], placed: Sequence[StoredCommit], error: PyMongoError
    ) -> None:
        if isinstance(error, BulkWriteError) and not error.details.get("writeConcernErrors"):
            self._stopped(batch, placed, error.details["writeErrors"][0])
            return
        # It is not known whether anything was stored. Sending the same again, at the tail as it
        # is then, is safe: MongoDB refuses a commit id that it has.
        self._next = None
        self._failures += 1
        problem = to_eventhus_error(self._connection.bucket, error)
        if placed and not isinstance(problem, AccessDenied):  # access is checked first
            for waiting in batch:
                waiting.sent = True
        if is_passing(error):
            self._put_back(batch, describe(error))
            return
        for waiting in batch:
            _fail(
                waiting, self._unknown(waiting.commit, describe(error)) if waiting.sent else problem
            )

    def _stopped(
        self, batch: Sequence[_Append], placed: Sequence[StoredCommit], problem: Mapping[str, Any]
    ) -> None:
        """Handle an insert that stopped at a document that the server refused."""
        stop: int = problem["index"]
        self._settle(batch[:stop], placed[:stop])
        refused = batch[stop]
        if problem["code"] != DUPLICATE_KEY:
            refusal = f"MongoDB refused a document with error {problem['code']}"
            _fail(refused, self._late(refused, refusal))
            self._put_back(batch[stop + 1 :])
        elif "_id" in problem["keyPattern"]:
            # Another writer has the position, so the tail must be read again. Waiting for longer
            # than an insert takes would leave the log to the writer that loses least.
            self._next = None
            self._failures = min(self._failures + 1, RIVALRY)
            self._put_back(batch[stop:], "other writers kept getting in first")
        else:
            self._next = placed[stop].position
            self._failures, self._clashed = 0, True
            _resolve(refused, None)
            self._put_back(batch[stop + 1 :])

    def _put_back(self, batch: Sequence[_Append], problem: str | None = None) -> None:
        now = asyncio.get_running_loop().time()
        for waiting in reversed(batch):
            if problem is not None and now >= waiting.deadline - MIN_ATTEMPT_S:
                _fail(waiting, self._late(waiting, problem))
            else:
                self._batcher.put_back(waiting)

    def _late(self, waiting: _Append, problem: str) -> StoreUnavailable | OutcomeUnknown:
        if waiting.sent:
            return self._unknown(waiting.commit, problem)
        return StoreUnavailable(self._connection.bucket, problem)

    def _unknown(self, commit: Commit, problem: str) -> OutcomeUnknown:
        return OutcomeUnknown(self._connection.bucket, problem, commit.stream, commit.id)


def _resolve(waiting: _Append, stored: StoredCommit | None) -> None:
    if not waiting.done.done():  # otherwise its caller was cancelled
        waiting.done.set_result(stored)


def _fail(waiting: _Append, error: Exception) -> None:
    if not waiting.done.done():
        waiting.done.set_exception(error)
