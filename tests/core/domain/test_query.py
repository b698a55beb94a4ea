"""Queries over the log."""

from typing import Any

import pytest
from attrs import frozen

from eventhus import Query
from eventhus.errors import InvalidArgument
from eventhus.ports import QueryItem


@frozen
class SeatTaken:
    course: str


def test_an_item_needs_one_of_its_types_and_all_of_its_tags() -> None:
    item = QueryItem({"A", "B"}, {"x", "y"})
    assert item.matches("A", {"x", "y", "z"})
    assert item.matches("B", ["y", "x"])
    assert not item.matches("C", {"x", "y"})
    assert not item.matches("A", {"x"})


def test_an_item_without_types_and_tags_matches_everything() -> None:
    assert QueryItem().matches("A", ())
    assert Query.of().matches("A", {"x"})


def test_an_item_excludes_types() -> None:
    item = QueryItem(tags={"x"}, other_than={"A"})
    assert item.matches("B", {"x"})
    assert not item.matches("A", {"x"})
    assert not QueryItem({"A"}, other_than={"A"}).matches("A", ())


def test_a_query_matches_what_one_of_its_items_matches() -> None:
    query = Query.of("A", tags={"x"}) | Query.of("B", "C")
    assert (QueryItem({"A"}, {"x"}), QueryItem({"B", "C"})) == query.items
    assert [True, False, True, True, False] == [
        query.matches("A", {"x"}),
        query.matches("A", {"y"}),
        query.matches("B", ()),
        query.matches("C", {"x"}),
        query.matches("D", {"x"}),
    ]


def test_queries_of_the_same_items_are_equal() -> None:
    assert {Query.of("A", "B", tags=["x"])} == {Query.of("B", "A", tags={"x"})}


def test_a_query_takes_event_classes() -> None:
    assert frozenset({SeatTaken, "Other"}) == Query.of(SeatTaken, "Other").items[0].types


def test_a_query_without_items_is_refused() -> None:
    with pytest.raises(InvalidArgument) as caught:
        Query([])
    assert "a query without items matches nothing; use Query.of() for every event" == str(
        caught.value
    )


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ("course:c1", "tags must be a set of str, found one str; write {'name:id'}"),
        (7, "tags must be a set of str, found int; write {'name:id'}"),
        ([""], "a tag must be a non-empty str of whole Unicode characters, found an empty one"),
        ([7], "a tag must be a non-empty str of whole Unicode characters, found int"),
        (["\ud800"], "a tag must be a non-empty str of whole Unicode characters, found str"),
    ],
)
def test_tags_that_are_not_a_set_of_text_are_refused(tags: Any, message: str) -> None:
    for make in (lambda: Query.of(tags=tags), lambda: QueryItem(tags=tags)):
        with pytest.raises(InvalidArgument) as caught:
            make()
        assert message == str(caught.value)


@pytest.mark.parametrize("type_", [7, None, "", "\ud800", [SeatTaken]])
def test_types_that_are_neither_a_class_nor_a_name_are_refused(type_: Any) -> None:
    for make in (lambda: Query.of(type_), lambda: QueryItem(other_than=[type_])):
        with pytest.raises(InvalidArgument, match="takes event classes or their stored names"):
            make()


def test_a_query_is_written_in_the_same_way_in_every_run() -> None:
    """Sets have another order in each process."""
    assert "QueryItem(types={'A', 'B'}, tags={'x', 'y'}, other_than={})" == repr(
        QueryItem({"B", "A"}, {"y", "x"})
    )
