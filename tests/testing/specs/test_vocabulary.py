"""Every step and check of an aggregate spec, passed and failed."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any, Generic, TypeVar

import pytest
from attrs import field, frozen
from dirty_equals import IsPositiveInt
from hamcrest import has_property

from eventhus.errors import CodecError
from eventhus.ports import EventData
from eventhus_testing import Outcome, like, spec
from eventhus_testing.matching.matchers import matches
from tests.testing.cart import (
    MUG,
    TEA,
    AddItems,
    Cart,
    CartCommand,
    CartEvent,
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


@frozen
class Hidden:
    _secret: int = field(alias="secret")


T = TypeVar("T")


@frozen
class Box(Generic[T]):
    value: T


def holds(sku: str, state: Cart) -> bool:
    return sku in state.quantities


CartOutcome = Outcome[CartCommand, CartEvent, Cart]
HOLDS: dict[str, Callable[[CartOutcome], object]] = {
    "then, a part": lambda emptied: emptied.then(like(ItemRemoved, sku="tea"), like(ItemRemoved)),
    "then_only": lambda emptied: emptied.then_only(ItemRemoved),
    "then_only, one of two": lambda emptied: emptied.then_only(ItemAdded, ItemRemoved),
    "then_in_any_order": lambda emptied: emptied.then_in_any_order(
        ItemRemoved("mug"), ItemRemoved("tea")
    ),
    "then_in_any_order, the open one first": lambda emptied: emptied.then_in_any_order(
        like(ItemRemoved), ItemRemoved("tea")
    ),
    "then_containing": lambda emptied: emptied.then_containing(ItemRemoved("mug")),
    "then_matching": lambda emptied: emptied.then_matching(
        lambda event: event.sku == "tea", has_property("sku", "mug")
    ),
    "then_matching an event": lambda emptied: emptied.then_matching(
        ItemRemoved("tea"), ItemRemoved("mug")
    ),
    "then ignoring": lambda emptied: emptied.then(
        ItemRemoved("x"), ItemRemoved("y"), ignoring={"sku"}
    ),
    "then_in_any_order ignoring": lambda emptied: emptied.then_in_any_order(
        ItemRemoved("x"), ItemRemoved("y"), ignoring={"sku"}
    ),
    "then_state matching": lambda emptied: emptied.then_state_matching(
        lambda state: not state.quantities
    ),
    "then_state, a part": lambda emptied: emptied.then_state(like(Cart, quantities={})),
    "then_state ignoring": lambda emptied: emptied.then_state(
        Cart({"x": 1}), ignoring=["quantities"]
    ),
}
FAILS: dict[str, Callable[[CartOutcome], object]] = {
    "then, another part": lambda emptied: emptied.then(
        like(ItemRemoved, sku="x"), ItemRemoved("mug")
    ),
    "then, too few": lambda emptied: emptied.then(like(ItemRemoved)),
    "then_only": lambda emptied: emptied.then_only(ItemAdded),
    "then_in_any_order, too few": lambda emptied: emptied.then_in_any_order(ItemRemoved("mug")),
    "then_in_any_order, too many": lambda emptied: emptied.then_in_any_order(
        ItemRemoved("mug"), ItemRemoved("tea"), ItemRemoved("tea")
    ),
    "then_in_any_order, twice the same": lambda emptied: emptied.then_in_any_order(
        ItemRemoved("tea"), ItemRemoved("tea")
    ),
    "then_containing, twice the same": lambda emptied: emptied.then_containing(
        ItemRemoved("mug"), ItemRemoved("mug")
    ),
    "then_matching": lambda emptied: emptied.then_matching(lambda event: True, lambda event: False),
    "then_matching, too few": lambda emptied: emptied.then_matching(lambda event: True),
    "then_state_matching": lambda emptied: emptied.then_state_matching(
        lambda state: bool(state.quantities)
    ),
    "then_state_matching, a partial": lambda emptied: emptied.then_state_matching(
        partial(holds, "tea")
    ),
    "then_rejected": lambda emptied: emptied.then_rejected(NotInCart),
}


@pytest.fixture
def emptied() -> CartOutcome:
    """Return the outcome of a command that removes tea, then a mug."""
    return spec(cart).given(ItemAdded(TEA), ItemAdded(MUG)).when(empty())


@pytest.mark.parametrize("word", HOLDS)
def test_a_passed_check_returns_the_outcome(word: str, emptied: CartOutcome) -> None:
    assert emptied == HOLDS[word](emptied)


@pytest.mark.parametrize("word", FAILS)
def test_a_failed_check_raises(word: str, emptied: CartOutcome) -> None:
    with pytest.raises(AssertionError):
        FAILS[word](emptied)


@pytest.mark.parametrize("word", [*HOLDS, *FAILS])
def test_a_refusal_fails_every_check_of_events_and_keeps_the_state(word: str) -> None:
    if "state" in word:
        return
    refused = spec(cart).when(remove("tea"))
    if word == "then_rejected":
        refused.then_rejected(NotInCart)
        return
    with pytest.raises(AssertionError, match="refused instead of accepted"):
        {**HOLDS, **FAILS}[word](refused)


def test_the_predicate_gets_the_refusal() -> None:
    refused = spec(cart).when(add(Item("tea", -1)))
    refused.then_rejected(InvalidQuantity, where=lambda refusal: "-1" in refusal.args[0])
    with pytest.raises(AssertionError):
        refused.then_rejected(InvalidQuantity, where=lambda refusal: "-2" in refusal.args[0])


def test_fields_accept_matchers() -> None:
    added = spec(cart).when(add(TEA))
    added.then(like(ItemAdded, item=like(Item, quantity=IsPositiveInt)))
    added.then(like(ItemAdded, item=has_property("sku", "tea")))
    added.then(like(ItemAdded, item=lambda item: item.quantity == 2))
    with pytest.raises(AssertionError):
        added.then(like(ItemAdded, item=has_property("sku", "mug")))


def test_several_commands_share_one_outcome() -> None:
    outcome = spec(cart).when(add(TEA), add(MUG), remove("tea"))
    outcome.then(ItemAdded(TEA), ItemAdded(MUG), ItemRemoved("tea"))
    outcome.and_when(empty()).then(ItemRemoved("mug"))


def test_a_refusal_ends_the_when() -> None:
    outcome = spec(cart).when(add(TEA), remove("mug"), add(MUG))
    outcome.then_rejected(NotInCart).then_state(Cart({"tea": 2}))


def test_when_repeated_handles_the_command_several_times() -> None:
    given = spec(cart).given(ItemAdded(TEA))
    given.when_repeated(3, empty()).then(ItemRemoved("tea"))


@pytest.mark.parametrize(
    "outcome", [lambda: spec(cart).when(), lambda: spec(cart).when_repeated(0, empty())]
)
def test_a_when_without_a_command_raises(outcome: Callable[[], object]) -> None:
    with pytest.raises(TypeError, match="when takes at least one command"):
        outcome()


def test_then_only_without_a_type_suggests_then_nothing() -> None:
    with pytest.raises(TypeError, match="then_nothing expects no event"):
        spec(cart).when(empty()).then_only()


def test_when_called_takes_events_or_a_refusal() -> None:
    def tidy(state: Cart) -> list[CartEvent]:
        if not state.quantities:
            raise NotInCart("nothing to tidy")
        return [ItemRemoved(sku) for sku in sorted(state.quantities)]

    given = spec(cart).given(ItemAdded(TEA), ItemAdded(MUG))
    given.when_called(tidy).then(ItemRemoved("mug"), ItemRemoved("tea")).then_state(Cart())
    spec(cart).when_called(tidy).then_rejected(NotInCart, match="nothing to tidy")


def test_when_called_names_a_value_that_is_not_an_event() -> None:
    nonsense: Any = lambda state: ["tea"]  # noqa: E731
    with pytest.raises(TypeError, match="when_called: 'tea' of class str is not an event of Cart"):
        spec(cart).when_called(nonsense)


def test_events_commands_stored_data_and_a_state_can_be_given_together() -> None:
    (
        spec(cart)
        .given_state(Cart({"pot": 1}))
        .given(ItemAdded(TEA))
        .given_commands(add(MUG), remove("tea"))
        .given_stored(EventData("ItemAdded", {"item": {"sku": "cup", "quantity": 4}}))
        .when(remove("pot"))
        .then_state(Cart({"mug": 1, "cup": 4}))
    )


def test_unreadable_stored_events_raise_codec_errors() -> None:
    read = spec(cart).when_stored(
        EventData("ItemAdded", {"item": {"sku": "cup", "quantity": 4}}),
        EventData("ItemRemoved", {"sku": "cup"}),
    )
    read.then(ItemAdded(Item("cup", 4)), ItemRemoved("cup")).then_state(Cart())
    for use in (spec(cart).when_stored, spec(cart).given_stored):
        with pytest.raises(CodecError, match=r"ItemRemoved\.sku"):
            use(EventData("ItemRemoved", {}))


def test_an_outcome_has_events_refusal_and_state(emptied: CartOutcome) -> None:
    assert (ItemRemoved("tea"), ItemRemoved("mug")) == emptied.events
    assert Cart() == emptied.state
    assert emptied.refusal is None
    assert isinstance(spec(cart).when(remove("x")).refusal, NotInCart)


def test_a_then_before_a_when_suggests_when() -> None:
    given: Any = spec(cart).given(ItemAdded(TEA))
    with pytest.raises(AttributeError, match=r"call \.when\(\.\.\.\) first"):
        given.then(ItemAdded(TEA))
    with pytest.raises(AttributeError, match=r"has no 'gvien'$"):
        given.gvien(ItemAdded(TEA))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: like(str, sku="x"), "like: <class 'str'> is not an attrs class"),
        (lambda: like(Item, size=1), "like: Item has no field 'size'; it has sku, quantity"),
    ],
)
def test_like_refuses_unknown_fields_and_classes(make: Callable[[], object], message: str) -> None:
    with pytest.raises(TypeError) as caught:
        make()
    assert message == str(caught.value)


def test_like_of_a_foreign_class_raises() -> None:
    command: Any = like(AddItems, items=())
    with pytest.raises(TypeError, match="AddItems is not an event of Cart"):
        spec(cart).when(empty()).then(command)


def test_like_tells_equal_numbers_of_different_types_apart() -> None:
    added = spec(cart).when(add(TEA))
    quantity: Any = 2.0
    with pytest.raises(AssertionError, match="only the type differs: expected float, actual int"):
        added.then(ItemAdded(Item("tea", quantity)))
    one: Any = True
    with pytest.raises(AssertionError, match="only the type differs: expected bool, actual int"):
        spec(cart).when(add(MUG)).then(like(ItemAdded, item=like(Item, quantity=one)))


MISTAKES: dict[str, Callable[[CartOutcome], object]] = {
    "a field 'skuu'; they have sku": lambda emptied: emptied.then(
        ItemRemoved("x"), ItemRemoved("y"), ignoring={"sku", "skuu"}
    ),
    "a field 'item'; they have sku": lambda emptied: emptied.then_in_any_order(
        ItemRemoved("x"), ItemRemoved("y"), ignoring={"item"}
    ),
    "a field 'items'; they have sku": lambda emptied: emptied.then_containing(
        like(ItemRemoved), ignoring={"items"}
    ),
    "a field 'quantity'; they have quantities": lambda emptied: emptied.then_state(
        Cart(), ignoring={"quantity"}
    ),
    "ignoring takes a collection of names: ignoring={'sku'}": lambda emptied: emptied.then(
        ItemRemoved("x"), ItemRemoved("y"), ignoring="sku"
    ),
    "then_containing takes at least one event": lambda emptied: emptied.then_containing(),
    "then_only takes event types": lambda emptied: emptied.then_only(ItemRemoved("x")),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    "then_rejected takes a class of refusals": lambda emptied: emptied.then_rejected(
        NotInCart()  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ),
}


@pytest.mark.parametrize("text", MISTAKES)
def test_an_invalid_expectation_raises_type_error(text: str, emptied: CartOutcome) -> None:
    with pytest.raises(TypeError, match=re.escape(text)):
        MISTAKES[text](emptied)


def test_invalid_arguments_raise_type_error() -> None:
    with pytest.raises(TypeError, match="when_stored takes at least one stored event"):
        spec(cart).when_stored()
    nothing: Any = lambda state: None  # noqa: E731
    with pytest.raises(TypeError, match=r"when_called: .* returned NoneType"):
        spec(cart).when_called(nothing)
    decide: Any = cart.decide
    with pytest.raises(TypeError, match="spec takes an Aggregate, a Decision, a Transaction, "):
        spec(decide)


def test_like_takes_the_names_of_constructor_arguments() -> None:
    assert matches(like(Hidden, secret=1), Hidden(secret=1))
    assert not matches(like(Hidden, _secret=2), Hidden(secret=1))
    assert matches(like(Box[int], value=1), Box(1))
