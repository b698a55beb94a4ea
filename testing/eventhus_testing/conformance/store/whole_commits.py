"""Whole commits: the log as it was written, to be copied without loss."""

from __future__ import annotations

from collections.abc import Sequence

from eventhus import Metadata, Query, StreamId
from eventhus.ports import (
    Condition,
    Storage,
    StoredCommit,
)
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
    tagged,
    whole_log,
)


async def written(store: Storage) -> list[StoredCommit]:
    """Append commits of every kind, and return the answers."""
    given = [
        commit(size=1),
        commit(OTHER, events=[tagged("x"), tagged(), tagged("y")], command_id="k1"),
        commit_of(
            part(CUSTOMER, size=2, expected_version=0),
            part(ACCOUNT, events=[tagged("x", "y")], expected_version=1),
            metadata=Metadata("talk", "cause", {"user": "u1"}),
            command_id="k2",
        ),
        commit(size=4, expected_version=2),
        commit_of(
            part(OTHER, size=1),
            part(CUSTOMER, size=2),
            condition=Condition(query=Query.of(tags={"z"}), after=3),
        ),
        commit(CUSTOMER, size=1, command_id="$k"),
    ]
    return [await store.append(each) for each in given]


def shown(commits: Sequence[StoredCommit]) -> list[tuple[object, ...]]:
    """Return the fields of commits, to compare."""
    return [
        (
            *(answer(stored) or ()),
            stored.position,
            [(part.stream, part.events) for part in stored.commit.parts],
            stored.commit.metadata,
        )
        for stored in commits
    ]


async def all_commits(store: Storage, *, limit: int = 100) -> list[StoredCommit]:
    """Return every commit of a log, read page by page."""
    found: list[StoredCommit] = []
    while page := await store.commits(after=found[-1].position if found else 0, limit=limit):
        found += page
        assert len(found) <= 1000, "the log repeats itself"
    return found


class WholeCommits(Cases):
    """``commits`` and ``version_of``."""

    @case
    async def test_commits_come_back_as_they_were_appended(self, store: Storage) -> None:
        """With their ids, command ids, metadata, parts and places."""
        stored = await written(store)
        found = await store.commits()
        same(shown(stored), shown(found))
        assert [None] * len(stored) == [each.commit.condition for each in found]
        same(await whole_log(store), [event for each in found for event in each.recorded()])

    @case
    async def test_commits_are_read_in_pages(self, store: Storage) -> None:
        """A page starts with the first commit that begins after the position, and ends in time."""
        stored = await written(store)
        for after in (*range(stored[-1].last_position + 2), 1000):
            wanted = [each for each in stored if each.position > after]
            for limit in (1, 2, 5, 100):
                found = await store.commits(after=after, limit=limit)
                assert min(1, len(wanted)) <= len(found) <= limit
                same(shown(wanted[: len(found)]), shown(found))
        for limit in (1, 4, 100):
            same(shown(stored), shown(await all_commits(store, limit=limit)))

    @case
    async def test_hundreds_of_commits_are_all_there(self, store: Storage) -> None:
        """None is missed between pages, nor comes twice."""
        stored = [await store.append(commit(size=1 + number % 3)) for number in range(250)]
        for limit in (7, 100, 1000):
            found = await all_commits(store, limit=limit)
            same([each.position for each in stored], [each.position for each in found])
            same([each.commit.id for each in stored], [each.commit.id for each in found])

    @case
    async def test_a_copied_log_is_identical(self, store: Storage) -> None:
        """Commits go into another bucket as they came, twice without any effect."""
        stored = await written(store)
        async with self.store(f"{self.bucket}b") as elsewhere:
            for _ in range(2):
                for each in await all_commits(store, limit=2):
                    copied = await elsewhere.append(each.commit)
                    assert shown([each]) == shown([copied])
            same(await whole_log(store), await whole_log(elsewhere))
            same(shown(stored), shown(await elsewhere.commits()))
            for key in ("k1", "k2", "$k"):
                assert answer(await store.find(key)) == answer(await elsewhere.find(key))

    @case
    async def test_the_version_of_a_stream_is_that_of_its_last_event(self, store: Storage) -> None:
        """A stream that was never appended to is at version 0."""
        await written(store)
        never = StreamId("Account", "never")
        versions = {ACCOUNT: 6, OTHER: 4, CUSTOMER: 5, never: 0}
        assert versions == {stream: await store.version_of(stream) for stream in versions}
        await store.append(commit_of(part(never, size=2), part(ACCOUNT)))
        assert (2, 7) == (await store.version_of(never), await store.version_of(ACCOUNT))
