"""Appending: a commit of any size is stored as a whole, at the end of the log."""

from __future__ import annotations

import pytest

from eventhus.errors import InvalidCommit
from eventhus.ports import EventData, Part, Storage, StoredCommit
from eventhus_testing.conformance.harness import Cases, case
from eventhus_testing.conformance.store.samples import (
    ACCOUNT,
    OTHER,
    commit,
    commit_of,
    every_way,
    first_version,
    last_version,
    new_events,
    place,
    same,
    whole_log,
)

NOT_PLAIN = EventData("Deposited", {"amount": object()})


class Appending(Cases):
    """The place of a commit."""

    @case
    async def test_the_first_commit_gets_the_first_place(self, store: Storage) -> None:
        """Versions and positions start at 1."""
        first = commit(size=3, expected_version=0)
        assert StoredCommit(commit=first, versions=[1], position=1) == await store.append(first)
        assert 3 == await store.head()

    @case
    async def test_a_commit_goes_to_the_end(self, store: Storage) -> None:
        """A version counts the events of the stream, a position those of the log."""
        await store.append(commit(size=2))
        await store.append(commit(OTHER, size=3))
        third = await store.append(commit(size=2))
        assert (3, 6) == place(third)
        assert (4, 7) == (last_version(third), third.last_position)
        assert 7 == await store.head()

    @case
    async def test_the_answer_is_what_is_read(self, store: Storage) -> None:
        """Every event of a commit is there, as the answer said."""
        first = await store.append(commit(size=3))
        second = await store.append(commit(OTHER, size=2))
        assert [*first.recorded(), *second.recorded()] == await whole_log(store)

    @case
    async def test_a_commit_without_events_is_refused(self, store: Storage) -> None:
        """It would have no place in the log, so it is refused and leaves no trace."""
        nothing = Part(stream=ACCOUNT, events=(), expected_version=0)
        empty = commit_of(nothing, id="empty", command_id="k")
        with pytest.raises(InvalidCommit):
            await store.append(empty)
        assert await store.find("k") is None
        stored = await store.append(commit(id="empty", expected_version=0, command_id="k"))
        assert (1, 1) == place(stored)

    @pytest.mark.parametrize("before", [0, 1, 2, 3])
    @case
    async def test_a_commit_is_stored_as_a_whole_or_not_at_all(
        self, store: Storage, before: int
    ) -> None:
        """One event that cannot be kept leaves nothing of its commit, its ids included."""
        first = await store.append(commit())
        good = new_events(3)
        bad = commit(events=[*good[:before], NOT_PLAIN, *good[before:]], command_id="k")
        with pytest.raises(InvalidCommit):
            await store.append(bad)
        assert first.recorded() == await whole_log(store)
        assert first.recorded() == list(await store.history(ACCOUNT))
        assert await store.find("k") is None
        stored = await store.append(commit(events=good, id=bad.id, command_id="k"))
        assert (2, 2) == place(stored)
        assert 4 == await store.head()

    @case
    async def test_a_large_event_is_exact(self, store: Storage) -> None:
        """An event of a million bytes comes back whole, beside small ones."""
        large = EventData("Imported", {"rows": ["0123456789" * 1000] * 100})
        given = commit(events=[*new_events(1), large, *new_events(1)], command_id="k")
        await store.append(given)
        for way, back in (await every_way(store, given)).items():
            assert (way, True) == (way, given.events == back)  # too long to be shown

    @case
    async def test_a_commit_may_have_thousands_of_events(self, store: Storage) -> None:
        """Five thousand events go in together, and can be read page by page."""
        await store.append(commit(OTHER))
        given = commit(size=5000, expected_version=0)
        stored = await store.append(given)
        assert (1, 5000) == (first_version(stored), last_version(stored))
        after = await store.append(commit(expected_version=5000))
        assert (5001, 5002) == place(after)
        log = await whole_log(store)
        same(given.events, [recorded.event for recorded in log[1:5001]])
        page = await store.load(ACCOUNT, after_version=4500, limit=1000)
        same([*given.events[4500:], *after.commit.events], list(page.events))
        assert (5001, 5002) == (page.version, page.position)
