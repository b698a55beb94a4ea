"""Every check of a scenario that a spec also has, passed and failed."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import attrs
import pytest
from hamcrest import has_property

from eventhus.errors import InvalidArgument
from eventhus_testing import AppScenario, like, memory_application, scenario
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

Then = Callable[[AppScenario], Coroutine[Any, Any, None]]

HOLDS: dict[str, Then] = {
    "then_only": lambda shop: shop.then_only(ItemRemoved),
    "then_only, one of two": lambda shop: shop.then_only(ItemAdded, ItemRemoved),
    "then_in_any_order": lambda shop: shop.then_in_any_order(
        ItemRemoved("mug"), ItemRemoved("tea")
    ),
    "then_in_any_order, the open one first": lambda shop: shop.then_in_any_order(
        like(ItemRemoved), ItemRemoved("tea")
    ),
    "then_in_any_order ignoring": lambda shop: shop.then_in_any_order(
        ItemRemoved("x"), ItemRemoved("y"), ignoring={"sku"}
    ),
    "then_containing": lambda shop: shop.then_containing(ItemRemoved("mug")),
    "then_containing ignoring": lambda shop: shop.then_containing(
        ItemRemoved("x"), ignoring={"sku"}
    ),
    "then_matching": lambda shop: shop.then_matching(
        lambda event: event.sku == "tea", has_property("sku", "mug")
    ),
    "then_matching an event": lambda shop: shop.then_matching(
        ItemRemoved("tea"), ItemRemoved("mug")
    ),
    "then_state_matching": lambda shop: shop.then_state_matching(
        cart, "c1", lambda state: not state.quantities
    ),
    "then_state_matching a matcher": lambda shop: shop.then_state_matching(
        cart, "c1", has_property("quantities", {})
    ),
    "then_state_matching another aggregate": lambda shop: shop.then_state_matching(
        cart, "c2", lambda state: state == Cart({"pot": 1})
    ),
}
FAILS: dict[str, Then] = {
    "then_only": lambda shop: shop.then_only(ItemAdded),
    "then_in_any_order, too few": lambda shop: shop.then_in_any_order(ItemRemoved("mug")),
    "then_in_any_order, too many": lambda shop: shop.then_in_any_order(
        ItemRemoved("mug"), ItemRemoved("tea"), ItemRemoved("tea")
    ),
    "then_containing": lambda shop: shop.then_containing(ItemRemoved("pot")),
    "then_containing, twice the same": lambda shop: shop.then_containing(
        ItemRemoved("mug"), ItemRemoved("mug")
    ),
    "then_matching": lambda shop: shop.then_matching(lambda event: True, lambda event: False),
    "then_matching, too few": lambda shop: shop.then_matching(lambda event: True),
    "then_matching, another order": lambda shop: shop.then_matching(
        ItemRemoved("mug"), ItemRemoved("tea")
    ),
    "then_state_matching": lambda shop: shop.then_state_matching(
        cart, "c1", lambda state: bool(state.quantities)
    ),
    "then_state_matching another aggregate": lambda shop: shop.then_state_matching(
        cart, "c2", lambda state: not state.quantities
    ),
    "then_rejected": lambda shop: shop.then_rejected(NotInCart, where=lambda refusal: True),
}


@pytest.fixture
async def shop() -> AsyncIterator[AppScenario]:
    """Yield a scenario with tea and a mug in one cart and a pot in another."""
    async with scenario(memory_application(cart, bucket="shop")) as shop:
        await shop.given(cart, "c1", ItemAdded(TEA), ItemAdded(MUG))
        await shop.given(cart, "c2", ItemAdded(Item("pot", 1)))
        yield shop


@pytest.mark.parametrize("word", HOLDS)
async def test_a_passed_check_marks_the_when_as_checked(word: str, shop: AppScenario) -> None:
    await shop.when(empty())
    await HOLDS[word](shop)
    await shop.when(add(TEA))
    await shop.then_only(ItemAdded)


@pytest.mark.parametrize("word", FAILS)
async def test_a_failed_check_raises(word: str, shop: AppScenario) -> None:
    await shop.when(empty())
    with pytest.raises(AssertionError, match=r"^shop: Empty "):
        await FAILS[word](shop)


@pytest.mark.parametrize("word", [word for word in [*HOLDS, *FAILS] if "state" not in word])
async def test_a_refusal_fails_every_check_of_events_and_is_the_cause(
    word: str, shop: AppScenario
) -> None:
    await shop.when(remove("cup"))
    if word == "then_rejected":
        await FAILS[word](shop)
        return
    with pytest.raises(AssertionError, match="refused instead of accepted") as failure:
        await {**HOLDS, **FAILS}[word](shop)
    assert isinstance(failure.value.__cause__, NotInCart)


@pytest.mark.parametrize("word", [*HOLDS, *FAILS])
async def test_a_check_before_a_when_raises(word: str, shop: AppScenario) -> None:
    with pytest.raises(TypeError, match=r"^then_\w+ checks the outcome of a when"):
        await {**HOLDS, **FAILS}[word](shop)


async def test_the_predicate_gets_the_refusal_after_the_message_matched(shop: AppScenario) -> None:
    await shop.when(add(Item("tea", -1)))
    await shop.then_rejected(InvalidQuantity, where=lambda refusal: "-1" in refusal.args[0])
    with pytest.raises(AssertionError, match="does not satisfy the predicate"):
        await shop.then_rejected(InvalidQuantity, where=lambda refusal: "-2" in refusal.args[0])
    with pytest.raises(AssertionError, match="with another message than expected"):
        await shop.then_rejected(InvalidQuantity, match="-2", where=lambda refusal: True)


async def test_checks_see_the_events_of_all_aggregates(shop: AppScenario) -> None:
    other = add(TEA, MUG)
    await shop.when(empty(), other)
    await shop.then_in_any_order(
        ItemAdded(MUG), ItemAdded(TEA), ItemRemoved("mug"), ItemRemoved("tea")
    )
    await shop.then_containing(ItemAdded(MUG), ItemRemoved("tea"))


async def test_reading_the_outcome_counts_as_a_check(shop: AppScenario) -> None:
    await shop.when(empty())
    assert ("tea", "mug") == tuple(event.sku for event in shop.events)
    await shop.when(add(MUG), remove("tea"))
    assert isinstance(shop.refusal, NotInCart)
    assert (ItemAdded(MUG),) == shop.events
    await shop.when(remove("mug"))
    assert shop.refusal is None


async def test_reading_the_outcome_before_a_when_raises(shop: AppScenario) -> None:
    with pytest.raises(TypeError, match=r"^events checks the outcome of a when"):
        _ = shop.events
    with pytest.raises(TypeError, match=r"^refusal checks the outcome of a when"):
        _ = shop.refusal


MISTAKES: dict[str, Then] = {
    "a field 'item'; they have sku": lambda shop: shop.then_in_any_order(
        ItemRemoved("x"), ItemRemoved("y"), ignoring={"item"}
    ),
    "a field 'quantity'; they have quantities": lambda shop: shop.then_state(
        cart, "c1", Cart(), ignoring={"quantity"}
    ),
    "ignoring takes a collection of names: ignoring={'sku'}": lambda shop: shop.then_in_any_order(
        ItemRemoved("x"), ItemRemoved("y"), ignoring="sku"
    ),
    "then_in_any_order: Item(sku='tea', quantity=2) of class": (
        lambda shop: shop.then_in_any_order(TEA)
    ),
    "then_containing: Item(sku='tea', quantity=2) of class": lambda shop: shop.then_containing(TEA),
    "then_containing takes at least one event": lambda shop: shop.then_containing(),
    "then_only takes at least one type": lambda shop: shop.then_only(),
    "then_only takes event types": lambda shop: shop.then_only(ItemRemoved("x")),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    "then_rejected takes a class of refusals": lambda shop: shop.then_rejected(
        NotInCart()  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ),
}


@pytest.mark.parametrize("text", MISTAKES)
async def test_an_invalid_expectation_raises_type_error(text: str, shop: AppScenario) -> None:
    await shop.when(empty())
    with pytest.raises(TypeError, match=re.escape(text)):
        await MISTAKES[text](shop)


async def test_the_state_of_a_foreign_aggregate_is_refused(shop: AppScenario) -> None:
    stranger = attrs.evolve(cart, name="Stranger")
    await shop.when(empty())
    with pytest.raises(InvalidArgument):
        await shop.then_state_matching(stranger, "c1", lambda state: True)
