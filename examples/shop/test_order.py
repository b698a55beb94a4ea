"""Orders by example."""

from decimal import Decimal

import attrs
import pytest

from eventhus import Rejected
from eventhus_testing import check_aggregate, spec
from examples.shop.order import (
    AddressChanged,
    AlreadyCancelled,
    AlreadyShipped,
    CancelOrder,
    ChangeAddress,
    DuplicateLine,
    OrderCancelled,
    OrderCommand,
    OrderEvent,
    OrderExists,
    OrderNotFound,
    OrderShipped,
    PlaceOrder,
    ShipOrder,
    order,
)
from examples.shop.samples import HOME, PLACE, PLACED, POT, TEA, TOTAL, WORK
from examples.shop.values import Line, total_of

SHIP = ShipOrder(aggregate_id="o1")
CANCEL = CancelOrder(aggregate_id="o1", reason="changed my mind")
MOVE = ChangeAddress(aggregate_id="o1", ship_to=WORK)


def test_an_order_is_placed_once() -> None:
    spec(order).when(PLACE).then(PLACED).and_when(PLACE).then_rejected(OrderExists)


def test_an_order_costs_the_sum_of_its_lines() -> None:
    assert TOTAL == total_of(PLACED.lines)


def test_a_product_is_on_one_line() -> None:
    spec(order).when(attrs.evolve(PLACE, lines=(TEA, POT, TEA))).then_rejected(DuplicateLine)


@pytest.mark.parametrize("command", [MOVE, SHIP, CANCEL])
def test_only_placed_orders_go_on(command: OrderCommand) -> None:
    spec(order).when(command).then_rejected(OrderNotFound, match="o1")


def test_the_parcel_goes_to_the_last_address() -> None:
    (
        spec(order)
        .given(PLACED)
        .when_repeated(2, MOVE)
        .then(AddressChanged(WORK))
        .and_when(SHIP)
        .then(OrderShipped(WORK))
    )


def test_a_parcel_is_sent_once() -> None:
    spec(order).given(PLACED).when_repeated(2, SHIP).then(OrderShipped(HOME))


def test_an_order_is_cancelled_once() -> None:
    spec(order).given(PLACED).when_repeated(2, CANCEL).then(OrderCancelled("changed my mind"))


@pytest.mark.parametrize(
    ("past", "command", "refusal"),
    [
        (OrderShipped(HOME), CANCEL, AlreadyShipped),
        (OrderShipped(HOME), MOVE, AlreadyShipped),
        (OrderCancelled("not paid"), SHIP, AlreadyCancelled),
        (OrderCancelled("not paid"), MOVE, AlreadyCancelled),
    ],
)
def test_an_order_ends_once(
    past: OrderEvent, command: OrderCommand, refusal: type[Rejected]
) -> None:
    spec(order).given(PLACED, past).when(command).then_rejected(refusal)


@pytest.mark.parametrize(
    ("quantity", "price", "found"),
    [(0, "1.00", "quantity"), (1, "-1.00", "price"), (1, "0.999", "whole cents")],
)
def test_quantities_and_prices_make_sense(quantity: int, price: str, found: str) -> None:
    with pytest.raises(ValueError, match=found):
        Line(product="tea", quantity=quantity, price=Decimal(price))


def test_no_order_is_empty() -> None:
    with pytest.raises(ValueError, match="lines"):
        PlaceOrder(aggregate_id="o1", customer="ann", lines=(), ship_to=HOME)


def test_no_command_breaks_an_order() -> None:
    check_aggregate(order)
