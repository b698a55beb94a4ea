"""Appends commits of another log at the places that they have there.

Like ``append``, it inserts only right after the last commit that it has seen. Of two writers that
aim at the same position one wins. The commits go out in one ordered insert, which stops at the
first that does not fit, so there is never a gap.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from pymongo.errors import BulkWriteError, PyMongoError

from eventhus import ConcurrencyError, StreamId
from eventhus.adapter_support import checked_restored
from eventhus.errors import (
    AccessDenied,
    CommandIdReused,
    EventhusError,
    InvalidCommit,
    LogsDiffer,
    OutcomeUnknown,
)
from eventhus.ports import StoredCommit
from eventhus_mongo.bucket import ensure_log
from eventhus_mongo.commits import encode_commit
from eventhus_mongo.connection import Connection
from eventhus_mongo.driver_errors import (
    DUPLICATE_KEY,
    describe,
    to_eventhus_error,
    translating_errors,
)
from eventhus_mongo.known_versions import KnownVersions
from eventhus_mongo.lookups import Lookups, taken_version


class Restorer:
    """Restores commits in the log of one bucket."""

    def __init__(self, connection: Connection, known: KnownVersions, lookups: Lookups) -> None:
        self._connection = connection
        self._known = known
        self._lookups = lookups

    async def restore(self, commits: Sequence[StoredCommit]) -> None:
        """See ``EventStore.restore``. There is at least one commit."""
        commits = checked_restored(commits)
        documents = [
            encode_commit(stored.commit).at(stored.position, stored.versions) for stored in commits
        ]
        await self._check_end(commits[0])
        try:
            await self._check_versions(commits)
        except ConcurrencyError:
            await self._check_end(commits[0])  # another writer may have come in between
            raise
        with translating_errors(self._connection.bucket):
            await ensure_log(self._connection)
        try:
            async with self._connection.operation() as session:
                await self._connection.events.insert_many(documents, session=session)
        except PyMongoError as error:
            problem = await self._problem(commits, error)
            raise problem from None  # the driver's error quotes documents
        for stored in commits:
            for part, version in zip(stored.commit.parts, stored.versions, strict=True):
                self._known.learn(part.stream, version + len(part.events) - 1)

    async def _check_end(self, first: StoredCommit) -> None:
        """Check that the log ends right before a commit."""
        with translating_errors(self._connection.bucket):
            tail = await self._connection.tail()
        if tail.position != first.position - 1:
            held = await self._lookups.find({"_id": first.position})
            actual = held.commit.id if held else tail.event_id.rpartition("-")[0]
            raise LogsDiffer(
                first.position, first.commit.id, actual if tail.position >= first.position else ""
            )

    async def _check_versions(self, commits: Sequence[StoredCommit]) -> None:
        """Check that each stream ends right before the first of the commits that adds to it."""
        ends: dict[StreamId, int] = {}
        for stored in commits:
            for part, version in zip(stored.commit.parts, stored.versions, strict=True):
                ends.setdefault(part.stream, version - 1)
        # Nothing precedes a first version, and the index refuses a second one.
        unknown = [stream for stream, end in ends.items() if end and self._known.get(stream) != end]
        actual = await asyncio.gather(*map(self._lookups.end_of, unknown))
        for stream, end in zip(unknown, actual, strict=True):
            if end != ends[stream]:
                raise ConcurrencyError(stream, ends[stream], end)

    async def _problem(self, commits: Sequence[StoredCommit], error: PyMongoError) -> EventhusError:
        """Return the error to raise after an insert that failed."""
        bucket = self._connection.bucket
        refused = commits[0]
        problem = describe(error)
        if isinstance(error, BulkWriteError) and not error.details.get("writeConcernErrors"):
            refusal = error.details["writeErrors"][0]
            refused = commits[refusal["index"]]
            problem = f"MongoDB refused a document with error {refusal['code']}"
            if refusal["code"] == DUPLICATE_KEY:
                return await self._difference(refused, refusal)
        known = to_eventhus_error(bucket, error)
        if isinstance(known, AccessDenied):
            return known
        return OutcomeUnknown(bucket, problem, refused.commit.stream, refused.commit.id)

    async def _difference(self, refused: StoredCommit, refusal: Mapping[str, Any]) -> EventhusError:
        """Return the error for a commit whose position, id or version is taken."""
        commit = refused.commit
        try:
            held = await self._lookups.find({"_id": refused.position})
            held = held or await self._lookups.stored(commit)
        except (CommandIdReused, InvalidCommit):  # a commit of other streams has its id
            return LogsDiffer(refused.position, commit.id, commit.id)
        if held is not None:
            return LogsDiffer(refused.position, commit.id, held.commit.id)
        ends = [await self._lookups.end_of(part.stream) for part in commit.parts]
        for part, version, end in zip(commit.parts, refused.versions, ends, strict=True):
            if end != version - 1:
                return ConcurrencyError(part.stream, version - 1, end)
        if (taken := taken_version(refusal)) is not None:
            await self._lookups.check_free(*taken)
        problem = "another writer's commit was in the way, and no majority has it"
        return OutcomeUnknown(self._connection.bucket, problem, commit.stream, commit.id)
