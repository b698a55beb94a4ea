"""Stored events of the shop stay readable, however its classes change."""

from pathlib import Path

from eventhus_testing import golden
from examples.shop.order import AddressChanged, OrderCancelled, OrderShipped, order
from examples.shop.payment import PaymentReceived, PaymentRefunded, PaymentRequested, payment
from examples.shop.samples import HOME, PLACED, POT, TOTAL, WORK
from examples.shop.stock import (
    GoodsHandedOver,
    GoodsReceived,
    GoodsReleased,
    GoodsReserved,
    stock,
)


def test_stored_events_can_be_read() -> None:
    golden.check(
        aggregates=[order, stock, payment],
        path=Path(__file__).with_name("events.golden.json"),
        samples=[
            PLACED,
            AddressChanged(WORK),
            OrderShipped(HOME),
            OrderCancelled("not paid in time"),
            GoodsReceived(quantity=3, price=POT.price),
            GoodsReserved(order="o1", quantity=2),
            GoodsReleased(order="o1", quantity=2),
            GoodsHandedOver(order="o1", quantity=2),
            PaymentRequested(TOTAL),
            PaymentReceived(TOTAL),
            PaymentRefunded(TOTAL),
        ],
    )
