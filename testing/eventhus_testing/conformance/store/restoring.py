"""Restored commits: the places that they had in another log."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from attrs import evolve

from eventhus.errors import ConcurrencyError, EventhusError, InvalidCommit, LogsDiffer
from eventhus.ports import Commit, Part, Storage, StoredCommit
from eventhus_testing.conformance.harness import Cases, case
from eventhus_testing.conformance.store.samples import (
    ACCOUNT,
    CUSTOMER,
    OTHER,
    answer,
    commit,
    commit_of,
    part,
    same,
    whole_log,
)
from eventhus_testing.conformance.store.whole_commits import shown, written


def placed(given: Commit, position: int, *versions: int) -> StoredCommit:
    """Return a commit at a place."""
    return StoredCommit(commit=given, position=position, versions=versions)


async def refused(
    store: Storage, error: type[EventhusError], commits: Sequence[StoredCommit]
) -> EventhusError:
    """Return the error of a call that must change nothing."""
    before = await whole_log(store)
    with pytest.raises(error) as caught:
        await store.restore(commits)
    same(before, await whole_log(store))
    return caught.value


class Restoring(Cases):
    """``restore``."""

    @case
    async def test_restored_commits_have_the_places_that_they_had(self, store: Storage) -> None:
        """Their ids, command ids, metadata and parts, too, whatever the size of a call."""
        stored = await written(store)
        for size in (1, 2, len(stored)):
            async with self.store(f"{self.bucket}{size}") as elsewhere:
                for start in range(0, len(stored), size):
                    await elsewhere.restore(stored[start : start + size])
                same(await whole_log(store), await whole_log(elsewhere))
                same(shown(stored), shown(await elsewhere.commits()))
                for key in ("k1", "k2", "$k"):
                    assert answer(await store.find(key)) == answer(await elsewhere.find(key))
                for stream in (ACCOUNT, OTHER, CUSTOMER):
                    same(await store.history(stream), await elsewhere.history(stream))

    @case
    async def test_a_log_goes_on_after_restored_commits(self, store: Storage) -> None:
        """Appends continue it, know the ids of the restored commits, and can be between them."""
        first = placed(commit(size=2, command_id="k1"), 1, 1)
        await store.restore([first])
        appended = await store.append(commit(size=1, expected_version=2))
        assert (3, (3,)) == (appended.position, tuple(appended.versions))
        assert 1 == (await store.append(first.commit)).position
        assert 1 == (await store.append(commit(command_id="k1"))).position
        await store.restore([placed(commit(size=1), 4, 4)])
        assert (4, 4) == (await store.head(), await store.version_of(ACCOUNT))

    @case
    async def test_commits_are_restored_only_at_the_end_of_the_log(self, store: Storage) -> None:
        """Otherwise there would be a gap, or two events in one place."""
        stored = [placed(commit(size=2), 1, 1), placed(commit(OTHER, size=1), 3, 1)]
        await refused(store, LogsDiffer, stored[1:])
        await store.restore(stored)
        await refused(store, LogsDiffer, stored)
        await refused(store, LogsDiffer, stored[1:])
        for position, end in ((1, 1), (2, 3), (3, 3), (5, 3)):
            late = placed(commit(CUSTOMER), position, 1)
            error = await refused(store, LogsDiffer, [late])
            assert isinstance(error, LogsDiffer)
            assert (position, late.commit.id) == (error.position, error.expected)
            assert (error.actual == "") == (position > end)

    @case
    async def test_restored_commits_follow_each_other(self, store: Storage) -> None:
        """A call with a gap between its commits changes nothing."""
        one = placed(commit(size=2), 1, 1)
        for second in (
            placed(commit(OTHER), 4, 1),
            placed(commit(OTHER), 2, 1),
            placed(commit(), 3, 4),
            placed(commit(), 3, 2),
        ):
            await refused(store, InvalidCommit, [one, second])
        await refused(store, InvalidCommit, [placed(commit(), 0, 1)])
        await refused(store, InvalidCommit, [placed(commit(), 1, 0)])
        await refused(store, InvalidCommit, [one, placed(commit_of(), 3)])

    @case
    async def test_restored_versions_continue_their_streams(self, store: Storage) -> None:
        """Each part of each commit."""
        await store.append(commit(size=2))
        for version in (1, 2, 4):
            error = await refused(
                store, ConcurrencyError, [placed(commit(expected_version=None), 3, version)]
            )
            assert isinstance(error, ConcurrencyError)
            assert (ACCOUNT, version - 1, 2) == (error.stream, error.expected, error.actual)
        two = commit_of(part(OTHER), part(ACCOUNT))
        await refused(store, ConcurrencyError, [placed(two, 3, 1, 4)])
        await store.restore([placed(two, 3, 1, 3)])

    @case
    async def test_an_id_is_restored_only_once(self, store: Storage) -> None:
        """Neither that of a commit nor that of a command, in the same stream or another."""
        first = await store.append(commit(size=1, command_id="k1"))
        for stream, version in ((ACCOUNT, 2), (OTHER, 1)):
            for again in (
                commit(stream, size=1, command_id="k1"),
                evolve(commit(stream, size=1), id=first.commit.id),
            ):
                error = await refused(store, LogsDiffer, [placed(again, 2, version)])
                assert isinstance(error, LogsDiffer)
                assert (2, again.id) == (error.position, error.expected)

    @case
    async def test_nothing_can_be_restored(self, store: Storage) -> None:
        """An empty call changes nothing, and an invalid commit is refused as by append."""
        await store.append(commit(size=1))
        await store.restore([])
        assert 1 == await store.head()
        nothing = Part(stream=ACCOUNT, events=(), expected_version=None)
        await refused(store, InvalidCommit, [placed(commit_of(nothing), 2, 2)])
