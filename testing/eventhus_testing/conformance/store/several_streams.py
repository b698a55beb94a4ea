"""Commits of several streams: one atomic step of the log, one step of each stream."""

from __future__ import annotations

import asyncio

import pytest

from eventhus import ConcurrencyError
from eventhus.errors import CommandIdReused, InvalidCommit
from eventhus.ports import Commit, EventData, Part, Storage, StoredCommit, StoredEvent
from eventhus_testing.conformance.harness import Cases, case, one_store_and_two
from eventhus_testing.conformance.store.samples import (
    ACCOUNT,
    CUSTOMER,
    OTHER,
    accounts,
    answer,
    commit,
    commit_of,
    moments,
    new_events,
    part,
    same,
    whole_log,
)

NOT_PLAIN = EventData("Deposited", {"amount": object()})

INVALID: dict[str, list[Part]] = {
    "no parts": [],
    "one part is empty": [part(ACCOUNT), Part(stream=OTHER, events=(), expected_version=None)],
    "a stream twice": [part(ACCOUNT), part(OTHER), part(ACCOUNT)],
    "a stream twice in a row": [part(ACCOUNT), part(ACCOUNT)],
    "the last event is not plain": [part(ACCOUNT), part(OTHER, events=[*new_events(), NOT_PLAIN])],
}


async def of_three(store: Storage) -> tuple[StoredCommit, StoredCommit]:
    """Append a commit to OTHER, then one to three streams, and return the answers."""
    first = await store.append(commit(OTHER, size=2))
    given = commit_of(
        part(ACCOUNT, size=2, expected_version=0),
        part(OTHER, expected_version=2),
        part(CUSTOMER, size=3, expected_version=None),
        command_id="k",
    )
    return first, await store.append(given)


class SeveralStreams(Cases):
    """Commits with several parts."""

    @case
    async def test_a_commit_of_several_streams_has_one_place_in_the_log(
        self, store: Storage
    ) -> None:
        """Its events have consecutive positions, in the order of its parts."""
        first, stored = await of_three(store)
        assert (3, 8) == (stored.position, stored.last_position)
        assert 8 == await store.head()
        assert [*first.recorded(), *stored.recorded()] == await whole_log(store)
        assert [ACCOUNT, ACCOUNT, OTHER, CUSTOMER, CUSTOMER, CUSTOMER] == [
            recorded.stream for recorded in (await whole_log(store))[2:]
        ]

    @case
    async def test_versions_count_by_stream(self, store: Storage) -> None:
        """Each part continues its own stream, and each stream shows its events alone."""
        first, stored = await of_three(store)
        assert (1, 3, 1) == tuple(stored.versions)
        for stream, versions in ((ACCOUNT, [1, 2]), (OTHER, [1, 2, 3]), (CUSTOMER, [1, 2, 3])):
            history = await store.history(stream)
            assert (stream, versions) == (stream, [recorded.version for recorded in history])
            own = [
                recorded
                for recorded in (*first.recorded(), *stored.recorded())
                if recorded.stream == stream
            ]
            assert own == list(history)
            assert len(own) == await store.version_of(stream)

    @case
    async def test_ids_count_over_the_whole_commit(self, store: Storage) -> None:
        """No two events of a commit have the same id, and every reading gives the same one."""
        _, stored = await of_three(store)
        ids = [f"{stored.commit.id}-{number}" for number in range(1, 7)]
        assert ids == [recorded.id for recorded in (await whole_log(store))[2:]]
        assert ids[2:3] == [each.id for each in await store.history(OTHER, after_version=2)]
        for stream, last in ((ACCOUNT, 1), (OTHER, 2), (CUSTOMER, 5)):
            loaded = await store.load(stream)
            place = stored.last_of(stream)
            assert (place.version, place.position, ids[last]) == (
                loaded.version,
                loaded.position,
                loaded.event_id,
            )

    @case
    async def test_a_commit_of_several_streams_is_found_again(self, store: Storage) -> None:
        """By its command id and by its id, with all of its parts."""
        _, stored = await of_three(store)
        await store.append(commit(ACCOUNT))
        for again in (await store.find("k"), await store.append(stored.commit)):
            assert again is not None
            assert answer(stored) == answer(again)
            assert [(each.stream, each.events) for each in stored.commit.parts] == [
                (each.stream, each.events) for each in again.commit.parts
            ]
        assert 9 == await store.head()

    @case
    async def test_streams_of_shared_commits_are_read_in_pages(self, store: Storage) -> None:
        """A page may begin and end inside a part, wherever the part stands in its commit."""
        streams = [ACCOUNT, OTHER, CUSTOMER]
        for step in range(6):
            order = streams[step % 3 :] + streams[: step % 3]
            parts = [part(each, size=1 + (step + n) % 3) for n, each in enumerate(order)]
            await store.append(commit_of(*parts[: 1 + step % 3]))
        log = await whole_log(store)
        assert log
        for stream in streams:
            own = [recorded for recorded in log if recorded.stream == stream]
            for after in range(len(own) + 2):
                for limit in (1, 2, 3, 1000):
                    expected = own[after : after + limit]
                    page = {"after_version": after, "limit": limit}
                    assert expected == list(await store.history(stream, **page))
                    loaded = await store.load(stream, **page)
                    assert [recorded.event for recorded in expected] == list(loaded.events)
                    if expected:
                        assert expected[-1].position == loaded.position

    @pytest.mark.parametrize("wrong", [0, 1, 2])
    @case
    async def test_one_wrong_version_refuses_the_whole_commit(
        self, store: Storage, wrong: int
    ) -> None:
        """The error names the stream that is elsewhere, and nothing of the others is written."""
        await store.append(commit_of(part(OTHER, size=2), part(ACCOUNT)))
        versions = {ACCOUNT: 1, OTHER: 2, CUSTOMER: 0}
        before = await whole_log(store)

        def parts(*, off_by: int) -> list[Part]:
            return [
                part(stream, expected_version=version + (off_by if number == wrong else 0))
                for number, (stream, version) in enumerate(versions.items())
            ]

        for off_by in (1, -1):
            with pytest.raises(ConcurrencyError) as caught:
                await store.append(commit_of(*parts(off_by=off_by), id="c", command_id="k"))
            stream, version = list(versions.items())[wrong]
            refused = caught.value
            assert (stream, version + off_by, version) == (
                refused.stream,
                refused.expected,
                refused.actual,
            )
            assert before == await whole_log(store)
            assert await store.find("k") is None
        stored = await store.append(commit_of(*parts(off_by=0), id="c", command_id="k"))
        assert ((2, 3, 1), 4) == (tuple(stored.versions), stored.position)

    @pytest.mark.parametrize("parts", INVALID.values(), ids=INVALID)
    @case
    async def test_invalid_parts_are_refused(self, store: Storage, parts: list[Part]) -> None:
        """Nothing of the commit is stored, its ids included."""
        with pytest.raises(InvalidCommit):
            await store.append(commit_of(*parts, id="c", command_id="k"))
        assert 0 == await store.head()
        assert [0, 0] == [await store.version_of(stream) for stream in (ACCOUNT, OTHER)]
        assert await store.find("k") is None
        stored = await store.append(commit_of(part(ACCOUNT), part(OTHER), id="c", command_id="k"))
        assert 1 == stored.position

    @case
    async def test_a_shared_stream_makes_a_repeat(self, store: Storage) -> None:
        """An id of a commit that shares no stream is refused; of one that does, it is a repeat."""
        given = commit_of(part(ACCOUNT), part(OTHER), id="c", command_id="k")
        first = await store.append(given)
        for repeat in (
            commit(OTHER, id="c"),
            commit(ACCOUNT, command_id="k"),
            commit_of(part(CUSTOMER), part(OTHER), command_id="k"),
            commit_of(part(CUSTOMER), part(OTHER), id="c"),
        ):
            assert answer(first) == answer(await store.append(repeat))
        with pytest.raises(InvalidCommit):
            await store.append(commit(CUSTOMER, id="c"))
        with pytest.raises(CommandIdReused):
            await store.append(commit(CUSTOMER, command_id="k"))
        assert first.recorded() == await whole_log(store)

    @case
    async def test_a_commit_may_have_a_thousand_parts(self, store: Storage) -> None:
        """They go in together, and each stream has its event."""
        streams = accounts(1000)
        await store.append(commit(streams[500]))
        stored = await store.append(commit_of(*map(part, streams)))
        assert ([1] * 500 + [2] + [1] * 499, 2) == ([*stored.versions], stored.position)
        same(stored.recorded(), (await whole_log(store))[1:])
        histories = await asyncio.gather(*map(store.history, streams))
        same(stored.recorded(), [history[-1] for history in histories])

    @one_store_and_two
    @case
    async def test_one_of_many_rivals_for_shared_streams_wins(
        self, store: Storage, stores: int
    ) -> None:
        """Any two of these share a stream; the losers are told about one of the winner's."""
        streams = [ACCOUNT, OTHER, CUSTOMER]
        async with self.store(self.bucket) as other:
            for version in range(5):
                given = [
                    commit_of(
                        part(streams[number % 3], expected_version=2 * version),
                        part(streams[(number + 1) % 3], expected_version=2 * version),
                    )
                    for number in range(12)
                ]
                answers = await asyncio.gather(
                    *[
                        [store, other][number % stores].append(each)
                        for number, each in enumerate(given)
                    ],
                    return_exceptions=True,
                )
                won = [each for each in answers if isinstance(each, StoredCommit)]
                lost = [each for each in answers if isinstance(each, ConcurrencyError)]
                assert (1, 11) == (len(won), len(lost))
                assert {2 * version + 1} == {each.actual for each in lost}
                assert {each.stream for each in lost} <= won[0].commit.streams
                left = [each for each in streams if each not in won[0].commit.streams]
                level = [part(left[0], size=2), *(part(each) for each in won[0].commit.streams)]
                await store.append(commit_of(*level))
            assert {10} == {await store.version_of(stream) for stream in streams}
            await whole_log(store)

    @one_store_and_two
    @case
    async def test_concurrent_commits_of_several_streams_stay_whole(
        self, store: Storage, stores: int
    ) -> None:
        """Each is at consecutive positions, and each stream counts on without a gap."""
        streams = accounts(5)

        async def write(writer: int) -> list[StoredCommit]:
            own: list[StoredCommit] = []
            for step in range(8):
                first, second = (streams[(writer + step * n) % 5] for n in (1, 2))
                parts = [part(first, size=1 + step % 2)]
                if second != first:
                    parts.append(part(second, size=1 + writer % 3))
                own.append(await [store, other][writer % stores].append(commit_of(*parts)))
            return own

        async with self.store(self.bucket) as other:
            owned = await asyncio.gather(*map(write, range(12)))
            log = await whole_log(store)
        stored = sorted((one for own in owned for one in own), key=lambda one: one.position)
        same([recorded for one in stored for recorded in one.recorded()], log)
        for stream in streams:
            versions = [each.version for each in log if each.stream == stream]
            same([*range(1, len(versions) + 1)], versions)

    @case
    async def test_a_cancelled_commit_of_several_streams_is_stored_whole_or_not_at_all(
        self, store: Storage
    ) -> None:
        """At whatever moment it is cancelled, no stream has its events without the others."""

        def events_of(given: Commit, log: list[StoredEvent]) -> list[StoredEvent]:
            return [recorded for recorded in log if recorded.stream in given.streams]

        for number, moment in enumerate(await moments(store)):
            pair = accounts(2 * number + 2)[-2:]
            given = commit_of(*(part(stream, size=2, expected_version=0) for stream in pair))
            appending = asyncio.create_task(store.append(given))
            await moment()
            appending.cancel()
            await asyncio.wait([appending])
            assert len(events_of(given, await whole_log(store))) in (0, 4)
            again = await store.append(given)
            assert again.recorded() == events_of(given, await whole_log(store))
