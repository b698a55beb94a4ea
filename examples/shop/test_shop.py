"""The whole shop in memory: commands, the process and the views together."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import attrs
import pytest

from eventhus_testing import AppScenario, ManualClock, like, memory_application, scenario
from examples.shop.fulfilment import TIME_TO_PAY, fulfilment
from examples.shop.order import CancelOrder, order
from examples.shop.payment import PaymentReceived, ReceivePayment, payment
from examples.shop.samples import PLACE, POT, TEA, TOTAL
from examples.shop.stock import GoodsReceived, Stock, stock
from examples.shop.views import Offer, OrderSummary, Progress, orders, shelf

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
PAY = ReceivePayment(aggregate_id="o1", amount=TOTAL)


@pytest.fixture
async def shop() -> AsyncIterator[AppScenario]:
    """A shop with three teas and one pot."""
    app = memory_application(
        order,
        stock,
        payment,
        views=[orders, shelf],
        processes=[fulfilment],
        clock=ManualClock(NOON),
    )
    async with scenario(app) as shop:
        await shop.given(stock, "tea", GoodsReceived(quantity=3, price=TEA.price))
        await shop.given(stock, "pot", GoodsReceived(quantity=1, price=POT.price))
        yield shop


def summary(progress: Progress) -> OrderSummary:
    """Return what the list says of the order."""
    return OrderSummary(customer="ann", progress=progress, total=TOTAL, placed_at=NOON)


async def test_a_paid_order_is_shipped(shop: AppScenario) -> None:
    await shop.when(PLACE)
    await shop.then_view(orders, "o1", summary(Progress.PLACED))
    await shop.then_view(shelf, "tea", Offer(price=TEA.price, available=1))
    await shop.when(PAY)
    await shop.then(PaymentReceived(TOTAL))
    await shop.then_view(orders, "o1", summary(Progress.SHIPPED))
    await shop.then_state(stock, "tea", Stock(available=1))


async def test_an_order_that_is_not_paid_in_time_is_cancelled(shop: AppScenario) -> None:
    await shop.when(PLACE)
    await shop.then_deadline(fulfilment, "o1", "payment", at=NOON + TIME_TO_PAY)
    await shop.when_passed(minutes=30)
    await shop.then_view(orders, "o1", summary(Progress.CANCELLED))
    await shop.then_view(shelf, "tea", Offer(price=TEA.price, available=3))


async def test_an_order_that_is_not_in_stock_is_cancelled(shop: AppScenario) -> None:
    await shop.when(attrs.evolve(PLACE, lines=(TEA, attrs.evolve(POT, quantity=2))))
    await shop.then_view(orders, "o1", like(OrderSummary, progress=Progress.CANCELLED))
    await shop.then_view(shelf, "tea", Offer(price=TEA.price, available=3))


async def test_money_for_a_cancelled_order_comes_back(shop: AppScenario) -> None:
    await shop.when(PLACE)
    await shop.then_view(orders, "o1", summary(Progress.PLACED))
    await shop.when(CancelOrder(aggregate_id="o1", reason="changed my mind"), PAY)
    await shop.then_view(orders, "o1", summary(Progress.REFUNDED))
    await shop.then_view(shelf, "tea", Offer(price=TEA.price, available=3))
