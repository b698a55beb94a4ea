"""Stores with other limits than every store has."""

from __future__ import annotations

from typing import Any

from attrs import evolve

from eventhus import Metadata, StreamId
from eventhus.errors import InvalidArgument
from eventhus.ports import Commit, StoredCommit
from eventhus_memory import MemoryStore
from tests.testing.conformance.defects import Rewriting, caught_by


@caught_by("test_ids_and_names_may_be_as_long_as_their_limits")
class RefusesIdsAtTheLimit(MemoryStore):
    async def append(self, commit: Commit) -> StoredCommit:
        if len(commit.stream.aggregate_id.encode()) >= 1024:
            raise InvalidArgument("too long")
        return await super().append(commit)


@caught_by("test_commits_beyond_a_limit_are_refused")
class CutsLongIds(Rewriting):
    def rewritten(self, commit: Commit) -> Commit:
        stream = StreamId(commit.stream.aggregate_type, commit.stream.aggregate_id[:512])
        return evolve(commit, parts=[evolve(part, stream=stream) for part in commit.parts])


@caught_by("test_commits_beyond_a_limit_are_refused")
class CutsLongMetadata(Rewriting):
    def rewritten(self, commit: Commit) -> Commit:
        values = {key: value[:4096] for key, value in commit.metadata.values.items()}
        return evolve(commit, metadata=Metadata(values=values))


@caught_by("test_operations_beyond_a_limit_are_refused")
class LooksForLongCommandIds(MemoryStore):
    async def find(self, command_id: str) -> StoredCommit | None:
        return await super().find(command_id[:512])


@caught_by("test_numbers_that_no_log_reaches_are_refused")
class CutsNumbersTo64Bits(MemoryStore):
    async def save_checkpoint(
        self, name: str, position: int, *, event_id: str = "", **rest: Any
    ) -> None:
        await super().save_checkpoint(name, position % 2**62, event_id=event_id, **rest)


@caught_by("test_commits_that_could_not_be_read_again_are_refused")
class TakesAnySchemaForTheFirst(Rewriting):
    def rewritten(self, commit: Commit) -> Commit:
        parts = [
            evolve(part, events=[evolve(each, schema=1) for each in part.events])
            for part in commit.parts
        ]
        return evolve(commit, parts=parts)
