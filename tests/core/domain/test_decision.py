"""Decisions: their boundary, and how they are checked when they are made."""

from collections.abc import Iterable
from typing import Any

import pytest

from eventhus import Decision, Query, StreamId
from eventhus.domain.catalog import Catalog
from eventhus.errors import CodecError, CompositionError, InvalidArgument
from eventhus.ports import EventData, QueryItem
from tests.courses import (
    TAGS,
    Defined,
    Enrolment,
    SeatTaken,
    TakeSeat,
    course,
    decide,
    enrolment,
    evolve,
)

TAKE = TakeSeat(aggregate_id="c1", student="s7")


def decision(**changes: Any) -> Decision[Any, Any, Any]:
    arguments: dict[str, Any] = {
        "name": "Enrolment",
        "initial": Enrolment(),
        "decide": decide,
        "evolve": evolve,
        "boundary": lambda _: Query.of(),
        "tags": TAGS,
    }
    return Decision(**{**arguments, **changes})


def test_events_are_stored_under_the_name_of_the_decision_by_default() -> None:
    assert "Enrolment" == decision().aggregate_type
    assert "Course" == decision(aggregate_type="Course").aggregate_type


def test_the_boundary_must_be_a_plain_function() -> None:
    async def boundary(_: object) -> Query:
        return Query.of()

    with pytest.raises(CompositionError, match="boundary is async"):
        decision(boundary=boundary)


@pytest.mark.parametrize("answer", [None, Defined, {"course:c1"}])
def test_a_boundary_that_returns_no_query_is_refused(answer: object) -> None:
    with pytest.raises(TypeError, match="instead of a query"):
        decision(boundary=lambda _: answer).query(TAKE)


@pytest.mark.parametrize("item", [QueryItem({int}), QueryItem(other_than={"Defined"})])
def test_a_boundary_asks_for_events_of_the_decision_only(item: QueryItem) -> None:
    with pytest.raises(TypeError, match="is not one of its events"):
        decision(boundary=lambda _: Query([item])).query(TAKE)


@pytest.mark.parametrize(
    ("query", "is_found"),
    [
        (Query.of(SeatTaken, tags={"course:c1"}), True),
        (Query.of(tags={"student:s7", "course:c1"}), True),
        (Query.of(Defined, tags={"course:c1"}), False),
        (Query.of(SeatTaken, tags={"course:c2"}), False),
        (Query([QueryItem(other_than={SeatTaken})]), False),
        (Query.of(Defined) | Query.of(SeatTaken), True),
    ],
)
def test_a_decision_knows_which_of_its_events_a_query_finds(query: Query, is_found: bool) -> None:
    assert is_found is enrolment.concerns(query, SeatTaken(course="c1", student="s7"))


def test_mappings_may_be_shared_among_decisions() -> None:
    def fold(state: Enrolment, event: SeatTaken) -> Enrolment:
        return state

    alone = decision(evolve=fold, aliases={"Planned": Defined}, names={Defined: "Course"})
    assert ["SeatTaken"] == [each.name for each in Catalog([], [alone]).types()]
    assert not Catalog([], [alone]).knows("Planned")


def test_an_event_has_the_same_tags_everywhere() -> None:
    with pytest.raises(CompositionError, match="names, upcasters or tags"):
        Catalog([course], [decision(name="Other", tags={})])


def test_two_parts_cannot_have_one_name() -> None:
    with pytest.raises(CompositionError, match="2 parts are named 'Course'"):
        Catalog([course], [decision(name="Course")])


@pytest.mark.parametrize(
    ("tagger", "problem"),
    [
        (lambda _: "course:c1", "a set of str, found one str"),
        (lambda _: {""}, "a non-empty str"),
        (lambda _: {7}, "found int"),
        (lambda _: 7, "found int"),
        (lambda event: {event.secret}, "raised AttributeError"),
    ],
)
def test_tags_that_are_none_are_one_clear_error(tagger: Any, problem: str) -> None:
    broken = decision(tags={SeatTaken: tagger})
    with pytest.raises(CodecError, match=problem) as caught:
        broken.tags_of(SeatTaken(course="hidden", student="hidden"))
    assert "hidden" not in str(caught.value)
    assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_events_without_a_function_have_no_tags() -> None:
    assert frozenset() == decision(tags={}).tags_of(SeatTaken(course="c1", student="s7"))


def test_stored_queries_have_current_and_former_names() -> None:
    renamed = decision(names={SeatTaken: "Seat"}, aliases={"Place": SeatTaken})
    stored = Catalog([], [renamed]).stored_query(Query.of(SeatTaken, "Foreign", tags={"x"}))
    assert Query.of("Seat", "Place", "Foreign", tags={"x"}) == stored


def test_an_item_without_types_leaves_out_the_events_of_others() -> None:
    catalog = Catalog([], [decision()])
    query = Query([QueryItem(tags={"x"}, other_than={SeatTaken}), QueryItem({SeatTaken})])
    stored = catalog.stored_query(query, frozenset({"Defined"}))
    without_types = QueryItem(tags={"x"}, other_than={"Defined", "SeatTaken"})
    assert Query([without_types, QueryItem({"SeatTaken"})]) == stored


def test_unknown_events_in_the_streams_of_a_decision_are_of_newer_code() -> None:
    catalog = Catalog([], [decision(aggregate_type="Course")])
    newer = EventData("Moved", {})
    assert catalog.is_of_newer_code(StreamId("Course", "c1"), newer)
    assert not catalog.is_of_newer_code(StreamId("Enrolment", "c1"), newer)


def test_every_event_of_the_aggregate_is_an_event_of_the_catalog_once() -> None:
    names = [each.name for each in Catalog([course], [enrolment]).types()]
    assert ["Defined", "SeatTaken"] == names


def test_a_decision_folds_its_events() -> None:
    seats: Iterable[Defined | SeatTaken] = [
        Defined(course="c1", capacity=1),
        SeatTaken(course="c1", student="s1"),
    ]
    assert Enrolment(capacity=1, seats=(SeatTaken("c1", "s1"),)) == enrolment.fold(seats)


def test_a_query_needs_an_item() -> None:
    with pytest.raises(InvalidArgument, match="without items"):
        Query([])
