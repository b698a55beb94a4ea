"""Group commit: the commits that wait while one insert is in flight go out in the next one.

The log is dense because a writer inserts a commit at the position after the last one that it has
seen. The position is the ``_id``, which MongoDB keeps unique: of two writers that aim at the same
position one wins, and the other reads the tail and tries again. No position is skipped, since
nobody aims beyond what exists.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from random import Random
from typing import Any

import pymongo
from attrs import evolve
from pymongo.errors import BulkWriteError, PyMongoError

from eventhus import ConcurrencyError, StreamId
from eventhus.adapter_support import Backoff, check_condition, checked_commit
from eventhus.errors import (
    AccessDenied,
    ConditionFailed,
    IncompatibleBucket,
    OutcomeUnknown,
    StoreUnavailable,
)
from eventhus.ports import Commit, Part, StoredCommit
from eventhus_mongo.batching import Batcher
from eventhus_mongo.bucket import UNIQUE_KEYS, check_refusal, ensure_log
from eventhus_mongo.commits import encode_commit
from eventhus_mongo.conditions import Stretch, Verdict, look
from eventhus_mongo.connection import Connection
from eventhus_mongo.documents import Document, UnknownFormat
from eventhus_mongo.driver_errors import (
    DUPLICATE_KEY,
    describe,
    is_passing,
    to_eventhus_error,
    translating_errors,
)
from eventhus_mongo.known_versions import KnownVersions
from eventhus_mongo.lookups import Lookups, taken_version
from eventhus_mongo.pending_append import PendingAppend, weight
from eventhus_mongo.query_reader import QueryReader

BATCH_COMMITS = 200
RETRY = Backoff(first_s=0.004, cap_s=0.5)
RIVALRY = 4  # the most failures that count after a position that another writer took
MIN_ATTEMPT_S = 0.05
AHEAD_TRIES = 8  # for a condition that begins after the head: about half a second


class Appender:
    """Appends commits to the log of one bucket."""

    def __init__(
        self,
        connection: Connection,
        known: KnownVersions,
        lookups: Lookups,
        queries: QueryReader,
    ) -> None:
        self._connection = connection
        self._known = known
        self._lookups = lookups
        self._queries = queries
        self._random = Random()  # noqa: S311 - spreads retries, guards nothing
        self._batcher: Batcher[PendingAppend] = Batcher(
            self._insert_batch,
            self._give_up,
            most=BATCH_COMMITS,
            weight=weight,
            most_weight=1,
        )
        self._next: int | None = None  # the next free position, as far as is known
        self._failures = 0  # of inserts, in a row
        self._recent = Stretch()  # commits under conditions that this process has just stored
        self._clashed = False  # whether a stream that had grown stopped the last insert

    async def append(self, commit: Commit) -> StoredCommit:
        """See ``EventStore.append``."""
        commit = checked_commit(commit)
        loop = asyncio.get_running_loop()
        waiting = PendingAppend(
            commit,
            encode_commit(commit),
            loop.time() + self._connection.timeout_s,
            loop.create_future(),
        )
        if commit.condition is not None:
            waiting.query, waiting.clear_to = commit.condition.query, commit.condition.after
        known = [self._known_end(part) for part in commit.parts]
        waiting.ends = [end for end in known if end is not None]
        if len(waiting.ends) < len(known):
            examined = await self._connection.calls.carry_out(
                partial(self._examine, waiting, known)
            )
            if isinstance(examined, StoredCommit):
                return examined
            waiting.ends = examined
        attempt = 0
        while True:
            self._batcher.add(waiting)
            stored = await waiting.done
            if stored is not None:
                return stored
            # A version or one of its ids is taken, perhaps by this very commit, sent earlier. Or
            # its condition could not be checked.
            if loop.time() > waiting.deadline:
                raise self._late(waiting, "other writers kept getting in first")
            if attempt > 0:
                await self._back_off(attempt)
            attempt += 1
            try:
                examined = await self._connection.calls.carry_out(partial(self._examine, waiting))
            except StoreUnavailable as error:
                if waiting.sent:  # and its outcome cannot be looked up
                    raise self._unknown(commit, error.problem) from error
                raise
            if isinstance(examined, StoredCommit):
                is_own = waiting.sent and examined.commit.id == commit.id
                return evolve(examined, commit=commit) if is_own else examined
            # A new one, because the old one may still be in a batch.
            waiting = evolve(
                waiting, ends=examined, taken=None, refusal=None, done=loop.create_future()
            )

    async def drain(self) -> None:
        """Wait until no commit is in flight."""
        await self._batcher.drain()

    def cut_off(self) -> None:
        """Send no more."""
        self._batcher.cut_off()

    def _known_end(self, part: Part) -> int | None:
        """Return the version to append at, if it is known that a commit ends there."""
        expected = part.expected_version
        if expected == 0:
            return 0  # nothing precedes the first version
        known = self._known.get(part.stream)
        return known if expected is None or expected == known else None

    async def _examine(
        self, waiting: PendingAppend, known: Sequence[int | None] = ()
    ) -> StoredCommit | list[int]:
        """Return the version to append at for each part, or the commit if the log holds it.

        Args:
            waiting: The commit.
            known: Before the first attempt, those versions as far as they are known. Later none
                is known for sure, and the commit may have been stored.
        """
        commit = waiting.commit
        # The streams first. In the other order, a commit that lands in between would be missed.
        before = known or [None] * len(commit.parts)
        unknown = [part for part, end in zip(commit.parts, before, strict=True) if end is None]
        found = iter(await self._lookups.ends_of(unknown))
        ends = [next(found) if end is None else end for end in before]
        misfit = next(
            (
                ConcurrencyError(part.stream, part.expected_version, end)
                for part, end in zip(commit.parts, ends, strict=True)
                if part.expected_version is not None and part.expected_version != end
            ),
            None,
        )
        match = await self._look_apart(waiting) if waiting.is_apart and misfit is None else None
        if not known or misfit is not None:
            first = await self._lookups.stored(commit)
            if first is not None:
                return first
        if misfit is not None:
            raise misfit
        if match is not None:
            raise self._refusal(waiting, match)
        if waiting.ahead >= AHEAD_TRIES:
            await self._start_over(waiting)
        if waiting.refusal is not None:
            with translating_errors(self._connection.bucket):
                await check_refusal(
                    self._connection, self._connection.events, waiting.refusal, *UNIQUE_KEYS
                )
        await self._check_taken(waiting, ends)
        return ends

    async def _start_over(self, waiting: PendingAppend) -> None:
        """Check a condition from its own beginning again, if the log reaches that.

        The log has reached further, or the beginning was made up. Only another program can shorten
        the log.

        Raises:
            InvalidCommit: The condition begins after the head of the log.
        """
        commit = waiting.commit
        assert commit.condition is not None
        with translating_errors(self._connection.bucket):
            check_condition(commit, (await self._connection.tail()).position)
        waiting.clear_to, waiting.ahead = commit.condition.after, 0

    async def _check_taken(self, waiting: PendingAppend, ends: Sequence[int]) -> None:
        """Check that a version which was taken belongs to its stream.

        Otherwise the commit would be refused again and again. A lower end alone proves nothing: a
        commit that a majority does not have yet is not read, and keeps others from its place.
        """
        if waiting.taken is None:
            return
        stream, version = waiting.taken
        for part, end in zip(waiting.commit.parts, ends, strict=True):
            if part.stream == stream and end < version:
                await self._lookups.check_free(stream, version)

    async def _look_apart(self, waiting: PendingAppend) -> int | None:
        """Return the position of an event that matches the commit's condition, if any."""
        assert waiting.query is not None
        with translating_errors(self._connection.bucket):
            page = await self._queries.read(waiting.query, waiting.clear_to, 1)
        if page.events:
            return page.position
        waiting.clear_to, waiting.is_apart = page.position, False
        return None

    async def _insert_batch(self, batch: list[PendingAppend]) -> None:
        if self._failures:
            await self._back_off(self._failures)
        await self._insert(batch)

    def _give_up(self, waiting: PendingAppend, error: BaseException) -> None:
        waiting.sent = True  # it may have been
        waiting.fail(self._late(waiting, f"appending ended with {type(error).__name__}"))
        self._next = None

    async def _back_off(self, failures: int) -> None:
        await asyncio.sleep(RETRY.jittered_s(failures, self._random))

    async def _insert(self, batch: Sequence[PendingAppend]) -> None:
        """Send a batch. Afterwards each of its commits is settled or back in the queue."""
        now = asyncio.get_running_loop().time()
        # Half of the time that the most urgent one has. The other half is for looking up its
        # outcome, and for sending it again.
        remaining = min(waiting.deadline for waiting in batch) - now
        attempt_s = max(remaining / 2, MIN_ATTEMPT_S)
        placed: list[StoredCommit] = []
        try:
            with pymongo.timeout(attempt_s):
                batch = await self._drop_hopeless(batch)
                if not batch:
                    return
                assert self._next is not None
                await ensure_log(self._connection)
                batch, documents, recent = self._place(batch, self._next, placed)
                async with self._connection.operation() as session:
                    await self._connection.events.insert_many(documents, session=session)
        except UnknownFormat as unknown:
            for waiting in batch:
                waiting.fail(IncompatibleBucket(self._connection.bucket, str(unknown)))
        except IncompatibleBucket as error:
            for waiting in batch:
                waiting.fail(IncompatibleBucket(self._connection.bucket, error.problem))
        except PyMongoError as error:
            self._failed(batch, placed, error)
        else:
            self._failures, self._clashed = 0, False
            self._settle(batch, placed)
            self._recent = recent

    async def _drop_hopeless(self, batch: Sequence[PendingAppend]) -> list[PendingAppend]:
        """Drop the commits that are known not to fit into the log as it is now."""
        was_known = self._next is not None
        if self._next is None:
            self._next = (await self._connection.tail()).position + 1
        batch = self._drop_stale(batch)
        if self._clashed:
            batch = await self._drop_taken(batch)
        if was_known and any(
            waiting.query is not None and waiting.clear_to >= self._next for waiting in batch
        ):
            # Another writer must have appended, unless the position was made up.
            self._next = (await self._connection.tail()).position + 1
        return await self._drop_unmet(batch, self._next - 1)

    def _drop_stale(self, batch: Sequence[PendingAppend]) -> list[PendingAppend]:
        """Drop the commits that would stop the insert, because a stream is known to have grown."""
        fresh: list[PendingAppend] = []
        for waiting in batch:
            if self._is_stale(waiting):
                waiting.resolve(None)
            else:
                fresh.append(waiting)
        return fresh

    def _is_stale(self, waiting: PendingAppend) -> bool:
        for part, end in zip(waiting.commit.parts, waiting.ends, strict=True):
            known = self._known.get(part.stream)
            if known is not None and known > end and part.expected_version is not None:
                return True
        return False

    async def _drop_taken(self, batch: Sequence[PendingAppend]) -> list[PendingAppend]:
        """Drop the commits one of whose versions is taken.

        If others write to the same streams, many commits of a batch may come too late, and each
        would cost the later ones another insert. After the first, one query finds the others.
        """
        if not batch:
            return []
        places = [
            {
                (part.stream, end + 1)
                for part, end in zip(waiting.commit.parts, waiting.ends, strict=True)
            }
            for waiting in batch
        ]
        taken = await self._lookups.taken(set().union(*places))
        free: list[PendingAppend] = []
        for waiting, each in zip(batch, places, strict=True):
            if taken.isdisjoint(each):
                free.append(waiting)
            else:
                waiting.taken = next(iter(taken & each))
                waiting.resolve(None)
        return free

    async def _drop_unmet(self, batch: Sequence[PendingAppend], head: int) -> list[PendingAppend]:
        """Drop the commits whose conditions fail, or cannot be checked here."""
        conditions = [
            (waiting.query, waiting.clear_to) for waiting in batch if waiting.query is not None
        ]
        if not conditions:
            return [*batch]
        stretch = await look(self._connection, conditions, head, self._recent)
        verdicts = [self._judge(waiting, stretch, head) for waiting in batch]
        matches = [
            waiting.commit
            for waiting, verdict in zip(batch, verdicts, strict=True)
            if isinstance(verdict, int)
        ]
        # After the match was found. In the other order, the commit may land in between, and be told
        # that its own events are in its way.
        held = await self._lookups.held(matches)
        free: list[PendingAppend] = []
        for waiting, verdict in zip(batch, verdicts, strict=True):
            if verdict is Verdict.FREE:
                waiting.clear_to = max(waiting.clear_to, head)
                free.append(waiting)
            elif isinstance(verdict, UnknownFormat):
                waiting.fail(IncompatibleBucket(self._connection.bucket, str(verdict)))
            elif isinstance(verdict, int) and waiting.commit.id not in held:
                waiting.fail(self._refusal(waiting, verdict))
            else:
                waiting.is_apart = verdict is Verdict.APART
                waiting.ahead += verdict is Verdict.AHEAD
                waiting.resolve(None)
        return free

    def _judge(
        self, waiting: PendingAppend, stretch: Stretch, head: int
    ) -> Verdict | int | UnknownFormat:
        if waiting.query is None:
            return Verdict.FREE
        try:
            return stretch.judge(waiting.query, waiting.clear_to, head)
        except UnknownFormat as unknown:
            return unknown

    def _place(
        self, batch: Sequence[PendingAppend], position: int, placed: list[StoredCommit]
    ) -> tuple[list[PendingAppend], list[Document], Stretch]:
        """Give each commit its place in the log, except those whose condition an earlier one fails.

        These go into a later batch. To refuse them would be too early: that one may not land.

        Returns:
            The commits with a place, their documents, and the events that will have been stored in
            a row, if there are conditions.
        """
        sending: list[PendingAppend] = []
        deferred: list[PendingAppend] = []
        documents: list[Document] = []
        ends: dict[StreamId, int] = {}  # after the commits placed so far
        head = position - 1
        recent, self._recent = self._recent, Stretch()  # until all of this is stored
        if not recent.reaches(head):
            recent = Stretch(head)
        has_conditions = any(waiting.query is not None for waiting in batch)
        for waiting in batch:
            commit = waiting.commit
            if waiting.query is not None and recent.first_match(waiting.query, head) is not None:
                deferred.append(waiting)
                continue
            versions: list[int] = []
            for part, known_end in zip(commit.parts, waiting.ends, strict=True):
                end = known_end
                if part.expected_version is None:
                    known = self._known.get(part.stream) or 0
                    end = max(end, known, ends.get(part.stream, 0))
                ends[part.stream] = end + len(part.events)
                versions.append(end + 1)
            if has_conditions:
                recent.add(position, [(event.type, event.tags) for event in commit.events])
            placed.append(StoredCommit(commit=commit, versions=versions, position=position))
            sending.append(waiting)
            documents.append(waiting.encoded.at(position, versions))
            position += sum([len(part.events) for part in commit.parts])
        for waiting in reversed(deferred):
            self._batcher.put_back(waiting)
        return sending, documents, recent

    def _settle(self, batch: Sequence[PendingAppend], placed: Sequence[StoredCommit]) -> None:
        """Answer commits that are in the log, acknowledged by a majority."""
        for waiting, stored in zip(batch, placed, strict=True):
            for part, version in zip(stored.commit.parts, stored.versions, strict=True):
                self._known.learn(part.stream, version + len(part.events) - 1)
            waiting.resolve(stored)
        if placed:
            self._next = placed[-1].last_position + 1

    def _failed(
        self, batch: Sequence[PendingAppend], placed: Sequence[StoredCommit], error: PyMongoError
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
            waiting.fail(
                self._unknown(waiting.commit, describe(error)) if waiting.sent else problem
            )

    def _stopped(
        self,
        batch: Sequence[PendingAppend],
        placed: Sequence[StoredCommit],
        problem: Mapping[str, Any],
    ) -> None:
        """Handle an insert that stopped at a document that the server refused."""
        stop: int = problem["index"]
        self._settle(batch[:stop], placed[:stop])
        refused = batch[stop]
        if problem["code"] != DUPLICATE_KEY:
            refusal = f"MongoDB refused a document with error {problem['code']}"
            refused.fail(self._late(refused, refusal))
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
            refused.taken, refused.refusal = taken_version(problem), problem
            refused.resolve(None)
            self._put_back(batch[stop + 1 :])

    def _put_back(self, batch: Sequence[PendingAppend], problem: str | None = None) -> None:
        now = asyncio.get_running_loop().time()
        for waiting in reversed(batch):
            if problem is not None and now >= waiting.deadline - MIN_ATTEMPT_S:
                waiting.fail(self._late(waiting, problem))
            else:
                self._batcher.put_back(waiting)

    def _late(self, waiting: PendingAppend, problem: str) -> StoreUnavailable | OutcomeUnknown:
        if waiting.sent:
            return self._unknown(waiting.commit, problem)
        return StoreUnavailable(self._connection.bucket, problem)

    def _refusal(self, waiting: PendingAppend, position: int) -> ConditionFailed:
        commit = waiting.commit
        assert commit.condition is not None
        return ConditionFailed(commit.stream, commit.condition.after, position)

    def _unknown(self, commit: Commit, problem: str) -> OutcomeUnknown:
        return OutcomeUnknown(self._connection.bucket, problem, commit.stream, commit.id)
