"""Failure texts of specs and scenarios, compared with golden files.

After an intended change, rewrite the files with
``python -m tests.testing.specs.test_failure_texts``, and read the diff.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve, frozen
from dirty_equals import IsPositiveInt
from hamcrest import greater_than, has_length

from eventhus import Aggregate, Command, Metadata
from eventhus.ports import EventData
from eventhus_testing import AppScenario, Rules, like, memory_application, scenario, spec
from tests.testing.cart import (
    MUG,
    TEA,
    Cart,
    InvalidQuantity,
    Item,
    ItemAdded,
    ItemRemoved,
    NotInCart,
    add,
    cart,
    empty,
    remove,
)
from tests.testing.specs.flawed_domains import (
    ROUNDING,
    Counting,
    Moody,
    Noted,
    Reacting,
    Restock,
    Scales,
    Undeclared,
    Untidy,
    Weight,
    choking,
    forgetful,
    greedy,
    in_place,
    last_view,
    note_it,
    pad,
    restocking,
    scales,
    size_view,
    tag_view,
    tagging,
    weigh,
    weight_view,
)

GOLDEN = Path(__file__).with_name("failure_texts")

TEA_AND_MUG = spec(cart).given(ItemAdded(TEA), ItemAdded(MUG))


# A whole application.

PLACES = ("first", "second", "third", "fourth")
Then = Callable[[AppScenario], Coroutine[Any, Any, None]]


def shop(then: Then, *commands: Command) -> None:
    """Run a scenario with tea and a mug in the cart."""

    async def work() -> None:
        async with scenario(memory_application(cart, bucket="shop")) as shop:
            await shop.given(cart, "c1", ItemAdded(TEA), ItemAdded(MUG))
            await shop.when(*commands)
            await then(shop)

    asyncio.run(work())


class Shop:
    """A class with a function to call."""

    @staticmethod
    def close(_: Cart) -> list[ItemRemoved]:
        return [ItemRemoved("mug")]


class Near:
    """A predicate that is an object."""

    def __call__(self, quantity: int) -> bool:
        return quantity > 10


def is_large(quantity: int) -> bool:
    return quantity > 10


def holds(sku: str, event: ItemAdded) -> bool:
    return event.item.sku == sku


def field_of(expectation: object) -> Any:
    """Return an expectation typed as the value of any field."""
    return expectation


# A domain with sets, whose members have no order.


@frozen(kw_only=True)
class Label(Command):
    labels: frozenset[str]


@frozen
class Labelled:
    labels: frozenset[str]


def labelling(command: Label, labels: frozenset[str]) -> Iterator[Labelled]:
    yield Labelled(command.labels)


def labelled(labels: frozenset[str], event: Labelled) -> frozenset[str]:
    return labels | event.labels


parcel = Aggregate(name="Parcel", initial=frozenset[str](), decide=labelling, evolve=labelled)
fragile = Label(aggregate_id="p1", labels=frozenset({"fragile"}))


CASES: dict[str, Callable[[], object]] = {
    # Checks of aggregates.
    "only these types": lambda: TEA_AND_MUG.when(empty()).then_only(ItemAdded),
    "only these types, but refused": lambda: TEA_AND_MUG.when(remove("pot")).then_only(ItemRemoved),
    "only these types, but nothing": lambda: spec(cart).when(empty()).then_only(ItemRemoved),
    "in any order": lambda: TEA_AND_MUG.when(empty()).then_in_any_order(
        ItemRemoved("mug"), ItemRemoved("pot")
    ),
    "in any order, one near": lambda: (
        spec(cart).when(add(TEA)).then_in_any_order(ItemAdded(Item("Tea", 2)))
    ),
    "in any order, but refused": lambda: TEA_AND_MUG.when(remove("pot")).then_in_any_order(
        ItemRemoved("pot")
    ),
    "containing": lambda: TEA_AND_MUG.when(empty()).then_containing(ItemRemoved("pot")),
    "containing, but nothing": lambda: spec(cart).when(empty()).then_containing(ItemRemoved("x")),
    "like": lambda: TEA_AND_MUG.when(remove("mug")).then(like(ItemRemoved, sku="tea")),
    "like, nested": lambda: (
        spec(cart).when(add(TEA)).then(like(ItemAdded, item=like(Item, quantity=greater_than(2))))
    ),
    "ignoring a field": lambda: (
        spec(cart).when(add(TEA)).then(ItemAdded(Item("mug", 1)), ignoring=["quantity"])
    ),
    "matching": lambda: TEA_AND_MUG.when(empty()).then_matching(
        ItemRemoved("tea"), lambda event: event.sku == "pot"
    ),
    "matching with hamcrest": lambda: TEA_AND_MUG.when(empty()).then_matching(
        has_length(2), has_length(2)
    ),
    "matching with dirty-equals": lambda: (
        spec(cart).when(add(Item("tea", 1))).then_matching(ItemAdded(Item("mug", IsPositiveInt)))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ),
    "a lambda in an event": lambda: (
        spec(cart)
        .when(add(TEA))
        .then(ItemAdded(Item("mug", field_of(lambda quantity: quantity < 1))))
    ),
    "a predicate in an event": lambda: (
        spec(cart).when(add(TEA)).then(ItemAdded(Item("tea", field_of(is_large))))
    ),
    "a predicate that is an object": lambda: (
        spec(cart).when(add(TEA)).then(ItemAdded(Item("tea", field_of(Near()))))
    ),
    "a partial function as predicate": lambda: (
        spec(cart).when(add(TEA)).then_matching(partial(holds, "mug"))
    ),
    "a matcher in a state": lambda: TEA_AND_MUG.when(remove("mug")).then_state(
        Cart({"tea": field_of(greater_than(2))})
    ),
    "a predicate in a list": lambda: (
        spec(pad()).when(note_it).then(Noted("milk", [field_of(is_large)]))
    ),
    "a predicate in a tuple": lambda: (
        spec(cart).when(add(TEA)).then_matching((ItemAdded(TEA), field_of(is_large)))
    ),
    "members of a set": lambda: (
        spec(parcel)
        .given(Labelled(frozenset({"heavy"})))
        .when(fragile)
        .then(Labelled(frozenset({"glass"})))
    ),
    "a set": lambda: spec(parcel).when(fragile).then_state(frozenset()),
    "ignoring a field in any order": lambda: (
        spec(cart)
        .when(add(TEA))
        .then_in_any_order(ItemAdded(Item("mug", 1)), ignoring=["quantity"])
    ),
    "ignoring a field, but refused": lambda: (
        spec(cart).when(remove("mug")).then(ItemRemoved("mug"), ignoring=["sku"])
    ),
    "another predicate of a refusal": lambda: TEA_AND_MUG.when(remove("pot")).then_rejected(
        NotInCart, where=lambda refusal: bool(refusal.args)
    ),
    "a part of the state": lambda: TEA_AND_MUG.when(remove("mug")).then_state(
        like(Cart, quantities={"tea": 3})
    ),
    "a large state": lambda: (
        spec(cart)
        .given(*(ItemAdded(Item(f"tea from the {place} garden", 2)) for place in PLACES))
        .when(add(Item("tea from the last garden", 3)))
        .then_state(
            Cart({f"tea from the {place} garden": 2 for place in (*PLACES, "last")}),
        )
    ),
    "a large event": lambda: (
        spec(cart)
        .when(add(Item("tea from the highest and the oldest of all known gardens in Assam", 3)))
        .then(
            ItemAdded(Item("tea from the highest and the oldest of all known gardens in Assam", 2))
        )
    ),
    "a predicate on the state": lambda: TEA_AND_MUG.when(remove("mug")).then_state_matching(
        lambda state: not state.quantities
    ),
    "several commands": lambda: (
        spec(cart).when(add(TEA), remove("tea"), add(MUG)).then(ItemAdded(TEA), ItemAdded(MUG))
    ),
    "several commands, one refused": lambda: (
        spec(cart).when(add(TEA), remove("mug"), add(MUG)).then(ItemAdded(TEA), ItemAdded(MUG))
    ),
    "several commands, one refused behind what was expected": lambda: (
        spec(cart).when(add(TEA), remove("mug"), add(MUG)).then(ItemAdded(TEA))
    ),
    "several commands, one refused instead of nothing": lambda: (
        spec(cart).when(empty(), remove("mug")).then_nothing()
    ),
    "several commands in any order, one refused": lambda: (
        spec(cart).when(add(TEA), remove("mug")).then_in_any_order(ItemAdded(MUG))
    ),
    "several commands of these types, one refused": lambda: (
        spec(cart).when(add(TEA), remove("mug")).then_only(ItemAdded)
    ),
    "repeated": lambda: spec(cart).when_repeated(2, add(TEA)).then(ItemAdded(TEA)),
    "called": lambda: TEA_AND_MUG.when_called(lambda state: [ItemRemoved("tea")]).then_nothing(),
    "stored": lambda: (
        spec(cart).when_stored(EventData("ItemRemoved", {"sku": "tea"})).then(ItemRemoved("Tea"))
    ),
    "going on": lambda: (
        spec(cart)
        .when(add(TEA))
        .then(ItemAdded(TEA))
        .and_when(remove("pot"))
        .then_rejected(NotInCart)
        .and_when(empty())
        .then_nothing()
    ),
    "a given state": lambda: (
        spec(cart).given_state(Cart({"tea": 1})).when(empty()).then(ItemRemoved("mug"))
    ),
    "given commands": lambda: (
        spec(cart).given_commands(add(TEA), add(MUG)).when(empty()).then(ItemRemoved("tea"))
    ),
    "given commands, one refused": lambda: spec(cart).given_commands(add(TEA), remove("mug")),
    "called by name": lambda: TEA_AND_MUG.when_called(Shop.close).then_nothing(),
    "given stored": lambda: (
        spec(cart)
        .given_stored(EventData("ItemAdded", {"item": {"sku": "tea", "quantity": 2}}))
        .when(empty())
        .then_nothing()
    ),
    "upper and lower case": lambda: (
        spec(cart).given(ItemAdded(TEA)).when(empty()).then(ItemRemoved("TEA"))
    ),
    # Rules.
    "rule: decide changes the state": lambda: spec(pad(greedy)).given(Noted("tea")).when(note_it),
    "rule: evolve changes the state": lambda: spec(pad(evolve=in_place)).given(
        Noted("tea"), Noted("milk")
    ),
    "rule: evolve changes the event": lambda: spec(pad(evolve=tagging)).when(note_it),
    "rule: two answers": lambda: spec(pad(Moody([Noted("a")], [Noted("b")]))).when(note_it),
    "rule: an answer and a refusal": lambda: spec(
        pad(Moody([Noted("a")], Untidy("the pad is full")))
    ).when(note_it),
    "rule: two refusals": lambda: spec(pad(Moody(Untidy("at 9:00"), Untidy("at 9:01")))).when(
        note_it
    ),
    "rule: an undeclared event": lambda: spec(pad(lambda *_: [Undeclared("x")])).when(note_it),
    "rule: evolve raises": lambda: spec(pad(evolve=choking)).when(note_it),
    "rule: evolve returns nothing": lambda: spec(pad(evolve=forgetful)).when(note_it),
    "rule: an event that is not stored whole": lambda: spec(scales, codec=ROUNDING).when(weigh),
    "rule: a state that is not stored whole": lambda: spec(
        scales, codec=ROUNDING, rules=Rules(stored=False)
    ).when(weigh),
    "rule: no codec for events": lambda: spec(scales),
    "rule: no codec for the state": lambda: spec(scales, rules=Rules(stored=False)),
    "rule: a given event changes": lambda: spec(pad(evolve=tagging)).given(Noted("x", [])),
    "rule: a given state is not stored whole": lambda: spec(scales, codec=ROUNDING).given_state(
        Scales(Weight(1))
    ),
    "rule: an event that cannot be stored": lambda: spec(pad()).given(
        Noted(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ),
    # Views.
    "view: another value": lambda: (
        spec(size_view).given("c1", ItemAdded(TEA), ItemAdded(MUG)).then_view("c1", 2)
    ),
    "view: no value": lambda: spec(size_view).given("c1", ItemAdded(TEA)).then_view("c2", 2),
    "view: a value where there should be none": lambda: (
        spec(size_view)
        .given("c1", ItemAdded(TEA))
        .when("c2", ItemAdded(MUG), ItemRemoved("mug"), ItemAdded(TEA))
        .then_no_view("c2")
    ),
    "view: a value instead of None": lambda: (
        spec(last_view).given("c1", ItemAdded(TEA)).then_view("c1", None)
    ),
    "view: ignoring a field": lambda: (
        spec(last_view).given("c1", ItemAdded(TEA)).then_view("c1", MUG, ignoring=["quantity"])
    ),
    "view: touched": lambda: (
        spec(size_view)
        .given("c1", ItemAdded(TEA))
        .when("c1", ItemRemoved("tea"))
        .and_when("c2", ItemAdded(MUG))
        .then_no_view("c1")
        .then_untouched()
    ),
    "view: untouched, though there was nothing": lambda: (
        spec(size_view)
        .given("c1", ItemAdded(TEA))
        .when("c2", ItemAdded(MUG))
        .then_untouched("c1", "c3")
    ),
    "view: untouched, though there is nothing at all": lambda: (
        spec(size_view).when("c1", ItemRemoved("tea")).then_untouched("c1")
    ),
    "view: the initial value, though there is none": lambda: (
        spec(size_view).when("c1", ItemRemoved("tea")).then_view("c1", 0)
    ),
    "view: rule: key changes the event": lambda: spec(tag_view).given("c1", Noted("x")),
    "view: rule: two values": lambda: spec(evolve(size_view, evolve=Counting())).given(
        "c1", ItemAdded(TEA), ItemAdded(MUG)
    ),
    "view: rule: an event that cannot be stored": lambda: spec(size_view).given(
        "c1",
        ItemRemoved(5),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ),
    "view: rule: no codec for events": lambda: spec(weight_view),
    # Processes.
    "process: other commands": lambda: (
        spec(restocking)
        .at(datetime(2025, 12, 24, tzinfo=UTC))
        .given("c1", ItemAdded(TEA))
        .caused_by(Metadata(correlation_id="x"))
        .when("c2", ItemAdded(TEA))
        .then_commands(Restock(aggregate_id="tea", quantity=3))
    ),
    "process: commands instead of nothing": lambda: (
        spec(restocking).given("c1", ItemAdded(TEA)).when("c2", ItemAdded(TEA)).then_nothing()
    ),
    "process: another state": lambda: (
        spec(restocking).when("c2", ItemAdded(TEA)).then_nothing().then_state("tea", 3)
    ),
    "process: a state of nothing": lambda: (
        spec(restocking).when("c2", ItemAdded(TEA)).then_state("mug", 0)
    ),
    "process: a state where there should be none": lambda: (
        spec(restocking).when("c2", ItemAdded(TEA)).then_no_state("tea")
    ),
    "process: rule: react gives two answers": lambda: spec(
        evolve(restocking, react=Reacting())
    ).when("c2", ItemAdded(TEA)),
    # Whole applications.
    "scenario: other events": lambda: shop(
        lambda shop: shop.then(ItemRemoved("tea"), ItemRemoved("Mug")), empty()
    ),
    "scenario: refused": lambda: shop(
        lambda shop: shop.then(ItemAdded(TEA), ItemRemoved("pot")), add(TEA), remove("pot")
    ),
    "scenario: only these types": lambda: shop(
        lambda shop: shop.then_only(ItemAdded), add(TEA), remove("mug")
    ),
    "scenario: only these types, but refused": lambda: shop(
        lambda shop: shop.then_only(ItemRemoved), remove("pot")
    ),
    "scenario: only these types, but nothing": lambda: shop(
        lambda shop: shop.then_only(ItemRemoved), add()
    ),
    "scenario: in any order": lambda: shop(
        lambda shop: shop.then_in_any_order(ItemRemoved("mug"), ItemRemoved("pot")), empty()
    ),
    "scenario: in any order, but refused": lambda: shop(
        lambda shop: shop.then_in_any_order(ItemRemoved("pot")), remove("pot")
    ),
    "scenario: containing": lambda: shop(
        lambda shop: shop.then_containing(ItemRemoved("pot")), empty()
    ),
    "scenario: matching": lambda: shop(
        lambda shop: shop.then_matching(ItemRemoved("tea"), lambda event: event.sku == "pot"),
        empty(),
    ),
    "scenario: another message": lambda: shop(
        lambda shop: shop.then_rejected(InvalidQuantity, match="-1 (of tea)"), add(Item("tea", -1))
    ),
    "scenario: a message in upper case": lambda: shop(
        lambda shop: shop.then_rejected(InvalidQuantity, match="IS TOO LOW"), add(Item("tea", -1))
    ),
    "scenario: another predicate of a refusal": lambda: shop(
        lambda shop: shop.then_rejected(NotInCart, where=lambda refusal: bool(refusal.args)),
        remove("pot"),
    ),
    "scenario: a part of the state": lambda: shop(
        lambda shop: shop.then_state(cart, "c1", like(Cart, quantities={"tea": 3})), remove("mug")
    ),
    "scenario: a predicate on the state": lambda: shop(
        lambda shop: shop.then_state_matching(cart, "c1", lambda state: not state.quantities),
        remove("mug"),
    ),
}


def text_of(check: Callable[[], object]) -> str:
    with pytest.raises(AssertionError) as failure:
        check()
    return f"{failure.value}\n"


def golden(name: str) -> Path:
    return GOLDEN / f"{name.replace(':', '').replace(',', '').replace(' ', '_')}.txt"


@pytest.mark.parametrize("name", CASES)
def test_failure_texts_match_their_golden_files(name: str) -> None:
    assert golden(name).read_text(encoding="utf-8") == text_of(CASES[name])


def test_every_golden_file_has_a_case() -> None:
    assert sorted(golden(name) for name in CASES) == sorted(GOLDEN.iterdir())


if __name__ == "__main__":
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for each in GOLDEN.iterdir():
        each.unlink()
    for case, failing in CASES.items():
        golden(case).write_text(text_of(failing), encoding="utf-8")
