"""Conditions: a commit goes in only if nothing that matches was stored after a position."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from attrs import evolve

from eventhus import ConcurrencyError, Query, StreamId
from eventhus.errors import ConditionFailed, InvalidCommit
from eventhus.ports import (
    Commit,
    Condition,
    Storage,
    StoredCommit,
    StoredEvent,
)
from eventhus_testing.conformance.harness import Cases, case, one_store_and_two
from eventhus_testing.conformance.store.queries import QUERIES, matching, mixed
from eventhus_testing.conformance.store.samples import (
    ACCOUNT,
    CUSTOMER,
    OTHER,
    accounts,
    answer,
    commit,
    commit_of,
    part,
    tagged,
    turns,
    whole_log,
)

SEAT = Query.of("SeatTaken", tags={"course:c1"})


def seat(*tags: str, type_: str = "SeatTaken", after: int | None = None, **changes: Any) -> Commit:
    """Return a commit of one seat, on the condition that no seat of the same course is taken.

    Without ``after``, it has no condition.
    """
    tags = tags or ("course:c1",)
    given = commit(CUSTOMER, events=[tagged(*tags, type_=type_)], **changes)
    if after is None:
        return given
    return evolve(given, condition=Condition(query=Query.of("SeatTaken", tags=tags), after=after))


def check_failure(
    failed: ConditionFailed, condition: Condition, log: Sequence[StoredEvent], stream: StreamId
) -> None:
    """Check that a refusal names an event that justifies it."""
    assert (stream, condition.after) == (failed.stream, failed.after)
    assert failed.position > condition.after
    event = log[failed.position - 1].event
    assert condition.query.matches(event.type, event.tags)


class Conditions(Cases):
    """Conditional commits."""

    @pytest.mark.parametrize("after", range(7))
    @case
    async def test_a_match_after_the_position_refuses_and_any_other_event_does_not(
        self, store: Storage, after: int
    ) -> None:
        """The position may lie inside a commit, which is then looked at event by event."""
        await store.append(seat())
        await store.append(
            commit(
                OTHER,
                events=[tagged("course:c1"), tagged("course:c1", type_="SeatTaken"), tagged("c2")],
            )
        )
        await store.append(seat("course:c2"))
        await store.append(commit(events=[tagged("course:c1", type_="SeatLeft")]))
        before = await whole_log(store)
        given = seat(after=after, id="c", command_id="k")
        assert given.condition is not None
        if after >= 3:  # the last match is at position 3
            stored = await store.append(given)
            assert (7, True) == (stored.position, stored.commit is given)
            return
        with pytest.raises(ConditionFailed) as caught:
            await store.append(given)
        check_failure(caught.value, given.condition, before, CUSTOMER)
        assert before == await whole_log(store)
        assert await store.find("k") is None
        stored = await store.append(evolve(given, condition=Condition(query=SEAT, after=3)))
        assert 7 == stored.position

    @pytest.mark.parametrize(
        "query", [each for each in QUERIES.values() if each], ids=[*QUERIES][1:]
    )
    @case
    async def test_a_condition_takes_every_query(self, store: Storage, query: Query) -> None:
        """It matches the same events as a read, and those alone."""
        log = await mixed(store)
        for after in range(len(log) + 1):
            condition = Condition(query=query, after=after)
            given = commit(events=[tagged(type_="Unrelated")], condition=condition)
            if matching(query, log[after:]):
                with pytest.raises(ConditionFailed) as caught:
                    await store.append(given)
                check_failure(caught.value, condition, log, ACCOUNT)
            else:
                log += (await store.append(given)).recorded()
        assert log == await whole_log(store)

    @case
    async def test_the_commit_itself_does_not_fail_its_condition(self, store: Storage) -> None:
        """On an empty log, and where it continues directly after what its writer read."""
        for after in range(5):
            stored = await store.append(seat(after=after))
            assert after + 1 == stored.position

    @pytest.mark.parametrize("ahead", [1, 2, 1000])
    @case
    async def test_a_condition_beyond_the_end_is_refused(self, store: Storage, ahead: int) -> None:
        """Its writer has seen another log. Nothing is stored, and its ids stay free."""
        await store.append(commit(OTHER, size=3))
        with pytest.raises(InvalidCommit):
            await store.append(seat(after=3 + ahead, id="c", command_id="k"))
        assert 3 == await store.head()
        assert await store.find("k") is None
        assert 4 == (await store.append(seat(after=3, id="c", command_id="k"))).position

    @pytest.mark.parametrize("same", ["commit", "command"])
    @case
    async def test_a_repeated_commit_gets_its_answer_and_not_a_refusal(
        self, store: Storage, same: str
    ) -> None:
        """Its first answer was lost, and its own events match its condition by now."""
        given = seat(after=0, command_id="k")
        first = await store.append(given)
        await store.append(seat())
        again = given if same == "commit" else seat(after=0, command_id="k")
        for after in (0, 1, 2, 1000):
            repeat = evolve(again, condition=Condition(query=SEAT, after=after))
            assert answer(first) == answer(await store.append(repeat))
        assert 2 == await store.head()

    @case
    async def test_a_refused_commit_of_several_streams_leaves_nothing(self, store: Storage) -> None:
        """The condition is that of the whole commit, wherever its parts go."""
        await store.append(seat())
        before = await whole_log(store)
        given = commit_of(
            part(ACCOUNT, expected_version=0),
            part(OTHER, events=[tagged("course:c1", type_="SeatTaken")], expected_version=0),
            condition=Condition(query=SEAT, after=0),
        )
        with pytest.raises(ConditionFailed) as caught:
            await store.append(given)
        assert (ACCOUNT, 0, 1) == (caught.value.stream, caught.value.after, caught.value.position)
        assert before == await whole_log(store)
        assert [0, 0] == [await store.version_of(stream) for stream in (ACCOUNT, OTHER)]
        stored = await store.append(evolve(given, condition=Condition(query=SEAT, after=1)))
        assert ((1, 1), 2) == (tuple(stored.versions), stored.position)

    @case
    async def test_a_condition_does_not_replace_the_expected_version(self, store: Storage) -> None:
        """Both must hold, and each is refused by its own error."""
        await store.append(commit(CUSTOMER))
        with pytest.raises(ConcurrencyError):
            await store.append(seat(after=0, expected_version=0))
        await store.append(seat(expected_version=1))
        with pytest.raises(ConditionFailed):
            await store.append(seat(after=1, expected_version=2))
        assert 3 == (await store.append(seat(after=2, expected_version=2))).position

    @one_store_and_two
    @case
    async def test_one_of_many_rivals_for_a_condition_wins(
        self, store: Storage, stores: int
    ) -> None:
        """The others are told of the winner's event."""
        async with self.store(self.bucket) as other:
            for round_ in range(5):
                after = await store.head()
                given = [
                    commit(stream, events=[tagged("course:c1", type_="SeatTaken")])
                    for stream in accounts(20)
                ]
                condition = Condition(query=SEAT, after=after)
                answers = await asyncio.gather(
                    *[
                        [store, other][number % stores].append(evolve(each, condition=condition))
                        for number, each in enumerate(given)
                    ],
                    return_exceptions=True,
                )
                won = [each for each in answers if isinstance(each, StoredCommit)]
                lost = [each for each in answers if isinstance(each, ConditionFailed)]
                assert (1, 19) == (len(won), len(lost))
                assert {(after, won[0].position)} == {(each.after, each.position) for each in lost}
                assert round_ + 1 == await store.head()

    @one_store_and_two
    @case
    async def test_disjoint_conditions_all_succeed(self, store: Storage, stores: int) -> None:
        """Commits that match no condition of each other are never refused for each other."""

        async def write(writer: int) -> None:
            tag, after = f"course:c{writer}", 0
            for _ in range(5):
                given = commit(
                    streams[writer],
                    events=[tagged(tag, "all", type_="SeatTaken")],
                    condition=Condition(query=Query.of("SeatTaken", tags={tag}), after=after),
                )
                after = (await [store, other][writer % stores].append(given)).position

        streams = accounts(30)
        async with self.store(self.bucket) as other:
            await asyncio.gather(*map(write, range(30)))
            assert 150 == len(await whole_log(store))

    @one_store_and_two
    @case
    async def test_concurrent_repeats_of_a_conditional_commit_store_it_once(
        self, store: Storage, stores: int
    ) -> None:
        """One of the calls stores it, and none is told that it failed because of itself."""
        async with self.store(self.bucket) as other:
            for step in range(5):
                given = seat(after=step)
                writers = [store, other][:stores] * 10
                answers = await asyncio.gather(*[writer.append(given) for writer in writers])
                assert [answer(answers[0])] * len(writers) == [*map(answer, answers)]
                assert 1 == sum(each.commit is given for each in answers)
            assert 5 == len(await whole_log(store))

    @case
    async def test_a_commit_that_is_refused_itself_refuses_no_other(self, store: Storage) -> None:
        """A commit that matches and was sent just before may not have been stored."""
        await store.append(commit(OTHER))
        for step in range(10):
            head = await store.head()
            refused = [
                commit(OTHER, events=[tagged("course:c1", type_="SeatTaken")], expected_version=0)
                for _ in range(step)
            ]
            appending = [store.append(each) for each in [*refused, seat(after=head), *refused]]
            answers = await asyncio.gather(*appending, return_exceptions=True)
            assert [ConcurrencyError] * step == [*map(type, answers[:step])]
            assert head + 1 == _stored(answers[step]).position

    @case
    async def test_two_stores_agree_on_conditions(self, store: Storage) -> None:
        """Each notices what the other has stored since it looked."""
        async with self.store(self.bucket) as other:
            for step in range(6):
                one, another = (store, other) if step % 2 else (other, store)
                page = await another.read(SEAT)
                stored = await one.append(seat(after=page.position))
                with pytest.raises(ConditionFailed) as caught:
                    await another.append(seat(after=page.position))
                assert stored.position == caught.value.position

    @one_store_and_two
    @case
    async def test_a_capacity_is_filled_and_never_exceeded(
        self, store: Storage, stores: int
    ) -> None:
        """Writers that count the seats, decide and append give away as many as there are."""
        capacities = {"course:c1": 1, "course:c2": 4, "course:c3": 9}

        async def take_seats(writer: int) -> None:
            to = [store, other][writer % stores]
            attempts = 0
            for course, capacity in capacities.items():
                query = Query.of("SeatTaken", tags={course})
                while len((page := await to.read(query)).events) < capacity:
                    attempts += 1
                    assert attempts <= 100, "refusals without an end"
                    given = commit(
                        streams[writer],
                        events=[tagged(course, type_="SeatTaken")],
                        condition=Condition(query=query, after=page.position),
                    )
                    try:
                        await to.append(given)
                    except ConditionFailed:
                        await turns(1)

        streams = accounts(12)
        async with self.store(self.bucket) as other:
            await asyncio.gather(*map(take_seats, range(12)))
            log = await whole_log(store)
        taken = {course: len(matching(Query.of(tags={course}), log)) for course in capacities}
        assert capacities == taken


def _stored(answer: StoredCommit | BaseException) -> StoredCommit:
    assert isinstance(answer, StoredCommit), answer
    return answer
