"""Stores that restore commits at other places than those that they had."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve

from eventhus.errors import ConcurrencyError, InvalidCommit, LogsDiffer
from eventhus.ports import StoredCommit
from eventhus_memory import MemoryStore
from tests.testing.conformance.defects import caught_by


@caught_by("test_restored_commits_have_the_places_that_they_had")
class RestoresNoCommandIds(MemoryStore):
    async def restore(self, commits: Sequence[StoredCommit]) -> None:
        await super().restore(
            [evolve(each, commit=evolve(each.commit, command_id=None)) for each in commits]
        )


@caught_by("test_a_log_goes_on_after_restored_commits")
class ForgetsRestoredIds(MemoryStore):
    async def restore(self, commits: Sequence[StoredCommit]) -> None:
        await super().restore(commits)
        if len(commits) == 1:
            self._commands.clear()


@caught_by("test_commits_are_restored_only_at_the_end_of_the_log")
class RestoresAnywhere(MemoryStore):
    async def restore(self, commits: Sequence[StoredCommit]) -> None:
        try:
            await super().restore(commits)
        except LogsDiffer:
            for each in commits:
                await self.append(each.commit)


@caught_by("test_restored_commits_follow_each_other")
class RestoresTheFirstOfInvalidOnes(MemoryStore):
    async def restore(self, commits: Sequence[StoredCommit]) -> None:
        try:
            await super().restore(commits)
        except InvalidCommit:
            await super().restore(commits[:1])
            raise


@caught_by("test_restored_versions_continue_their_streams")
class RestoresAnyVersion(MemoryStore):
    async def restore(self, commits: Sequence[StoredCommit]) -> None:
        try:
            await super().restore(commits)
        except ConcurrencyError:
            for each in commits:
                await self.append(each.commit)


@caught_by("test_an_id_is_restored_only_once")
class RestoresIdsTwice(MemoryStore):
    async def restore(self, commits: Sequence[StoredCommit]) -> None:
        for each in commits:
            self._commands.pop(each.commit.command_id or "", None)
        await super().restore(commits)


@caught_by("test_nothing_can_be_restored")
class TakesNoEmptyCall(MemoryStore):
    async def restore(self, commits: Sequence[StoredCommit]) -> None:
        await super().restore([commits[0], *commits[1:]])
