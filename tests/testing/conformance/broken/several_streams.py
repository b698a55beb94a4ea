"""Stores that take a commit of several streams for something else."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from attrs import evolve

from eventhus import ConcurrencyError, StreamId
from eventhus.errors import CommandIdReused, InvalidArgument
from eventhus.ports import Commit, Part, StoredCommit, StoredEvent
from eventhus_memory import MemoryStore
from eventhus_testing.conformance.store import samples
from eventhus_testing.conformance.store.samples import expecting
from tests.testing.conformance.defects import Distorting, Rewriting, caught_by


@caught_by("test_a_commit_of_several_streams_has_one_place_in_the_log")
class ReversesParts(Rewriting):
    def rewritten(self, commit: Commit) -> Commit:
        return evolve(commit, parts=commit.parts[::-1])


@caught_by("test_versions_count_by_stream")
class AnswersWithOneVersion(MemoryStore):
    async def append(self, commit: Commit) -> StoredCommit:
        stored = await super().append(commit)
        return evolve(stored, versions=[stored.versions[0] for _ in stored.versions])


@caught_by("test_ids_count_over_the_whole_commit")
class NumbersEventsByStream(Distorting):
    def distorted(self, recorded: StoredEvent) -> StoredEvent:
        stored = self._log[recorded.position - 1].commit
        streams = [part.stream for part in stored.commit.parts]
        first = stored.versions[streams.index(recorded.stream)]
        return evolve(recorded, id=f"{stored.commit.id}-{recorded.version - first + 1}")


@caught_by("test_a_commit_of_several_streams_is_found_again")
class FindsTheFirstPart(MemoryStore):
    async def find(self, command_id: str) -> StoredCommit | None:
        found = await super().find(command_id)
        if found is None:
            return None
        first = evolve(found.commit, parts=found.commit.parts[:1])
        return evolve(found, commit=first, versions=found.versions[:1])


@caught_by("test_streams_of_shared_commits_are_read_in_pages")
class StartsAtTheBeginningOfAPart(MemoryStore):
    async def history(
        self, stream: StreamId, *, after_version: int = 0, limit: int = 1000
    ) -> Sequence[StoredEvent]:
        own = self._streams.get(stream, [])
        while 0 < after_version < len(own) and self._is_inside(own[after_version - 1 :][:2]):
            after_version -= 1
        return await super().history(stream, after_version=after_version, limit=limit)

    def _is_inside(self, pair: Sequence[Any]) -> bool:
        return pair[0].commit is pair[1].commit


@caught_by("test_one_wrong_version_refuses_the_whole_commit")
class ChecksTheFirstPart(Rewriting):
    def rewritten(self, commit: Commit) -> Commit:
        others = [evolve(part, expected_version=None) for part in commit.parts[1:]]
        return evolve(commit, parts=[*commit.parts[:1], *others])


@caught_by("test_one_wrong_version_refuses_the_whole_commit")
class NamesTheFirstStream(MemoryStore):
    async def append(self, commit: Commit) -> StoredCommit:
        try:
            return await super().append(commit)
        except ConcurrencyError as refused:
            raise ConcurrencyError(commit.stream, refused.expected, refused.actual) from None


@caught_by("test_one_wrong_version_refuses_the_whole_commit")
class StoresTheOtherParts(MemoryStore):
    async def append(self, commit: Commit) -> StoredCommit:
        try:
            return await super().append(commit)
        except ConcurrencyError as refused:
            for part in commit.parts:
                if part.stream != refused.stream:
                    await super().append(samples.commit_of(part))
            raise


@caught_by("test_invalid_parts_are_refused")
class MergesParts(Rewriting):
    def rewritten(self, commit: Commit) -> Commit:
        parts: dict[StreamId, Part] = {}
        for part in commit.parts:
            before = parts.get(part.stream, evolve(part, events=()))
            parts[part.stream] = evolve(before, events=[*before.events, *part.events])
        return evolve(commit, parts=parts.values())


@caught_by("test_invalid_parts_are_refused")
class DropsEmptyParts(Rewriting):
    def rewritten(self, commit: Commit) -> Commit:
        return evolve(commit, parts=[part for part in commit.parts if part.events])


@caught_by("test_a_shared_stream_makes_a_repeat")
class ComparesFirstStreams(MemoryStore):
    async def append(self, commit: Commit) -> StoredCommit:
        first = self._commands.get(commit.command_id or "")
        if first is not None and first.commit.stream != commit.stream:
            raise CommandIdReused(commit.command_id or "", commit.stream, first.commit.stream)
        return await super().append(commit)


@caught_by("test_a_commit_may_have_a_thousand_parts")
class RefusesManyParts(MemoryStore):
    async def append(self, commit: Commit) -> StoredCommit:
        if len(commit.parts) > 500:
            raise InvalidArgument("too many parts")
        return await super().append(commit)


@caught_by("test_one_of_many_rivals_for_shared_streams_wins")
class ChecksVersionsBeforeItWrites(MemoryStore):
    async def append(self, commit: Commit) -> StoredCommit:
        self._next_versions(commit)
        await asyncio.sleep(0)
        stored = await super().append(expecting(commit, None))
        return evolve(stored, commit=commit)


@caught_by("test_concurrent_commits_of_several_streams_stay_whole")
@caught_by("test_a_cancelled_commit_of_several_streams_is_stored_whole_or_not_at_all")
class AppendsPartByPart(MemoryStore):
    async def append(self, commit: Commit) -> StoredCommit:
        if commit.id in self._commits:
            return await super().append(commit)
        first, *others = commit.parts
        stored = await super().append(evolve(commit, parts=[first]))
        versions = [*stored.versions]
        for part in others:
            await asyncio.sleep(0)
            versions += (await super().append(samples.commit_of(part))).versions
        return evolve(stored, commit=commit, versions=versions)
