"""Tests of predicates and matchers that answer with something other than a truth value."""

from __future__ import annotations

import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from unittest.mock import AsyncMock, Mock

import pytest

from eventhus_testing import like, memory_application, scenario, spec
from eventhus_testing.values.truth import is_true
from tests.testing.cart import TEA, InvalidQuantity, Item, ItemAdded, add, cart
from tests.testing.specs.test_folds import Line, lines


async def never(_: object) -> bool:
    return False


def never_yielded(_: object) -> Iterator[bool]:
    yield False


async def never_awaited(_: object) -> AsyncIterator[bool]:
    yield False


class NumpyArray:
    def __bool__(self) -> bool:
        raise ValueError("the truth value of an array is ambiguous")


class EqualsLater:
    """A matcher in the style of dirty-equals that answers with a coroutine."""

    async def __eq__(self, other: object) -> bool:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        return False

    __hash__ = None  # type: ignore[assignment]


class MatchesLater:
    """A matcher in the style of PyHamcrest that answers with a coroutine."""

    async def matches(self, _: object) -> bool:
        return False

    def describe_to(self, description: Any) -> None:
        """Describe nothing."""


PREDICATES: list[Any] = [
    never,
    never_yielded,
    never_awaited,
    Mock(),
    AsyncMock(),
    lambda _: None,
    lambda _: NotImplemented,
    lambda _: NumpyArray(),
    lambda _: 1,
    lambda _: "",
]

added = spec(cart).given(ItemAdded(TEA))

MATCHER_WORDS: dict[str, Callable[[Any], object]] = {
    "then": lambda expected: added.when(add(TEA)).then(like(ItemAdded, item=expected)),
    "then nested": lambda expected: added.when(add(TEA)).then(
        like(ItemAdded, item=Item("tea", expected))
    ),
    "then_matching": lambda expected: added.when(add(TEA)).then_matching(expected),
    "then_matching a list": lambda expected: added.when(add(TEA)).then_matching(
        ItemAdded(Item(expected, 2))
    ),
    "then_in_any_order": lambda expected: added.when(add(TEA)).then_in_any_order(
        like(ItemAdded, item=expected)
    ),
    "then_containing": lambda expected: added.when(add(TEA)).then_containing(
        like(ItemAdded, item=expected)
    ),
    "then_state_matching": lambda expected: added.when(add(TEA)).then_state_matching(expected),
    "then_view": lambda expected: (
        spec(lines).given("c1", ItemAdded(TEA)).then_view("tea", like(Line, quantity=expected))
    ),
}


@pytest.fixture(autouse=True)
def no_coroutine_left_unawaited() -> Iterator[None]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    assert caught == []


@pytest.mark.parametrize("word", MATCHER_WORDS)
@pytest.mark.parametrize("predicate", PREDICATES)
def test_a_predicate_without_a_truth_value_is_refused(predicate: Any, word: str) -> None:
    with pytest.raises(TypeError, match="must return True or False"):
        MATCHER_WORDS[word](predicate)


@pytest.mark.parametrize("word", MATCHER_WORDS)
@pytest.mark.parametrize("matcher", [MatchesLater(), EqualsLater()])
def test_a_matcher_that_was_never_awaited_is_refused(matcher: Any, word: str) -> None:
    with pytest.raises(TypeError, match=r"returned a coroutine, which was never awaited"):
        MATCHER_WORDS[word](matcher)


@pytest.mark.parametrize("predicate", PREDICATES)
def test_a_where_without_a_truth_value_is_refused(predicate: Any) -> None:
    refused = spec(cart).when(add(Item("tea", -1)))
    with pytest.raises(TypeError, match="must return True or False"):
        refused.then_rejected(InvalidQuantity, where=predicate)


@pytest.mark.parametrize("predicate", PREDICATES)
async def test_a_scenario_refuses_predicates_without_a_truth_value(predicate: Any) -> None:
    async with scenario(memory_application(cart)) as shop:
        await shop.when(add(TEA))
        with pytest.raises(TypeError, match="must return True or False"):
            await shop.then_matching(predicate)
        with pytest.raises(TypeError, match="must return True or False"):
            await shop.then_state_matching(cart, "c1", predicate)
        await shop.when(add(Item("tea", -1)))
        with pytest.raises(TypeError, match="must return True or False"):
            await shop.then_rejected(InvalidQuantity, where=predicate)


@pytest.mark.parametrize(
    ("name", "answer"), [("bool", True), ("bool", False), ("bool_", True), ("bool_", False)]
)
def test_numpy_bools_are_truth_values(name: str, answer: bool) -> None:
    numpy_bool: Any = type(name, (), {"__module__": "numpy", "__bool__": lambda _: answer})
    assert is_true(numpy_bool(), "it") is answer


def test_the_message_names_the_predicate_and_its_answer() -> None:
    with pytest.raises(TypeError) as caught:
        spec(cart).when(add(TEA)).then_matching(never)
    assert str(caught.value) == (
        "never returned a coroutine, which was never awaited; it must return True or False"
    )


def test_values_whose_equality_is_an_array_are_refused_by_name() -> None:
    class Array:
        def __eq__(self, other: object) -> Any:
            return NumpyArray()

        __hash__ = None  # type: ignore[assignment]

    with pytest.raises(TypeError, match=r"Array\.__eq__ returned"):
        spec(cart).when(add(TEA)).then(ItemAdded(Array()))  # type: ignore[arg-type]
