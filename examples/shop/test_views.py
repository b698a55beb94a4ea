"""The lists of the shop, by example."""

from datetime import UTC, datetime

import pytest

from eventhus_testing import like, spec
from examples.shop.order import OrderCancelled, OrderShipped
from examples.shop.payment import PaymentReceived, PaymentRefunded
from examples.shop.samples import HOME, PLACED, TEA, TOTAL
from examples.shop.stock import GoodsReceived, GoodsReleased, GoodsReserved
from examples.shop.views import Offer, OrderProgress, OrderSummary, Progress, orders, shelf

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
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
