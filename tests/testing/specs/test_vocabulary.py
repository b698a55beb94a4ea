"""What each word of a spec accepts, and what it does not."""

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
    "then ignoring another": lambda emptied: emptied.then(
        ItemRemoved("x"), ItemRemoved("y"), ignoring={"item"}
    ),
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
    """Tea and mug, in this order, are taken out."""
    return spec(cart).given(ItemAdded(TEA), ItemAdded(MUG)).when(empty())


@pytest.mark.parametrize("word", HOLDS)
def test_what_holds(word: str, emptied: CartOutcome) -> None:
    """And the outcome can be checked further."""
    assert emptied == HOLDS[word](emptied)


@pytest.mark.parametrize("word", FAILS)
def test_what_does_not_hold(word: str, emptied: CartOutcome) -> None:
    """The test fails."""
    with pytest.raises(AssertionError):
        FAILS[word](emptied)


@pytest.mark.parametrize("word", [*HOLDS, *FAILS])
def test_a_refusal_is_no_event(word: str) -> None:
    """Whatever is expected of events, a refusal is not it; the state is as it was."""
    if "state" in word:
        return
    refused = spec(cart).when(remove("tea"))
    if word == "then_rejected":
        refused.then_rejected(NotInCart)
        return
    with pytest.raises(AssertionError, match="refused instead of accepted"):
        {**HOLDS, **FAILS}[word](refused)


def test_a_refusal_may_be_looked_at_closely() -> None:
    """The predicate is given the refusal in its own class."""
    refused = spec(cart).when(add(Item("tea", -1)))
    refused.then_rejected(InvalidQuantity, where=lambda refusal: "-1" in refusal.args[0])
    with pytest.raises(AssertionError):
        refused.then_rejected(InvalidQuantity, where=lambda refusal: "-2" in refusal.args[0])


def test_matchers_stand_in_fields() -> None:
    """Those that compare, and those that describe."""
    added = spec(cart).when(add(TEA))
    added.then(like(ItemAdded, item=like(Item, quantity=IsPositiveInt)))
    added.then(like(ItemAdded, item=has_property("sku", "tea")))
    added.then(like(ItemAdded, item=lambda item: item.quantity == 2))
    with pytest.raises(AssertionError):
        added.then(like(ItemAdded, item=has_property("sku", "mug")))


def test_several_commands_are_one_outcome() -> None:
    """All that they made happen, in order; the next outcome has its own."""
    outcome = spec(cart).when(add(TEA), add(MUG), remove("tea"))
    outcome.then(ItemAdded(TEA), ItemAdded(MUG), ItemRemoved("tea"))
    outcome.and_when(empty()).then(ItemRemoved("mug"))


def test_a_refused_command_ends_the_row() -> None:
    """What stands behind it is not carried out."""
    outcome = spec(cart).when(add(TEA), remove("mug"), add(MUG))
    outcome.then_rejected(NotInCart).then_state(Cart({"tea": 2}))


def test_a_command_repeated() -> None:
    """Taking everything out again does nothing."""
    given = spec(cart).given(ItemAdded(TEA))
    given.when_repeated(3, empty()).then(ItemRemoved("tea"))


@pytest.mark.parametrize(
    "outcome", [lambda: spec(cart).when(), lambda: spec(cart).when_repeated(0, empty())]
)
def test_nothing_cannot_be_done(outcome: Callable[[], object]) -> None:
    """A ``when`` without a command is a mistake."""
    with pytest.raises(TypeError, match="when takes at least one command"):
        outcome()


def test_then_only_without_a_type() -> None:
    """Says what expects nothing."""
    with pytest.raises(TypeError, match="then_nothing expects no event"):
        spec(cart).when(empty()).then_only()


def test_a_function_of_the_domain() -> None:
    """Its events are the outcome, or its refusal."""

    def tidy(state: Cart) -> list[CartEvent]:
        if not state.quantities:
            raise NotInCart("nothing to tidy")
        return [ItemRemoved(sku) for sku in sorted(state.quantities)]

    given = spec(cart).given(ItemAdded(TEA), ItemAdded(MUG))
    given.when_called(tidy).then(ItemRemoved("mug"), ItemRemoved("tea")).then_state(Cart())
    spec(cart).when_called(tidy).then_rejected(NotInCart, match="nothing to tidy")


def test_a_function_that_gives_something_else() -> None:
    """What is no event is named."""
    nonsense: Any = lambda state: ["tea"]  # noqa: E731
    with pytest.raises(TypeError, match="when_called: 'tea' of class str is not an event of Cart"):
        spec(cart).when_called(nonsense)


def test_history_may_be_given_in_any_form() -> None:
    """Events, commands, stored data and a state, one behind the other."""
    (
        spec(cart)
        .given_state(Cart({"pot": 1}))
        .given(ItemAdded(TEA))
        .given_commands(add(MUG), remove("tea"))
        .given_stored(EventData("ItemAdded", {"item": {"sku": "cup", "quantity": 4}}))
        .when(remove("pot"))
        .then_state(Cart({"mug": 1, "cup": 4}))
    )


def test_stored_events_are_read_as_they_are() -> None:
    """What cannot be read is the codec's error, not an outcome."""
    read = spec(cart).when_stored(
        EventData("ItemAdded", {"item": {"sku": "cup", "quantity": 4}}),
        EventData("ItemRemoved", {"sku": "cup"}),
    )
    read.then(ItemAdded(Item("cup", 4)), ItemRemoved("cup")).then_state(Cart())
    for use in (spec(cart).when_stored, spec(cart).given_stored):
        with pytest.raises(CodecError, match=r"ItemRemoved\.sku"):
            use(EventData("ItemRemoved", {}))


def test_an_outcome_can_be_read(emptied: CartOutcome) -> None:
    """For checks that no word is made for."""
    assert (ItemRemoved("tea"), ItemRemoved("mug")) == emptied.events
    assert Cart() == emptied.state
    assert emptied.refusal is None
    assert isinstance(spec(cart).when(remove("x")).refusal, NotInCart)


def test_a_then_without_a_when() -> None:
    """The message says what is missing."""
    given: Any = spec(cart).given(ItemAdded(TEA))
    with pytest.raises(AttributeError, match=r"nothing has been done yet: put \.when"):
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
def test_a_part_of_nothing(make: Callable[[], object], message: str) -> None:
    """A misspelt field is found at once."""
    with pytest.raises(TypeError) as caught:
        make()
    assert message == str(caught.value)


def test_a_part_of_another_class_is_a_mistake() -> None:
    """It could never come."""
    command: Any = like(AddItems, items=())
    with pytest.raises(TypeError, match="AddItems is not an event of Cart"):
        spec(cart).when(empty()).then(command)


def test_the_type_of_a_part_counts() -> None:
    """Though 2, 2.0 and True may be equal to Python."""
    added = spec(cart).when(add(TEA))
    quantity: Any = 2.0
    with pytest.raises(AssertionError, match="only the type differs: expected float, actual int"):
        added.then(ItemAdded(Item("tea", quantity)))
    one: Any = True
    with pytest.raises(AssertionError, match="only the type differs: expected bool, actual int"):
        spec(cart).when(add(MUG)).then(like(ItemAdded, item=like(Item, quantity=one)))


MISTAKES: dict[str, Callable[[CartOutcome], object]] = {
    "ignoring takes a collection of names: ignoring={'sku'}": lambda emptied: emptied.then(
        ItemRemoved("x"), ItemRemoved("y"), ignoring="sku"
    ),
    "then_containing takes at least one event": lambda emptied: emptied.then_containing(),
    "then_only takes types of events": lambda emptied: emptied.then_only(ItemRemoved("x")),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    "then_rejected takes the class of a refusal": lambda emptied: emptied.then_rejected(
        NotInCart()  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ),
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistaken_expectation(text: str, emptied: CartOutcome) -> None:
    """Is told from one that does not hold."""
    with pytest.raises(TypeError, match=re.escape(text)):
        MISTAKES[text](emptied)


def test_what_cannot_be_done() -> None:
    """Says so at once."""
    with pytest.raises(TypeError, match="when_stored takes at least one stored event"):
        spec(cart).when_stored()
    nothing: Any = lambda state: None  # noqa: E731
    with pytest.raises(TypeError, match="when_called: the function returned NoneType"):
        spec(cart).when_called(nothing)
    decide: Any = cart.decide
    with pytest.raises(TypeError, match="spec takes an Aggregate, a View or a Process"):
        spec(decide)


def test_a_part_by_the_name_of_the_argument() -> None:
    """As it is written where the value is made."""
    assert matches(like(Hidden, secret=1), Hidden(secret=1))
    assert not matches(like(Hidden, _secret=2), Hidden(secret=1))
    assert matches(like(Box[int], value=1), Box(1))
