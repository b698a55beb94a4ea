"""Idempotency: a repeated commit is not stored again, and gets the first answer."""

from __future__ import annotations

import asyncio

import pytest

from eventhus import ConcurrencyError, StreamId
from eventhus.errors import CommandIdReused, InvalidCommit
from eventhus.ports import Storage, StoredCommit
from eventhus_testing.conformance.harness import Cases, case, one_store_and_two
from eventhus_testing.conformance.store.samples import (
    ACCOUNT,
    CUSTOMER,
    OTHER,
    answer,
    commit,
    expecting,
    first_version,
    whole_log,
)


class Idempotency(Cases):
    """Commit ids and command ids."""

    @case
    async def test_the_answer_holds_the_commit_that_was_stored(self, store: Storage) -> None:
        """By identity, its caller knows that this call stored it; what was stored is another."""
        given = commit(expected_version=0, command_id="k")
        assert given is (await store.append(given)).commit
        assert given is not (await store.append(given)).commit
        same_command = commit(expected_version=0, command_id="k")
        assert same_command is not (await store.append(same_command)).commit

    @pytest.mark.parametrize("expected", [2, None])
    @case
    async def test_a_repeated_commit_gets_the_first_answer(
        self, store: Storage, expected: int | None
    ) -> None:
        """Its id is known, so it gets the first answer, though the stream has moved on since."""
        await store.append(commit(size=2))
        given = commit(size=2, expected_version=expected)
        first = await store.append(given)
        assert answer(first) == answer(await store.append(given))
        await store.append(commit(size=3, expected_version=4))
        await store.append(commit(OTHER))
        assert answer(first) == answer(await store.append(given))
        assert 8 == await store.head()

    @pytest.mark.parametrize("expected", [0, 1, 2, 7, None])
    @case
    async def test_a_repeated_commit_is_found_whatever_its_expected_version(
        self, store: Storage, expected: int | None
    ) -> None:
        """The version does not matter any more: the commit went in where it fitted."""
        first = await store.append(commit(size=2, expected_version=0))
        again = await store.append(expecting(first.commit, expected))
        assert answer(first) == answer(again)
        assert first.recorded() == await whole_log(store)

    @case
    async def test_a_repeated_commit_id_keeps_the_first_events(self, store: Storage) -> None:
        """The answer shows the events that were stored first."""
        first = await store.append(commit(size=2))
        again = await store.append(commit(size=3, id=first.commit.id))
        assert answer(first) == answer(again)
        assert first.recorded() == await whole_log(store)

    @pytest.mark.parametrize("other", [OTHER, CUSTOMER], ids=str)
    @case
    async def test_a_commit_id_of_another_stream_is_refused(
        self, store: Storage, other: StreamId
    ) -> None:
        """Ids that are not unique would lose events in silence, so this is refused."""
        first = await store.append(commit(id="c"))
        with pytest.raises(InvalidCommit):
            await store.append(commit(other, id="c"))
        assert first.recorded() == await whole_log(store)
        assert 1 == first_version(await store.append(commit(other, expected_version=0)))

    @case
    async def test_a_repeated_command_gets_the_first_answer(self, store: Storage) -> None:
        """A command id is executed once: the second commit is left out, the first one answers."""
        await store.append(commit(OTHER))
        first = await store.append(commit(size=2, expected_version=0, command_id="k"))
        await store.append(commit())
        for expected in (0, 3, 9, None):
            again = await store.append(commit(expected_version=expected, command_id="k"))
            assert answer(first) == answer(again)
        assert 4 == await store.head()

    @case
    async def test_a_command_id_finds_its_commit(self, store: Storage) -> None:
        """A command id leads to its commit, and no other id does."""
        first = await store.append(commit(size=2, command_id="k"))
        await store.append(commit())
        second = await store.append(commit(OTHER, command_id="$k"))
        assert answer(first) == answer(await store.find("k"))
        assert answer(second) == answer(await store.find("$k"))
        for unknown in (first.commit.id, "K", "k ", ""):
            assert await store.find(unknown) is None

    @case
    async def test_commit_ids_and_command_ids_do_not_collide(self, store: Storage) -> None:
        """One text may be both, of two commits."""
        command = await store.append(commit(command_id="k"))
        named = await store.append(commit(OTHER, id="k"))
        assert [*command.recorded(), *named.recorded()] == await whole_log(store)
        assert answer(command) == answer(await store.find("k"))

    @pytest.mark.parametrize("other", [OTHER, CUSTOMER], ids=str)
    @case
    async def test_a_command_id_of_another_stream_is_refused(
        self, store: Storage, other: StreamId
    ) -> None:
        """One id for two aggregates is a mistake of the caller's, not a repeat."""
        first = await store.append(commit(ACCOUNT, command_id="k"))
        with pytest.raises(CommandIdReused) as caught:
            await store.append(commit(other, command_id="k"))
        reused = caught.value
        assert ("k", other, ACCOUNT) == (reused.command_id, reused.stream, reused.first)
        assert first.recorded() == await whole_log(store)

    @case
    async def test_a_refused_commit_leaves_its_ids_free(self, store: Storage) -> None:
        """Only what was stored counts as executed: the retry on the right version goes in."""
        await store.append(commit())
        with pytest.raises(ConcurrencyError):
            await store.append(commit(id="c", expected_version=0, command_id="k"))
        assert await store.find("k") is None
        stored = await store.append(commit(id="c", expected_version=1, command_id="k"))
        assert 2 == first_version(stored)
        assert answer(stored) == answer(await store.find("k"))

    @one_store_and_two
    @case
    async def test_concurrent_repeats_of_a_commit_store_it_once(
        self, store: Storage, stores: int
    ) -> None:
        """One of the calls stores it, and all get the one answer."""
        async with self.store(self.bucket) as other:
            given = commit(size=2, expected_version=0)
            writers = [store, other][:stores] * 10
            answers = await asyncio.gather(*[writer.append(given) for writer in writers])
            log = await whole_log(store)
        assert answers[0].recorded() == log
        assert [answer(answers[0])] * len(writers) == [answer(each) for each in answers]
        assert 1 == sum(each.commit is given for each in answers)

    @one_store_and_two
    @case
    async def test_concurrent_repeats_of_a_command_store_it_once(
        self, store: Storage, stores: int
    ) -> None:
        """One of the commits is stored, and all get the one answer."""
        async with self.store(self.bucket) as other:
            writers = [store, other][:stores] * 10
            given = [commit(size=2, expected_version=0, command_id="k") for _ in writers]
            answers = await asyncio.gather(
                *[writer.append(each) for writer, each in zip(writers, given, strict=True)]
            )
            log = await whole_log(store)
        assert answers[0].recorded() == log
        assert [answer(answers[0])] * len(writers) == [answer(each) for each in answers]
        stored_by = [each.commit is one for each, one in zip(answers, given, strict=True)]
        assert 1 == sum(stored_by)

    @one_store_and_two
    @case
    async def test_concurrent_streams_with_one_command_id_have_one_winner(
        self, store: Storage, stores: int
    ) -> None:
        """One of the streams gets it, and the others are told which."""
        streams = [ACCOUNT, OTHER, CUSTOMER]
        async with self.store(self.bucket) as other:
            writers = [store, other][:stores]
            given = [commit(stream, command_id="k") for stream in streams]
            answers = await asyncio.gather(
                *[writers[index % stores].append(one) for index, one in enumerate(given)],
                return_exceptions=True,
            )
            log = await whole_log(store)
        stored = [each for each in answers if isinstance(each, StoredCommit)]
        refused = [each for each in answers if isinstance(each, CommandIdReused)]
        assert (1, 2) == (len(stored), len(refused))
        assert stored[0].recorded() == log
        assert {stored[0].commit.stream} == {each.first for each in refused}
