"""A race for seats: conditional commits under load, and an independent check of what is left.

Every term has some courses with few seats and some students who may take few of them. Racers read
which seats are taken, decide, and append on the condition that what they read has not changed.
They race for a few terms at a time, and leave one when no seat of it can be taken any more.

``Racer`` does not care how many others race, in which process, or whether the store goes away
meanwhile. ``violations`` is a pure function of what the racers were told and of the log.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import product
from random import Random
from typing import Literal, TypeAlias

from attrs import evolve, frozen

from eventhus import Query, StreamId, new_id
from eventhus.errors import ConditionFailed, OutcomeUnknown, StoreUnavailable
from eventhus.ports import (
    Commit,
    Condition,
    EventData,
    Part,
    Storage,
    StoredEvent,
)

COURSES, SEATS = 5, 4  # of a term, of a course
STUDENTS, SEATS_OF_STUDENT = 8, 2
TERMS = 3  # that racers take seats of at one time
TAKEN = "SeatTaken"
REMARK = "RemarkMade"  # has the same tags, and matches no condition

_NOW = datetime(2024, 2, 29, tzinfo=UTC)

Outcome: TypeAlias = Literal["sent", "stored", "refused"]


@frozen(kw_only=True)
class Attempt:
    """A conditional commit, and what its racer knows of it.

    Attributes:
        id: Of the commit.
        tags: It was decided on the seats with one of these tags.
        after: The position of its condition.
        outcome: ``sent`` until its racer is told.
        position: Of the stored commit, or of the event that it was refused for; else 0.
    """

    id: str
    tags: Sequence[str]
    after: int
    outcome: Outcome = "sent"
    position: int = 0


class Racer:
    """Takes seats until it is stopped.

    Args:
        store: Where it reads and writes.
        random: What it chooses by.
        note: Called with each attempt before it is sent, and again when its outcome is known.
    """

    def __init__(self, store: Storage, random: Random, note: Callable[[Attempt], None]) -> None:
        self._store = store
        self._random = random
        self._note = note
        self._remarks = StreamId("Remarks", new_id())

    async def run(self, is_over: Callable[[], bool]) -> None:
        """Make one attempt after the other until ``is_over``."""
        term = await self._present_term()
        while not is_over():
            chosen = term + self._random.randrange(TERMS)
            log, position = await self._seats(chosen)
            if free := free_seats(chosen, log):
                await self._attempt(chosen, self._random.choice(free), log, position)
            elif chosen == term:
                term += 1
            else:
                await asyncio.sleep(0)

    async def _attempt(
        self, term: int, seat: tuple[str, str], log: Sequence[StoredEvent], position: int
    ) -> None:
        tags = seat
        decided_on = [each.position for each in log if not each.event.tags.isdisjoint(tags)]
        # Every position from the last event that matters on means the same condition.
        after = self._random.randint(decided_on[-1] if decided_on else 0, position)
        commit = self._commit(term, seat, after)
        attempt = Attempt(id=commit.id, tags=tags, after=after)
        self._note(attempt)
        if self._random.random() < 0.2:
            await self._remark(tags)
        for _ in range(self._random.randrange(4)):
            await asyncio.sleep(0)
        times = 2 if self._random.random() < 0.1 else 1  # the second time for the same answer
        for _ in range(times):
            outcome, place = await self._settle(commit)
            self._note(evolve(attempt, outcome=outcome, position=place))

    async def _settle(self, commit: Commit) -> tuple[Outcome, int]:
        while True:
            try:
                return "stored", (await self._store.append(commit)).position
            except ConditionFailed as failed:
                return "refused", failed.position
            except (OutcomeUnknown, StoreUnavailable):
                await asyncio.sleep(0.01)

    async def _remark(self, tags: Sequence[str]) -> None:
        remark = EventData(REMARK, {}, tags=frozenset(tags))
        part = Part(stream=self._remarks, events=[remark], expected_version=None)
        await self._settle(Commit(id=new_id(), parts=[part], recorded_at=_NOW))

    def _commit(self, term: int, seat: tuple[str, str], after: int) -> Commit:
        course, student = seat
        taken = EventData(
            TAKEN, {"seat": [course, student]}, tags=frozenset({course, student, _tag(term)})
        )
        remark = EventData(REMARK, {}, tags=frozenset(seat))
        streams = [StreamId("Course", course), StreamId("Student", student)]
        self._random.shuffle(streams)
        events = self._random.choice([[taken], [taken, remark], [remark, taken, remark]])
        parts = [Part(stream=streams[0], events=events, expected_version=None)]
        if self._random.random() < 0.5:
            parts.append(Part(stream=streams[1], events=[remark], expected_version=None))
        query = Query.of(TAKEN, tags={course}) | Query.of(TAKEN, tags={student})
        return Commit(
            id=new_id(),
            parts=parts,
            condition=Condition(query=query, after=after),
            recorded_at=_NOW,
        )

    async def _seats(self, term: int) -> tuple[list[StoredEvent], int]:
        query = Query.of(TAKEN, tags={_tag(term)})
        while True:
            try:
                page = await self._store.read(query)  # a term has fewer than a thousand seats
            except StoreUnavailable:
                await asyncio.sleep(0.01)
            else:
                return [*page.events], page.position

    async def _present_term(self) -> int:
        while True:
            try:
                page = await self._store.read_backwards(Query.of(TAKEN), limit=1)
            except StoreUnavailable:
                await asyncio.sleep(0.01)
            else:
                return int(_seat(page.events[0])[0].split(".")[1]) if page.events else 0


def free_seats(term: int, log: Sequence[StoredEvent]) -> list[tuple[str, str]]:
    """Return the pairs of course and student for which a seat may be taken."""
    taken = [_seat(recorded) for recorded in log]
    of_course = Counter(course for course, _ in taken)
    of_student = Counter(student for _, student in taken)
    courses = [f"course.{term}.{number}" for number in range(COURSES)]
    students = [f"student.{term}.{number}" for number in range(STUDENTS)]
    return [
        (course, student)
        for course, student in product(courses, students)
        if of_course[course] < SEATS
        and of_student[student] < SEATS_OF_STUDENT
        and (course, student) not in taken
    ]


def violations(told: Sequence[Attempt], log: Sequence[StoredEvent]) -> list[str]:
    """Return everything that is wrong, each as a kind, a colon and details.

    Args:
        told: What the racers noted, in order.
        log: All events, as read when the race was over.
    """
    taken: defaultdict[str, list[int]] = defaultdict(list)  # positions of seats, by tag
    for recorded in log:
        if recorded.event.type == TAKEN:
            for tag in _seat(recorded):
                taken[tag].append(recorded.position)
    places = _places(log)
    return [
        *_gaps(log),
        *_halves(log),
        *_overbooked(log),
        *_told(told, places),
        *_unjustified(told, taken),
        *_overlooked(told, places, taken),
    ]


def _gaps(log: Sequence[StoredEvent]) -> Iterator[str]:
    versions: Counter[StreamId] = Counter()
    for position, recorded in enumerate(log, start=1):
        versions[recorded.stream] += 1
        if (position, versions[recorded.stream]) != (recorded.position, recorded.version):
            yield (
                f"gap: version {recorded.version} of {recorded.stream} at position "
                f"{recorded.position}, where {versions[recorded.stream]} at {position} comes next"
            )
            return  # all later ones are shifted, too


def _halves(log: Sequence[StoredEvent]) -> Iterator[str]:
    """Yield the commits that are stored in pieces or twice."""
    before, number = "", 0
    seen: set[str] = set()
    for recorded in log:
        commit_id, _, n = recorded.id.rpartition("-")
        number = number + 1 if commit_id == before else 1
        if int(n) != number or (number == 1 and commit_id in seen):
            yield f"half: {recorded.id} at position {recorded.position}"
        seen.add(commit_id)
        before = commit_id


def _overbooked(log: Sequence[StoredEvent]) -> Iterator[str]:
    seats = [_seat(recorded) for recorded in log if recorded.event.type == TAKEN]
    for seat, times in Counter(seats).items():
        if times > 1:
            yield f"overbooked: {seat} is taken {times} times"
    for index, limit in ((0, SEATS), (1, SEATS_OF_STUDENT)):
        for name, times in Counter(seat[index] for seat in seats).items():
            if times > limit:
                yield f"overbooked: {name} has {times} of {limit} seats"


def _told(told: Sequence[Attempt], places: Mapping[str, int]) -> Iterator[str]:
    for attempt in told:
        place = places.get(attempt.id)
        if attempt.outcome == "stored" and place is None:
            yield f"lost: {attempt}"
        elif attempt.outcome == "stored" and place != attempt.position:
            yield f"misplaced: {attempt} is at position {place}"
        elif attempt.outcome == "refused" and place is not None:
            yield f"refused: {attempt} is at position {place}"


def _unjustified(told: Sequence[Attempt], taken: Mapping[str, Sequence[int]]) -> Iterator[str]:
    for attempt in told:
        if attempt.outcome == "refused":
            found = {*_between(attempt.tags, attempt.position - 1, attempt.position + 1, taken)}
            if attempt.position <= attempt.after or not found:
                yield f"unjustified: {attempt}"


def _overlooked(
    told: Sequence[Attempt], places: Mapping[str, int], taken: Mapping[str, Sequence[int]]
) -> Iterator[str]:
    for attempt in {attempt.id: attempt for attempt in told}.values():
        if place := places.get(attempt.id):
            for position in _between(attempt.tags, attempt.after, place, taken):
                yield f"overlooked: the seat at position {position}, by {attempt} at {place}"


def _between(
    tags: Sequence[str], after: int, before: int, taken: Mapping[str, Sequence[int]]
) -> Iterator[int]:
    for tag in tags:
        positions = taken.get(tag, ())
        for position in positions[bisect_right(positions, after) :]:
            if position >= before:
                break
            yield position


def _places(log: Sequence[StoredEvent]) -> dict[str, int]:
    """Return the position of the first event of each commit."""
    places: dict[str, int] = {}
    for recorded in log:
        places.setdefault(recorded.id.rpartition("-")[0], recorded.position)
    return places


def _seat(recorded: StoredEvent) -> tuple[str, str]:
    course, student = recorded.event.data["seat"]
    return course, student


def _tag(term: int) -> str:
    return f"term.{term}"
