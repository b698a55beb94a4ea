"""Specs of views and processes: passed, failed and invalid checks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from attrs import frozen

from eventhus import Command, Metadata, Process, Recorded, StreamId, View, one_of
from eventhus.errors import UndeclaredIndex
from eventhus_testing import like, spec
from tests.testing.cart import MUG, TEA, Item, ItemAdded, ItemRemoved

NOON = datetime(2025, 12, 24, 12, tzinfo=UTC)


@frozen
class Line:
    sku: str
    quantity: int
    at: datetime


def by_sku(recorded: Recorded[ItemAdded | ItemRemoved]) -> str | None:
    match recorded.event:
        case ItemAdded(Item(sku)) | ItemRemoved(sku):
            return None if sku == "gift" else sku


def last(line: Line | None, recorded: Recorded[ItemAdded | ItemRemoved]) -> Line | None:
    match recorded.event:
        case ItemAdded(Item(sku, quantity)):
            return Line(sku, quantity + (line.quantity if line else 0), recorded.recorded_at)
        case ItemRemoved():
            return None


lines: View[ItemAdded | ItemRemoved, Line | None] = View(
    name="lines", initial=None, key=by_sku, evolve=last
)


def test_a_view_can_be_checked_without_a_when() -> None:
    (
        spec(lines)
        .at(NOON)
        .given("c1", ItemAdded(TEA), ItemAdded(TEA))
        .given("c2", ItemAdded(MUG))
        .then_view("tea", Line("tea", 4, NOON))
        .then_view("mug", like(Line, quantity=1))
        .then_view("mug", Line("mug", 1, NOON - timedelta(1)), ignoring=["at"])
        .then_no_view("pot")
        .then_view("pot", None)
        .then_no_view("gift")
    )


def test_a_view_shows_changed_deleted_and_untouched_values() -> None:
    outcome = (
        spec(lines)
        .given("c1", ItemAdded(TEA), ItemAdded(MUG))
        .when("c1", ItemRemoved("tea"), ItemAdded(Item("gift", 1)))
        .then_no_view("tea")
        .then_untouched("mug")
        .and_when("c1", ItemAdded(Item("gift", 1)))
        .then_untouched()
    )
    assert ["mug"] == [*outcome.values]


@frozen
class Stock:
    name: str = ""
    pieces: int = 0


def counted(stock: Stock, recorded: Recorded[ItemAdded], key: str) -> Stock:
    return Stock(recorded.event.item.sku, stock.pieces + recorded.event.item.quantity)


stock = View(
    name="stock",
    initial=Stock(),
    key=lambda recorded: (recorded.event.item.sku, "all"),
    evolve=counted,
    indexes=["-pieces", ("name", "pieces")],
)


def test_a_view_of_several_keys_is_found_by_its_indexes() -> None:
    (
        spec(stock)
        .given("c1", ItemAdded(Item("mug", 1)))
        .then_found("all", "mug")
        .when("c1", ItemAdded(Item("tea", 3)))
        .then_view("all", Stock("tea", 4))
        .then_untouched("mug")
        .then_found("all", "tea", "mug", order_by="-pieces")
        .then_found("tea", "all", where={"name": "tea"}, order_by="pieces")
        .then_found(where={"name": one_of("pot")}, order_by="pieces")
    )
    with pytest.raises(UndeclaredIndex, match="'name'"):
        spec(stock).then_found(where={"name": "tea"})


def test_found_keys_are_compared_in_order() -> None:
    seen = spec(stock).given("c1", ItemAdded(Item("mug", 1)))
    with pytest.raises(AssertionError) as caught:
        seen.then_found("mug", "all")
    assert "stock: the view finds other keys than expected" in str(caught.value)
    assert "- found: 'mug', 'all'" in str(caught.value)
    assert "+ found: 'all', 'mug'" in str(caught.value)
    with pytest.raises(AssertionError, match="found: nothing"):
        spec(stock).then_found("mug")


FAILS: dict[str, Callable[[], object]] = {
    "another value": lambda: spec(lines).given("c1", ItemAdded(TEA)).then_view("tea", None),
    "a view of nothing": lambda: spec(lines).then_view("tea", like(Line)),
    "no view": lambda: spec(lines).given("c1", ItemAdded(TEA)).then_no_view("tea"),
    "touched": lambda: spec(lines).when("c1", ItemAdded(TEA)).then_untouched("mug", "tea"),
    "touched, any": lambda: spec(lines).when("c1", ItemAdded(TEA)).then_untouched(),
    "untouched, though there was nothing": lambda: (
        spec(lines).given("c1", ItemAdded(MUG)).when("c1", ItemAdded(TEA)).then_untouched("pot")
    ),
    "untouched, though it was gone": lambda: (
        spec(lines)
        .given("c1", ItemAdded(MUG), ItemRemoved("mug"))
        .when("c1", ItemAdded(TEA))
        .then_untouched("mug")
    ),
}


@pytest.mark.parametrize("word", FAILS)
def test_a_failed_check_of_a_view_raises(word: str) -> None:
    with pytest.raises(AssertionError):
        FAILS[word]()


FOREIGN: Any = TEA


def test_a_view_spec_refuses_events_that_the_view_does_not_handle() -> None:
    with pytest.raises(TypeError, match="not an event of view lines; it handles ItemAdded, Item"):
        spec(lines).given("c1", FOREIGN)


@frozen(kw_only=True)
class Thank(Command):
    times: int


@frozen(kw_only=True)
class Report(Command):
    cart: str
    because: str | None


def count(times: int, recorded: Recorded[ItemAdded]) -> int:
    return times + 1


def thank(times: int, recorded: Recorded[ItemAdded]) -> Iterator[Command]:
    if times >= 2:
        yield Thank(aggregate_id=recorded.event.item.sku, times=times)
        yield Report(
            aggregate_id=str(recorded.stream),
            cart=f"{recorded.position}/{recorded.version}",
            because=recorded.metadata.causation_id,
        )


def no_gift(recorded: Recorded[ItemAdded]) -> str | None:
    return None if recorded.event.item.sku == "gift" else "all"


thanking = Process(name="thanking", initial=0, key=no_gift, evolve=count, react=thank)


def test_a_process_sends_commands_for_the_events_of_a_when_only() -> None:
    (
        spec(thanking)
        .given("c1", ItemAdded(TEA), ItemAdded(MUG))
        .caused_by(Metadata(causation_id="x-1"))
        .when(StreamId("Cart", "c2"), ItemAdded(Item("gift", 1)), ItemAdded(TEA))
        .then_commands(
            Thank(aggregate_id="tea", times=3),
            Report(aggregate_id="Cart/c2", cart="4/2", because="x-1"),
        )
        .then_commands(like(Thank), like(Report, cart="4/2"))
        .then_state("all", 3)
        .and_when("c1", ItemAdded(Item("gift", 1)))
        .then_nothing()
        .then_state("all", 3)
        .then_no_state("gift")
    )
    assert 2 == len(spec(thanking).when("c1", ItemAdded(TEA), ItemAdded(TEA)).commands)


def test_a_failed_check_of_a_process_raises() -> None:
    outcome = spec(thanking).at(NOON).given("c1", ItemAdded(TEA)).when("c1", ItemAdded(TEA))
    for fails in (
        outcome.then_nothing,
        lambda: outcome.then_commands(Thank(aggregate_id="tea", times=2)),
        lambda: outcome.then_state("all", 1),
        lambda: outcome.then_state("none", 2),
        lambda: outcome.then_state("none", 0),
        lambda: outcome.then_no_state("all"),
    ):
        with pytest.raises(AssertionError):
            fails()


def test_a_process_spec_refuses_events_that_the_process_does_not_handle() -> None:
    with pytest.raises(TypeError, match="not an event of process thanking; it handles ItemAdded"):
        spec(thanking).when("c1", FOREIGN)


EVENT: Any = ItemAdded(TEA)
MISTAKES: dict[str, Callable[[], object]] = {
    "when takes a stream and at least one event": lambda: spec(lines).when("c1"),
    "when takes a stream": lambda: spec(thanking).when("c1"),
    "when takes": lambda: spec(lines).when("c1", ItemAdded(TEA)).then_no_view("x").and_when("c1"),
    "when": lambda: spec(thanking).when("c1", ItemAdded(TEA)).then_nothing().and_when("c1"),
    "the first argument must be an aggregate id": lambda: spec(lines).when(EVENT),
    "at takes an aware datetime": lambda: spec(lines).at(NOON.replace(tzinfo=None)),
}


@pytest.mark.parametrize("text", MISTAKES)
def test_an_invalid_step_raises_type_error(text: str) -> None:
    with pytest.raises(TypeError, match=text):
        MISTAKES[text]()


def test_a_check_that_needs_a_when_names_it() -> None:
    given: Any = spec(thanking).given("c1", ItemAdded(TEA))
    with pytest.raises(AttributeError, match=r"call \.when\(\.\.\.\) first"):
        given.then_commands()
    seen: Any = spec(lines).given("c1", ItemAdded(TEA))
    with pytest.raises(AttributeError, match=r"no 'then_untouched'; call"):
        seen.then_untouched("tea")


def test_ignoring_a_misspelt_field_of_a_view_is_refused() -> None:
    shown = spec(lines).given("c1", ItemAdded(TEA))
    with pytest.raises(TypeError, match=r"a field 'on'; they have sku, quantity, at"):
        shown.then_view("tea", Line("tea", 4, NOON), ignoring={"on"})
