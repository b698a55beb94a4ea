"""Stores that admit what a condition forbids, or refuse what it allows."""

from __future__ import annotations

import asyncio

from attrs import evolve

from eventhus import ConcurrencyError
from eventhus.errors import ConditionFailed
from eventhus.ports import Commit, EventData, StoredCommit
from eventhus_memory import MemoryStore
from eventhus_testing.conformance.store.samples import expecting
from tests.testing.conformance.defects import Rewriting, caught_by


@caught_by("test_a_match_after_the_position_refuses_and_any_other_event_does_not")
class IgnoresConditions(Rewriting):
    def rewritten(self, commit: Commit) -> Commit:
        return evolve(commit, condition=None)


class Shifting(Rewriting):
    """Looks at the log from another position than the condition's."""

    def shifted(self, after: int) -> int:
        raise NotImplementedError

    def rewritten(self, commit: Commit) -> Commit:
        if commit.condition is None:
            return commit
        condition = evolve(commit.condition, after=self.shifted(commit.condition.after))
        return evolve(commit, condition=condition)


@caught_by("test_a_match_after_the_position_refuses_and_any_other_event_does_not")
class LooksAtTheEventAtThePosition(Shifting):
    def shifted(self, after: int) -> int:
        return max(after - 1, 0)


@caught_by("test_a_match_after_the_position_refuses_and_any_other_event_does_not")
class LooksAtTheWholeCommit(Shifting):
    def shifted(self, after: int) -> int:
        is_inside = 0 < after < len(self._log) and self._log[after].number > 0
        return self._log[after].commit.position - 1 if is_inside else after


@caught_by("test_a_match_after_the_position_refuses_and_any_other_event_does_not")
class SkipsTheRestOfACommit(Shifting):
    def shifted(self, after: int) -> int:
        return self._log[after - 1].commit.last_position if 0 < after <= len(self._log) else after


@caught_by("test_a_condition_beyond_the_end_is_refused")
class TakesConditionsFromTheFuture(Shifting):
    def shifted(self, after: int) -> int:
        return min(after, len(self._log))


@caught_by("test_the_commit_itself_does_not_fail_its_condition")
class ChecksAfterItWrites(MemoryStore):
    async def append(self, commit: Commit) -> StoredCommit:
        stored = await super().append(commit)
        query = commit.condition and commit.condition.query
        for each in stored.recorded():
            if query and query.matches(each.event.type, each.event.tags):
                raise ConditionFailed(commit.stream, stored.position - 1, each.position)
        return stored


@caught_by("test_a_repeated_commit_gets_its_answer_and_not_a_refusal")
@caught_by("test_a_race_for_seats_is_fair")
class ChecksTheConditionFirst(MemoryStore):
    async def append(self, commit: Commit) -> StoredCommit:
        self._check_condition(commit)
        return await super().append(commit)


@caught_by("test_a_refused_commit_of_several_streams_leaves_nothing")
class ForgetsConditionsOfSeveralStreams(Rewriting):
    def rewritten(self, commit: Commit) -> Commit:
        return evolve(commit, condition=commit.condition if len(commit.parts) == 1 else None)


@caught_by("test_a_condition_does_not_replace_the_expected_version")
class IgnoresTheVersionBesideACondition(Rewriting):
    def rewritten(self, commit: Commit) -> Commit:
        return expecting(commit, None) if commit.condition else commit


@caught_by("test_one_of_many_rivals_for_a_condition_wins")
@caught_by("test_a_capacity_is_filled_and_never_exceeded")
@caught_by("test_a_race_for_seats_is_fair")
class ChecksTheConditionBeforeItWrites(MemoryStore):
    async def append(self, commit: Commit) -> StoredCommit:
        if commit.id not in self._commits:
            self._check_condition(commit)
        await asyncio.sleep(0)
        stored = await super().append(evolve(commit, condition=None))
        return evolve(stored, commit=commit)


@caught_by("test_disjoint_conditions_all_succeed")
@caught_by("test_a_race_for_seats_is_fair")
class RefusesWhateverTheLogGrewBy(MemoryStore):
    def _check_condition(self, commit: Commit) -> None:
        super()._check_condition(commit)
        if commit.condition and commit.condition.after < len(self._log):
            raise ConditionFailed(commit.stream, commit.condition.after, len(self._log))


@caught_by("test_concurrent_repeats_of_a_conditional_commit_store_it_once")
class LooksForItsIdBeforeThePause(MemoryStore):
    async def append(self, commit: Commit) -> StoredCommit:
        is_known = commit.id in self._commits
        await asyncio.sleep(0)
        if not is_known:
            self._check_condition(commit)
        return await super().append(commit)


@caught_by("test_a_commit_that_is_refused_itself_refuses_no_other")
class RefusesForWhatItRefused(MemoryStore):
    """Looks at the commits of its batch, whether they were stored or not."""

    def __init__(self) -> None:
        super().__init__()
        self._batch: list[EventData] = []

    async def append(self, commit: Commit) -> StoredCommit:
        condition = commit.condition
        if condition and any(condition.query.matches(e.type, e.tags) for e in self._batch):
            raise ConditionFailed(commit.stream, condition.after, len(self._log) + 1)
        try:
            return await super().append(commit)
        except ConcurrencyError:
            self._batch += commit.events
            raise
