"""Stores whose commits do not make the same log again."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve

from eventhus import Metadata, StreamId
from eventhus.ports import Commit, StoredCommit
from eventhus_memory import MemoryStore
from tests.testing.conformance.defects import caught_by


class Copying(MemoryStore):
    """Gives other commits than it has stored."""

    def copied(self, stored: StoredCommit) -> StoredCommit:
        return evolve(stored, commit=self.changed(stored.commit))

    def changed(self, commit: Commit) -> Commit:
        raise NotImplementedError

    async def commits(self, *, after: int = 0, limit: int = 100) -> Sequence[StoredCommit]:
        return [self.copied(each) for each in await super().commits(after=after, limit=limit)]


@caught_by("test_commits_come_back_as_they_were_appended")
class LeavesOutCommandIds(Copying):
    def changed(self, commit: Commit) -> Commit:
        return evolve(commit, command_id=None)


@caught_by("test_commits_come_back_as_they_were_appended")
class LeavesOutMetadata(Copying):
    def changed(self, commit: Commit) -> Commit:
        return evolve(commit, metadata=Metadata())


@caught_by("test_commits_are_read_in_pages")
class StartsWithTheCommitOfThePosition(MemoryStore):
    async def commits(self, *, after: int = 0, limit: int = 100) -> Sequence[StoredCommit]:
        if 0 < after < len(self._log):
            after = self._log[after - 1].commit.position - 1
        return await super().commits(after=after, limit=limit)


@caught_by("test_hundreds_of_commits_are_all_there")
class EndsEarly(MemoryStore):
    async def commits(self, *, after: int = 0, limit: int = 100) -> Sequence[StoredCommit]:
        return await super().commits(after=after, limit=limit) if after < 300 else []


@caught_by("test_a_copied_log_is_identical")
class ExpectsTheVersionsAfterwards(Copying):
    def copied(self, stored: StoredCommit) -> StoredCommit:
        parts = [
            evolve(part, expected_version=version)
            for part, version in zip(stored.commit.parts, stored.versions, strict=True)
        ]
        return evolve(stored, commit=evolve(stored.commit, parts=parts))


@caught_by("test_the_version_of_a_stream_is_that_of_its_last_event")
class SaysThePositionOfTheLastEvent(MemoryStore):
    async def version_of(self, stream: StreamId) -> int:
        own = self._streams.get(stream)
        return own[-1].position if own else 0
