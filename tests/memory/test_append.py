"""Appending: a commit goes in as a whole, at the end, once, where it was expected to go."""

import asyncio

import pytest

from eventhus import (
    CommandIdReused,
    ConcurrencyError,
    EventData,
    InvalidCommit,
    StreamId,
)
from eventhus.ports import Commit, Storage, StoredCommit
from tests.memory.support import ACCOUNT, answer, commit, data, events

OTHER = StreamId("Account", "a2")
NOT_JSON = EventData("Deposited", {"amount": object()})


async def test_the_first_commit_gets_the_first_place(store: Storage) -> None:
    """Versions and positions start at 1."""
    first = commit(size=3, expected_version=0)
    assert StoredCommit(commit=first, version=1, position=1) == await store.append(first)
    assert 3 == await store.head()


async def test_a_commit_goes_to_the_end(store: Storage) -> None:
    """A version counts the events of the stream, a position those of the log."""
    await store.append(commit(size=2))
    await store.append(commit(OTHER, size=3))
    third = await store.append(commit(size=2))
    assert (3, 6) == (third.version, third.position)
    assert (4, 7) == (third.last_version, third.last_position)
    assert 7 == await store.head()


async def test_the_answer_holds_the_commit_that_was_stored(store: Storage) -> None:
    """By identity, its caller knows that this call stored it; what was stored before is another."""
    given = commit(expected_version=0)
    assert given is (await store.append(given)).commit
    assert given is not (await store.append(given)).commit


@pytest.mark.parametrize("expected", [3, None])
async def test_a_version_that_fits(store: Storage, expected: int | None) -> None:
    """The exact version, or none at all, goes behind what is there."""
    await store.append(commit(size=1))
    await store.append(commit(size=2))
    stored = await store.append(commit(expected_version=expected))
    assert 4 == stored.version


@pytest.mark.parametrize(
    "expected",
    [
        pytest.param(0, id="new stream"),
        pytest.param(1, id="stale"),
        pytest.param(2, id="amid a commit"),
        pytest.param(4, id="ahead"),
        pytest.param(1000, id="far ahead"),
        pytest.param(-1, id="negative"),
    ],
)
async def test_a_version_that_does_not_fit(store: Storage, expected: int) -> None:
    """The error tells where the stream ends, and nothing is written."""
    await store.append(commit(OTHER, size=5))
    await store.append(commit(size=1))
    await store.append(commit(size=2))
    before = await store.read()
    with pytest.raises(ConcurrencyError) as caught:
        await store.append(commit(expected_version=expected))
    assert (ACCOUNT, expected, 3) == (
        caught.value.stream,
        caught.value.expected,
        caught.value.actual,
    )
    assert before == await store.read()
    assert 4 == (await store.append(commit(expected_version=3))).version


@pytest.mark.parametrize("expected", [1, 5])
async def test_a_stream_that_is_not_there(store: Storage, expected: int) -> None:
    """What was never appended to is at version 0, whatever else the log holds."""
    await store.append(commit(OTHER, size=5))
    with pytest.raises(ConcurrencyError) as caught:
        await store.append(commit(expected_version=expected))
    assert 0 == caught.value.actual
    assert [] == await store.history(ACCOUNT)


async def test_a_commit_without_events(store: Storage) -> None:
    """It would have no place in the log."""
    empty = Commit(
        id="empty",
        stream=ACCOUNT,
        events=(),
        expected_version=0,
        recorded_at=commit().recorded_at,
        command_id="k",
    )
    with pytest.raises(InvalidCommit, match="the commit for Account/a1 has no events"):
        await store.append(empty)
    assert 0 == await store.head()
    assert await store.find("k") is None


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_all_or_nothing(store: Storage, place: int) -> None:
    """One event that cannot be kept leaves nothing of its commit, its ids included."""
    await store.append(commit(size=1))
    good = events(3)
    bad = commit(events=[*good[:place], NOT_JSON, *good[place:]], command_id="k")
    with pytest.raises(InvalidCommit):
        await store.append(bad)
    assert 1 == await store.head()
    assert 1 == len(await store.history(ACCOUNT))
    assert await store.find("k") is None
    stored = await store.append(commit(events=good, id=bad.id, command_id="k"))
    assert (2, 2) == (stored.version, stored.position)
    assert 4 == await store.head()


async def test_the_same_commit_again(store: Storage) -> None:
    """Its id is known, so it gets the first answer, though the stream has moved on since."""
    given = commit(size=2, expected_version=0)
    first = await store.append(given)
    await store.append(commit(expected_version=2))
    assert answer(first) == answer(await store.append(given))
    assert 3 == await store.head()


async def test_a_known_commit_id_with_other_events(store: Storage) -> None:
    """What was stored first stands, and is what the answer shows."""
    first = await store.append(commit(size=2))
    again = await store.append(commit(size=1, id=first.commit.id))
    assert answer(first) == answer(again)
    assert 2 == await store.head()


async def test_a_known_commit_id_for_another_stream(store: Storage) -> None:
    """Ids that are not unique would lose events in silence, so this is refused."""
    await store.append(commit(id="c"))
    with pytest.raises(InvalidCommit) as caught:
        await store.append(commit(OTHER, id="c"))
    assert (
        "commit id c of Account/a2 names a commit of Account/a1; make ids that are unique for ever"
    ) == str(caught.value)
    assert [] == list(await store.history(OTHER))
    assert 1 == await store.head()


async def test_the_same_command_again(store: Storage) -> None:
    """A command id is executed once: the second commit is left out, the first one answers."""
    await store.append(commit(OTHER))
    first = await store.append(commit(size=2, expected_version=0, command_id="k"))
    await store.append(commit())
    again = await store.append(commit(size=1, expected_version=0, command_id="k"))
    assert answer(first) == answer(again)
    assert 4 == await store.head()


async def test_finding_what_a_command_did(store: Storage) -> None:
    """A command id leads to its commit, and no other id does."""
    first = await store.append(commit(size=2, command_id="k"))
    await store.append(commit())
    second = await store.append(commit(OTHER, command_id="$k"))
    assert answer(first) == answer(await store.find("k"))
    assert answer(second) == answer(await store.find("$k"))
    assert await store.find(first.commit.id) is None
    assert await store.find("K") is None
    assert await store.find("") is None


async def test_a_command_id_of_another_stream(store: Storage) -> None:
    """One id for two aggregates is a mistake of the caller's, not a repeat."""
    await store.append(commit(ACCOUNT, command_id="k"))
    with pytest.raises(CommandIdReused) as caught:
        await store.append(commit(OTHER, command_id="k"))
    assert ("k", OTHER, ACCOUNT) == (
        caught.value.command_id,
        caught.value.stream,
        caught.value.first,
    )
    assert [] == await store.history(OTHER)
    assert 1 == await store.head()


async def test_a_refused_commit_leaves_its_ids_free(store: Storage) -> None:
    """Only what was stored counts as executed: the retry on the right version goes in."""
    await store.append(commit())
    with pytest.raises(ConcurrencyError):
        await store.append(commit(id="c", expected_version=0, command_id="k"))
    assert await store.find("k") is None
    stored = await store.append(commit(id="c", expected_version=1, command_id="k"))
    assert 2 == stored.version
    assert answer(stored) == answer(await store.find("k"))


async def test_many_writers_make_one_dense_log(store: Storage) -> None:
    """Whoever writes whenever: no gap, no overlap, and each writer's events in its order."""
    streams = [StreamId("Account", f"a{number}") for number in range(5)]
    own: dict[int, list[StoredCommit]] = {writer: [] for writer in range(20)}

    async def write(writer: int) -> None:
        for size in (1, 3, 2, 1):
            own[writer].append(await store.append(commit(streams[writer % 5], size=size)))
            for _ in range(writer % 3):
                await asyncio.sleep(0)

    await asyncio.gather(*map(write, own))
    log = await store.read()
    assert [*range(1, 20 * 7 + 1)] == [recorded.position for recorded in log]
    assert 20 * 7 == await store.head()
    for stream in streams:
        loaded = await store.history(stream)
        assert [*range(1, 4 * 7 + 1)] == [recorded.version for recorded in loaded]
        assert [recorded for recorded in log if recorded.stream == stream] == loaded
    for stored in own.values():
        assert sorted(stored, key=lambda one: one.position) == stored
        for one in stored:
            assert one.recorded() == log[one.position - 1 : one.last_position]


async def test_one_of_many_rivals_wins(store: Storage) -> None:
    """Of those that expect the same version, one gets it, and the others are told so."""
    rivals = [commit(size=2, expected_version=0) for _ in range(20)]
    answers = await asyncio.gather(*map(store.append, rivals), return_exceptions=True)
    assert 1 == sum(isinstance(answer, StoredCommit) for answer in answers)
    assert 19 == sum(isinstance(answer, ConcurrencyError) for answer in answers)
    assert {(0, 2)} == {
        (answer.expected, answer.actual)
        for answer in answers
        if isinstance(answer, ConcurrencyError)
    }
    assert 2 == await store.head()


async def test_one_command_sent_many_times_at_once(store: Storage) -> None:
    """All get the one answer."""
    repeats = [commit(expected_version=0, command_id="k") for _ in range(20)]
    answers = await asyncio.gather(*map(store.append, repeats))
    assert [answer(answers[0])] * 20 == [answer(each) for each in answers]
    assert 1 == await store.head()


@pytest.mark.parametrize("turns", range(5))
async def test_cancelling_an_append(store: Storage, turns: int) -> None:
    """Whenever it is cancelled, it has happened as a whole or not at all."""
    given = commit(size=3, expected_version=0, command_id="k")
    appending = asyncio.create_task(store.append(given))
    for _ in range(turns):
        await asyncio.sleep(0)
    appending.cancel()
    await asyncio.wait([appending])
    log = await store.read()
    assert await store.history(ACCOUNT) == log
    assert data(log) in ([], [event.data for event in given.events])
    found = await store.find("k")
    assert log == ([] if found is None else found.recorded())
    assert (1, 1) == (
        (again := await store.append(given)).version,
        again.position,
    )
    assert 3 == await store.head()


@pytest.mark.parametrize("size", [1, 2, 3, 64])
async def test_a_busy_writer_lets_others_run(store: Storage, size: int) -> None:
    """A loop of appends does not keep the event loop to itself, whatever it appends."""
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    await store.append(commit())
    other = asyncio.create_task(count_turns())
    for _ in range(1000):
        await store.append(commit(size=size))
    other.cancel()
    assert turns > 1
