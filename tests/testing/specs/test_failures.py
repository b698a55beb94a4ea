"""Failure texts of specs, each in full."""

from collections.abc import Callable
from textwrap import dedent

import pytest

from eventhus import Rejected
from eventhus_testing import spec
from tests.testing import cart as module
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

TEA_AND_MUG = spec(cart).given(ItemAdded(TEA), ItemAdded(MUG))


def shows(text: str, check: Callable[[], object]) -> None:
    """Assert that a check fails with exactly this text, which is indented for reading."""
    with pytest.raises(AssertionError) as failure:
        check()
    assert dedent(text).strip() == str(failure.value)


def test_the_differing_field_is_named() -> None:
    shows(
        """
        Cart: AddItems produced other events than expected (- expected, + actual)

        given    ItemAdded(item=Item(sku='mug', quantity=1))
        state    Cart(quantities={'mug': 1})
        when     AddItems(aggregate_id='c1', items=(Item(sku='tea', quantity=2),))
        then   - ItemAdded(item=Item(sku='tea', quantity=3))
               + ItemAdded(item=Item(sku='tea', quantity=2))
               ? item.quantity: expected 3, actual 2
        """,
        lambda: spec(cart).given(ItemAdded(MUG)).when(add(TEA)).then(ItemAdded(Item("tea", 3))),
    )


def test_equal_texts_of_different_types_are_told_apart() -> None:
    shows(
        """
        Cart: RemoveItem produced other events than expected (- expected, + actual)

        given    ItemAdded(item=Item(sku='7', quantity=1))
        state    Cart(quantities={'7': 1})
        when     RemoveItem(aggregate_id='c1', sku='7')
        then   - ItemRemoved(sku=7)
               + ItemRemoved(sku='7')
               ? sku: expected 7, actual '7' (only the type differs: expected int, actual str)
        """,
        lambda: (
            spec(cart).given(ItemAdded(Item("7", 1))).when(remove("7")).then(ItemRemoved(7))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        ),
    )


def test_a_common_start_and_end_stay_unmarked() -> None:
    shows(
        """
        Cart: Empty produced other events than expected (- expected, + actual)

        given    ItemAdded(item=Item(sku='tea', quantity=2))
                 ItemAdded(item=Item(sku='mug', quantity=1))
                 ItemAdded(item=Item(sku='pot', quantity=1))
        state    Cart(quantities={'tea': 2, 'mug': 1, 'pot': 1})
        when     Empty(aggregate_id='c1')
        then     ItemRemoved(sku='tea')
               - ItemAdded(item=Item(sku='mug', quantity=1))
               + ItemRemoved(sku='mug')
                 ItemRemoved(sku='pot')
        """,
        lambda: (
            TEA_AND_MUG.given(ItemAdded(Item("pot", 1)))
            .when(empty())
            .then(ItemRemoved("tea"), ItemAdded(MUG), ItemRemoved("pot"))
        ),
    )


def test_an_unexpected_event_is_marked_alone() -> None:
    shows(
        """
        Cart: Empty produced other events than expected (- expected, + actual)

        given    ItemAdded(item=Item(sku='tea', quantity=2))
                 ItemAdded(item=Item(sku='mug', quantity=1))
        state    Cart(quantities={'tea': 2, 'mug': 1})
        when     Empty(aggregate_id='c1')
        then   + ItemRemoved(sku='tea')
                 ItemRemoved(sku='mug')
        """,
        lambda: TEA_AND_MUG.when(empty()).then(ItemRemoved("mug")),
    )


def test_a_missing_event_is_marked_alone() -> None:
    shows(
        """
        Cart: RemoveItem produced other events than expected (- expected, + actual)

        given    ItemAdded(item=Item(sku='tea', quantity=2))
                 ItemAdded(item=Item(sku='mug', quantity=1))
        state    Cart(quantities={'tea': 2, 'mug': 1})
        when     RemoveItem(aggregate_id='c1', sku='mug')
        then   - ItemRemoved(sku='cup')
               + ItemRemoved(sku='mug')
               ? sku: expected 'cup', actual 'mug'
               - ItemRemoved(sku='tea')
        """,
        lambda: TEA_AND_MUG.when(remove("mug")).then(ItemRemoved("cup"), ItemRemoved("tea")),
    )


def test_a_wrong_order_is_named_as_such() -> None:
    shows(
        """
        Cart: Empty produced other events than expected (- expected, + actual)

        given    ItemAdded(item=Item(sku='tea', quantity=2))
                 ItemAdded(item=Item(sku='mug', quantity=1))
        state    Cart(quantities={'tea': 2, 'mug': 1})
        when     Empty(aggregate_id='c1')
        then   - ItemRemoved(sku='mug')
               + ItemRemoved(sku='tea')
               - ItemRemoved(sku='tea')
               + ItemRemoved(sku='mug')
               ? the same events in another order
        """,
        lambda: TEA_AND_MUG.when(empty()).then(ItemRemoved("mug"), ItemRemoved("tea")),
    )


def test_a_repeated_event_is_not_reported_as_another_order() -> None:
    shows(
        """
        Cart: Empty produced other events than expected (- expected, + actual)

        given    ItemAdded(item=Item(sku='tea', quantity=2))
                 ItemAdded(item=Item(sku='mug', quantity=1))
        state    Cart(quantities={'tea': 2, 'mug': 1})
        when     Empty(aggregate_id='c1')
        then   - ItemRemoved(sku='mug')
               + ItemRemoved(sku='tea')
               ? sku: expected 'mug', actual 'tea'
                 ItemRemoved(sku='mug')
        """,
        lambda: TEA_AND_MUG.when(empty()).then(ItemRemoved("mug"), ItemRemoved("mug")),
    )


def test_expected_nothing_is_shown() -> None:
    shows(
        """
        Cart: RemoveItem produced other events than expected (- expected, + actual)

        given    ItemAdded(item=Item(sku='tea', quantity=2))
                 ItemAdded(item=Item(sku='mug', quantity=1))
        state    Cart(quantities={'tea': 2, 'mug': 1})
        when     RemoveItem(aggregate_id='c1', sku='mug')
        then   - nothing
               + ItemRemoved(sku='mug')
        """,
        lambda: TEA_AND_MUG.when(remove("mug")).then_nothing(),
    )


def test_actual_nothing_is_shown() -> None:
    shows(
        """
        Cart: Empty produced other events than expected (- expected, + actual)

        given    nothing
        state    Cart(quantities={})
        when     Empty(aggregate_id='c1')
        then   - ItemRemoved(sku='tea')
               - ItemRemoved(sku='mug')
               + nothing
        """,
        lambda: spec(cart).when(empty()).then(ItemRemoved("tea"), ItemRemoved("mug")),
    )


def test_an_unexpected_refusal_shows_its_class_and_message() -> None:
    shows(
        """
        Cart: AddItems was refused instead of accepted (- expected, + actual)

        given    nothing
        state    Cart(quantities={})
        when     AddItems(aggregate_id='c1', items=(Item(sku='cup', quantity=0),))
        then   - ItemAdded(item=Item(sku='cup', quantity=0))
               + refused with InvalidQuantity: quantity 0 (of cup) is too low
        """,
        lambda: spec(cart).when(add(Item("cup", 0))).then(ItemAdded(Item("cup", 0))),
    )


def test_a_refusal_without_a_message_shows_its_class() -> None:
    shows(
        """
        Cart: RemoveItem was refused instead of accepted (- expected, + actual)

        given    nothing
        state    Cart(quantities={})
        when     RemoveItem(aggregate_id='c1', sku='cup')
        then   - nothing
               + refused with NotInCart
        """,
        lambda: spec(cart).when(remove("cup")).then_nothing(),
    )


def test_events_are_shown_instead_of_an_expected_refusal() -> None:
    shows(
        """
        Cart: Empty was accepted instead of refused (- expected, + actual)

        given    ItemAdded(item=Item(sku='tea', quantity=2))
                 ItemAdded(item=Item(sku='mug', quantity=1))
        state    Cart(quantities={'tea': 2, 'mug': 1})
        when     Empty(aggregate_id='c1')
        then   - refused with NotInCart
               + ItemRemoved(sku='tea')
               + ItemRemoved(sku='mug')
        """,
        lambda: TEA_AND_MUG.when(empty()).then_rejected(NotInCart),
    )


def test_both_reasons_of_a_refusal_are_shown() -> None:
    shows(
        """
        Cart: RemoveItem was refused for another reason than expected (- expected, + actual)

        given    nothing
        state    Cart(quantities={})
        when     RemoveItem(aggregate_id='c1', sku='cup')
        then   - refused with InvalidQuantity, matching 'too low'
               + refused with NotInCart
        """,
        lambda: spec(cart).when(remove("cup")).then_rejected(InvalidQuantity, match="too low"),
    )


def test_refusal_classes_of_the_same_name_are_told_apart() -> None:
    """A module that is imported twice defines such classes."""
    other = type("NotInCart", (Rejected,), {"__module__": "another.cart"})
    shows(
        f"""
        Cart: RemoveItem was refused for another reason than expected (- expected, + actual)

        given    nothing
        state    Cart(quantities={{}})
        when     RemoveItem(aggregate_id='c1', sku='cup')
        then   - refused with NotInCart
               + refused with NotInCart
               ? expected another.cart.NotInCart, actual {module.__name__}.NotInCart
        """,
        lambda: spec(cart).when(remove("cup")).then_rejected(other),
    )


def test_the_pattern_and_the_message_are_shown() -> None:
    shows(
        """
        Cart: AddItems was refused with another message than expected (- expected, + actual)

        given    nothing
        state    Cart(quantities={})
        when     AddItems(aggregate_id='c1', items=(Item(sku='cup', quantity=0),))
        then   - refused with InvalidQuantity, matching 'quantity 1'
               + refused with InvalidQuantity: quantity 0 (of cup) is too low
        """,
        lambda: (
            spec(cart).when(add(Item("cup", 0))).then_rejected(InvalidQuantity, match="quantity 1")
        ),
    )


def test_an_unescaped_pattern_gets_a_hint() -> None:
    shows(
        """
        Cart: AddItems was refused with another message than expected (- expected, + actual)

        given    nothing
        state    Cart(quantities={})
        when     AddItems(aggregate_id='c1', items=(Item(sku='cup', quantity=0),))
        then   - refused with InvalidQuantity, matching '(of cup) is'
               + refused with InvalidQuantity: quantity 0 (of cup) is too low
               ? the message contains the pattern as plain text; escape the pattern with re.escape
        """,
        lambda: (
            spec(cart).when(add(Item("cup", 0))).then_rejected(InvalidQuantity, match="(of cup) is")
        ),
    )


def test_a_wrong_state_shows_the_whole_story() -> None:
    shows(
        """
        Cart: AddItems led to another state than expected (- expected, + actual)

        given    ItemAdded(item=Item(sku='tea', quantity=2))
                 ItemAdded(item=Item(sku='mug', quantity=1))
        when     RemoveItem(aggregate_id='c1', sku='cup')
        then     refused with NotInCart
        when     Empty(aggregate_id='c1')
        then     ItemRemoved(sku='tea')
                 ItemRemoved(sku='mug')
        when     Empty(aggregate_id='c1')
        then     nothing
        state    Cart(quantities={})
        when     AddItems(aggregate_id='c1', items=(Item(sku='mug', quantity=1),))
        then     ItemAdded(item=Item(sku='mug', quantity=1))
        state  - Cart(quantities={'tea': 2, 'mug': 2})
               + Cart(quantities={'mug': 1})
               ? quantities['tea']: expected 2, actual nothing
               ? quantities['mug']: expected 2, actual 1
        """,
        lambda: (
            TEA_AND_MUG.when(remove("cup"))
            .and_when(empty())
            .and_when(empty())
            .and_when(add(MUG))
            .then_state(Cart({"tea": 2, "mug": 2}))
        ),
    )


def test_a_wrong_state_after_a_refusal_shows_the_refusal() -> None:
    shows(
        """
        Cart: RemoveItem led to another state than expected (- expected, + actual)

        given    nothing
        state    Cart(quantities={})
        when     RemoveItem(aggregate_id='c1', sku='cup')
        then     refused with NotInCart
        state  - Cart(quantities={'tea': 2})
               + Cart(quantities={})
               ? quantities['tea']: expected 2, actual nothing
        """,
        lambda: spec(cart).when(remove("cup")).then_state(Cart({"tea": 2})),
    )


def test_values_of_several_lines_stay_in_their_column() -> None:
    shows(
        """
        Cart: AddItems was accepted instead of refused (- expected, + actual)

        given    nothing
        state    Cart(quantities={})
        when     AddItems(aggregate_id='c1', items=())
        then   - refused with Two
                 Lines
               + nothing
        """,
        lambda: spec(cart).when(add()).then_rejected(type("Two\nLines", (Rejected,), {})),
    )
