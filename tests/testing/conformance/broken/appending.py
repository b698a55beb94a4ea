"""Stores that append the wrong thing, in the wrong place, or half of it."""

from __future__ import annotations

import asyncio

from attrs import evolve

from eventhus import ConcurrencyError
from eventhus.errors import InvalidCommit
from eventhus.ports import Commit, StoredCommit
from eventhus_memory import MemoryStore
from eventhus_testing.conformance.store import samples
from eventhus_testing.conformance.store.samples import expecting
from tests.testing.conformance.defects import (
    Rewriting,
    caught_by,
    with_events,
)


@caught_by("test_the_answer_is_what_is_read")
class LosesTheLastEvent(Rewriting):
    def rewritten(self, commit: Commit) -> Commit:
        return with_events(commit, lambda events: events[:-1] or events)


@caught_by("test_a_commit_may_have_thousands_of_events")
class CutsLargeCommits(Rewriting):
    def rewritten(self, commit: Commit) -> Commit:
        return with_events(commit, lambda events: events[:4096])


@caught_by("test_a_commit_without_events_is_refused")
class AcceptsEmptyCommits(MemoryStore):
    async def append(self, commit: Commit) -> StoredCommit:
        if not commit.events:
            return StoredCommit(commit=commit, versions=[1], position=1)
        return await super().append(commit)


@caught_by("test_a_commit_without_events_is_refused")
class RemembersEmptyCommits(MemoryStore):
    async def append(self, commit: Commit) -> StoredCommit:
        if not commit.events and commit.command_id:
            self._commands[commit.command_id] = StoredCommit(
                commit=commit, versions=[1], position=1
            )
        return await super().append(commit)


@caught_by("test_a_commit_is_stored_as_a_whole_or_not_at_all")
class KeepsHalfOfABadCommit(MemoryStore):
    async def append(self, commit: Commit) -> StoredCommit:
        try:
            return await super().append(commit)
        except InvalidCommit:
            for size in range(len(commit.events) - 1, 0, -1):
                half = samples.commit(commit.stream, events=commit.events[:size])
                try:
                    await super().append(half)
                    break
                except InvalidCommit:
                    continue
            raise


@caught_by("test_a_cancelled_append_is_stored_as_a_whole_or_not_at_all")
class KeepsHalfOfACancelledCommit(MemoryStore):
    async def append(self, commit: Commit) -> StoredCommit:
        version = await self.version_of(commit.stream)
        if commit.id in self._commits or commit.parts[0].expected_version not in (None, version):
            return await super().append(commit)
        first, *others = commit.events
        stored = await super().append(with_events(commit, lambda _: [first]))
        for event in others:
            await asyncio.sleep(0)
            await super().append(samples.commit(commit.stream, events=[event]))
        return evolve(stored, commit=commit)


@caught_by("test_a_cancelled_append_affects_no_other")
class CancelsTheWholeBatch(MemoryStore):
    _batch: asyncio.Task[None] | None = None

    async def append(self, commit: Commit) -> StoredCommit:
        if self._batch is None or self._batch.done():
            self._batch = asyncio.create_task(asyncio.sleep(0))
        await self._batch
        return await super().append(commit)


@caught_by("test_a_cancelled_append_is_stored_as_a_whole_or_not_at_all", hangs=True)
class IsStuckOnceCancelled(MemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self._lock = asyncio.Lock()

    async def append(self, commit: Commit) -> StoredCommit:
        await self._lock.acquire()
        await asyncio.sleep(0)
        stored = await super().append(commit)
        self._lock.release()
        return stored


@caught_by("test_the_first_commit_gets_the_first_place")
class StartsAtZero(MemoryStore):
    async def append(self, commit: Commit) -> StoredCommit:
        stored = await super().append(commit)
        return evolve(stored, position=stored.position - 1)


@caught_by("test_a_commit_goes_to_the_end")
class TakesThePositionForTheVersion(MemoryStore):
    async def append(self, commit: Commit) -> StoredCommit:
        stored = await super().append(commit)
        return evolve(stored, versions=[stored.position])


@caught_by("test_another_version_is_refused")
class IgnoresTheExpectedVersion(Rewriting):
    def rewritten(self, commit: Commit) -> Commit:
        return expecting(commit, None)


class Lenient(Rewriting):
    """Takes some wrong versions for right ones."""

    def accepts(self, expected: int, actual: int, commit: Commit) -> bool:
        raise NotImplementedError

    def rewritten(self, commit: Commit) -> Commit:
        expected = commit.parts[0].expected_version
        actual = len(self._streams.get(commit.stream, []))
        if expected is not None and self.accepts(expected, actual, commit):
            return expecting(commit, None)
        return commit


@caught_by("test_another_version_is_refused")
class AcceptsVersionsAhead(Lenient):
    def accepts(self, expected: int, actual: int, commit: Commit) -> bool:
        return expected > actual


@caught_by("test_a_missing_stream_is_at_version_0")
class AcceptsAnyVersionOfANewStream(Lenient):
    def accepts(self, expected: int, actual: int, commit: Commit) -> bool:
        return actual == 0


@caught_by("test_another_version_is_refused")
class AcceptsVersionsAmidACommit(Lenient):
    def accepts(self, expected: int, actual: int, commit: Commit) -> bool:
        stream = self._streams.get(commit.stream, [])
        return 0 < expected < actual and stream[expected].number > 0


@caught_by("test_another_version_is_refused")
class AcceptsNegativeVersions(Lenient):
    def accepts(self, expected: int, actual: int, commit: Commit) -> bool:
        return expected < 0


@caught_by("test_the_expected_version_is_accepted")
class TakesAnyVersionForNone(Rewriting):
    def rewritten(self, commit: Commit) -> Commit:
        return commit if commit.parts[0].expected_version else expecting(commit, 0)


@caught_by("test_another_version_is_refused")
class SaysAWrongActualVersion(MemoryStore):
    async def append(self, commit: Commit) -> StoredCommit:
        try:
            return await super().append(commit)
        except ConcurrencyError as refused:
            raise ConcurrencyError(refused.stream, refused.expected, refused.expected) from None


@caught_by("test_one_of_many_rivals_wins")
@caught_by("test_rivals_on_one_stream_all_succeed_in_the_end")
class ChecksBeforeItWrites(MemoryStore):
    async def append(self, commit: Commit) -> StoredCommit:
        actual = len(self._streams.get(commit.stream, []))
        await asyncio.sleep(0)
        if commit.id not in self._commits and commit.parts[0].expected_version == actual:
            stored = await super().append(expecting(commit, None))
            return evolve(stored, commit=commit)
        return await super().append(commit)


class Moving(MemoryStore):
    """Puts commits at other positions than the next."""

    def moved(self, stored: StoredCommit, position: int) -> StoredCommit:
        moved = evolve(stored, position=position)
        own = slice(stored.position - 1, stored.last_position)
        self._log[own] = [entry._replace(commit=moved) for entry in self._log[own]]
        return moved


@caught_by("test_another_version_is_refused")
class LeavesAHole(Moving):
    _taken = 0  # positions that went to commits that were refused

    async def append(self, commit: Commit) -> StoredCommit:
        try:
            stored = await super().append(commit)
        except ConcurrencyError:
            self._taken += 1
            raise
        if stored.commit is not commit:
            return stored
        return self.moved(stored, stored.position + self._taken)


@caught_by("test_many_writers_make_one_dense_log")
class TakesAPositionAndThenWrites(Moving):
    async def append(self, commit: Commit) -> StoredCommit:
        position = len(self._log) + 1
        await asyncio.sleep(0)
        stored = await super().append(commit)
        return self.moved(stored, position) if stored.commit is commit else stored
