"""The index finds what a query matches, and looks at few other events."""

from collections.abc import Collection
from random import Random
from typing import ClassVar

import pytest

from eventhus import Query
from eventhus.domain.query import EventClass
from eventhus.ports import EventData, QueryItem
from eventhus_memory.index import Index

TYPES = ["A", "B", "C", "D"]
TAGS = ["x", "y", "z", "rare"]


def an_item(random: Random) -> QueryItem:
    return QueryItem(
        random.sample(TYPES, random.choice([0, 0, 1, 2])),
        random.sample(TAGS, random.choice([0, 1, 1, 2])),
        random.sample(TYPES, random.choice([0, 0, 0, 1])),
    )


def some_events(random: Random) -> list[EventData]:
    return [
        EventData(
            random.choice(TYPES),
            {},
            tags=frozenset(
                tag for tag in TAGS if random.random() < (0.02 if tag == "rare" else 0.4)
            ),
        )
        for _ in range(200)
    ]


def indexed(events: list[EventData]) -> Index:
    index = Index()
    for position, event in enumerate(events, start=1):
        index.add(position, event)
    return index


@pytest.mark.parametrize("seed", range(20))
def test_the_index_finds_the_same_as_a_look_at_every_event(seed: int) -> None:
    random = Random(seed)
    events = some_events(random)
    index = indexed(events)
    for _ in range(50):
        query = Query([an_item(random) for _ in range(random.randint(1, 3))])
        first, last = sorted(random.choices(range(1, 201), k=2))
        expected = [
            position
            for position, event in enumerate(events, start=1)
            if query.matches(event.type, event.tags)
        ]
        assert [each for each in expected if first <= each <= last] == [
            *index.positions(query, first, last)
        ]
        assert [each for each in expected if each <= last][::-1] == [
            *index.positions_backwards(query, last)
        ]


def test_an_empty_index_finds_nothing() -> None:
    index = Index()
    for query in (Query.of(), Query.of("A"), Query.of(tags={"x"})):
        assert [] == [*index.positions(query, 1, 10)]
        assert [] == [*index.positions_backwards(query, 10)]


class Counting(QueryItem):
    """Counts the events that are looked at."""

    looked_at: ClassVar[int] = 0

    def matches(self, type_: EventClass, tags: Collection[str]) -> bool:
        Counting.looked_at += 1
        return super().matches(type_, tags)


@pytest.fixture(autouse=True)
def _count_from_zero() -> None:
    Counting.looked_at = 0


def test_events_without_the_rarest_tag_are_not_looked_at() -> None:
    events = [EventData("A", {}, tags=frozenset({"common"})) for _ in range(1000)]
    events.append(EventData("A", {}, tags=frozenset({"common", "rare"})))
    query = Query([Counting(["A"], ["common", "rare"])])
    assert [1001] == [*indexed(events).positions(query, 1, 1001)]
    assert 1 == Counting.looked_at


def test_the_index_stops_looking_when_its_reader_does() -> None:
    index = indexed([EventData("A", {}, tags=frozenset({"x"})) for _ in range(1000)])
    query = Query([Counting(tags=["x"])])
    assert 1 == next(index.positions(query, 1, 1000))
    assert 1000 == next(index.positions_backwards(query, 1000))
    assert 2 == Counting.looked_at
