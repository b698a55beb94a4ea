"""The read models of the shop: lists of orders, and the shelf with its prices."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import TypeAlias, assert_never

import attrs
from attrs import frozen

from eventhus import Recorded, View, in_range, one_of
from examples.shop.order import OrderCancelled, OrderPlaced, OrderShipped
from examples.shop.payment import PaymentReceived, PaymentRefunded
from examples.shop.stock import GoodsReceived, GoodsReleased, GoodsReserved
from examples.shop.values import total_of


class Progress(Enum):
    """How far an order has come, in the eyes of its customer."""

    PLACED = "placed"
    PAID = "paid"
    SHIPPED = "shipped"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"


@frozen(kw_only=True)
class OrderSummary:
    """An order in a list."""

    customer: str = ""
    progress: Progress = Progress.PLACED
    total: Decimal = Decimal(0)
    placed_at: datetime | None = None


OrderProgress: TypeAlias = (
    OrderPlaced | OrderShipped | OrderCancelled | PaymentReceived | PaymentRefunded
)


def order_of(recorded: Recorded[OrderProgress]) -> str:
    """Return the id of the order, which is that of its payment, too."""
    return recorded.stream.aggregate_id


def summarise(summary: OrderSummary, recorded: Recorded[OrderProgress]) -> OrderSummary:
    """Return the summary after an event of the order or of its payment."""
    match recorded.event:
        case OrderPlaced() as placed:
            return OrderSummary(
                customer=placed.customer,
                total=total_of(placed.lines),
                placed_at=recorded.recorded_at,
            )
        case PaymentReceived():
            return attrs.evolve(summary, progress=Progress.PAID)
        case OrderShipped():
            return attrs.evolve(summary, progress=Progress.SHIPPED)
        case OrderCancelled():
            return attrs.evolve(summary, progress=Progress.CANCELLED)
        case PaymentRefunded():
            return attrs.evolve(summary, progress=Progress.REFUNDED)
        case _:
            assert_never(recorded.event)


orders = View(
    name="orders",
    initial=OrderSummary(),
    key=order_of,
    evolve=summarise,
    indexes=[("customer", "progress", "-placed_at")],
)


def of_customer(customer: str, *progress: Progress) -> Mapping[str, object]:
    """Return the condition for a customer's orders, or for those that have come so far."""
    return {"customer": customer, "progress": one_of(*(progress or Progress))}


@frozen(kw_only=True)
class Offer:
    """A product on the shelf."""

    price: Decimal = Decimal(0)
    available: int = 0


StockChange: TypeAlias = GoodsReceived | GoodsReserved | GoodsReleased


def product_of(recorded: Recorded[StockChange]) -> str:
    """Return the product, by which stock is kept."""
    return recorded.stream.aggregate_id


def restock(offer: Offer, recorded: Recorded[StockChange]) -> Offer:
    """Return the offer after the stock has changed."""
    match recorded.event:
        case GoodsReceived(quantity=quantity, price=price):
            return Offer(price=price, available=offer.available + quantity)
        case GoodsReserved(quantity=quantity):
            return attrs.evolve(offer, available=offer.available - quantity)
        case GoodsReleased(quantity=quantity):
            return attrs.evolve(offer, available=offer.available + quantity)
        case _:
            assert_never(recorded.event)


shelf = View(name="shelf", initial=Offer(), key=product_of, evolve=restock, indexes=["price"])


def up_to(price: Decimal | None) -> Mapping[str, object]:
    """Return the condition for products up to a price, or for all."""
    return {} if price is None else {"price": in_range(at_most=price)}
