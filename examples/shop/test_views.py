"""The lists of the shop, by example."""

from datetime import UTC, datetime, timedelta

import attrs
import pytest

from eventhus_testing import like, spec
from examples.shop.order import OrderCancelled, OrderShipped
from examples.shop.payment import PaymentReceived, PaymentRefunded
from examples.shop.samples import HOME, PLACED, POT, TEA, TOTAL
from examples.shop.stock import GoodsReceived, GoodsReleased, GoodsReserved
from examples.shop.views import (
    Offer,
    OrderProgress,
    OrderSummary,
    Progress,
    of_customer,
    orders,
    shelf,
    up_to,
)

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
FIVE = GoodsReceived(quantity=5, price=TEA.price)
TWO_RESERVED = GoodsReserved(order="o1", quantity=2)


def test_an_order_is_listed_with_its_total_and_time() -> None:
    (
        spec(orders)
        .at(NOON)
        .when("o1", PLACED)
        .then_view(
            "o1",
            OrderSummary(customer="ann", progress=Progress.PLACED, total=TOTAL, placed_at=NOON),
        )
    )


@pytest.mark.parametrize(
    ("event", "progress"),
    [
        (PaymentReceived(TOTAL), Progress.PAID),
        (OrderShipped(HOME), Progress.SHIPPED),
        (OrderCancelled("not paid in time"), Progress.CANCELLED),
        (PaymentRefunded(TOTAL), Progress.REFUNDED),
    ],
)
def test_the_list_shows_the_progress(event: OrderProgress, progress: Progress) -> None:
    (
        spec(orders)
        .given("o1", PLACED)
        .when("o1", event)
        .then_view("o1", like(OrderSummary, progress=progress, customer="ann", total=TOTAL))
    )


def test_customers_find_their_orders_the_newest_first() -> None:
    (
        spec(orders)
        .at(NOON)
        .given("o1", PLACED)
        .at(NOON + MINUTE)
        .given("o2", PLACED)
        .given("o3", attrs.evolve(PLACED, customer="bob"))
        .when("o1", OrderShipped(HOME))
        .then_found("o2", "o1", where=of_customer("ann"), order_by="-placed_at")
        .then_found("o1", where=of_customer("ann", Progress.SHIPPED), order_by="-placed_at")
    )


def test_customers_find_what_they_can_afford_the_cheapest_first() -> None:
    (
        spec(shelf)
        .given("pot", GoodsReceived(quantity=1, price=POT.price))
        .when("tea", FIVE)
        .then_found("tea", "pot", where=up_to(None), order_by="price")
        .then_found("tea", where=up_to(TEA.price), order_by="price")
    )


def test_the_shelf_shows_what_nobody_has_reserved() -> None:
    (
        spec(shelf)
        .given("tea", FIVE)
        .when("tea", TWO_RESERVED)
        .then_view("tea", Offer(price=TEA.price, available=3))
        .and_when("tea", GoodsReleased(order="o1", quantity=2))
        .then_view("tea", Offer(price=TEA.price, available=5))
    )


def test_the_last_delivery_sets_the_price() -> None:
    (
        spec(shelf)
        .given("tea", FIVE)
        .when("tea", GoodsReceived(quantity=1, price=2 * TEA.price))
        .then_view("tea", Offer(price=2 * TEA.price, available=6))
    )
