"""The process from an order to its shipment, with a deadline for the payment.

Goods are reserved first, then the customer pays, then the parcel is sent. Whatever goes wrong
cancels the order, and a cancelled order gives back what it has: its goods, and the money.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import TypeAlias

import attrs
from attrs import frozen

from eventhus import (
    Cancel,
    Command,
    CommandRefused,
    Deadline,
    DeadlineReached,
    Process,
    Recorded,
)
from examples.shop.order import CancelOrder, OrderCancelled, OrderPlaced, OrderShipped, ShipOrder
from examples.shop.payment import PaymentReceived, RefundPayment, RequestPayment
from examples.shop.stock import GoodsReserved, HandOverGoods, ReleaseGoods, ReserveGoods
from examples.shop.values import Line, total_of

TIME_TO_PAY = timedelta(minutes=30)


@frozen
class Fulfilment:
    """How far the process of one order has come."""

    lines: tuple[Line, ...] = ()
    reserved: frozenset[str] = frozenset()  # products
    cancelled: bool = False


Followed: TypeAlias = OrderPlaced | OrderCancelled | OrderShipped | GoodsReserved | PaymentReceived


def order_of(recorded: Recorded[Followed]) -> str:
    """Return the id of the order, which is that of its payment, too."""
    match recorded.event:
        case GoodsReserved(order=order):
            return order
        case _:
            return recorded.stream.aggregate_id


def evolve(order: Fulfilment, recorded: Recorded[Followed]) -> Fulfilment:
    """Return the state after an event."""
    match recorded.event:
        case OrderPlaced(lines=lines):
            return Fulfilment(lines)
        case GoodsReserved():
            return attrs.evolve(order, reserved=order.reserved | {recorded.stream.aggregate_id})
        case OrderCancelled():
            return attrs.evolve(order, cancelled=True)
        case _:
            return order


def react(
    order: Fulfilment,
    recorded: Recorded[Followed | DeadlineReached | CommandRefused],
    order_id: str,
) -> Iterable[Command | Deadline | Cancel]:
    """Return what an event calls for."""
    match recorded.event:
        case OrderPlaced():
            yield Deadline("payment", after=TIME_TO_PAY)
            for line in order.lines:
                yield ReserveGoods(
                    aggregate_id=line.product, order=order_id, quantity=line.quantity
                )
        case GoodsReserved() if order.cancelled:  # meanwhile
            yield ReleaseGoods(aggregate_id=recorded.stream.aggregate_id, order=order_id)
        case GoodsReserved() if len(order.reserved) == len(order.lines):
            yield RequestPayment(aggregate_id=order_id, amount=total_of(order.lines))
        case PaymentReceived():
            yield Cancel("payment")
            yield ShipOrder(aggregate_id=order_id)
        case OrderShipped():
            for product in sorted(order.reserved):
                yield HandOverGoods(aggregate_id=product, order=order_id)
        case OrderCancelled():
            yield Cancel("payment")
            for product in sorted(order.reserved):
                yield ReleaseGoods(aggregate_id=product, order=order_id)
        case DeadlineReached("payment"):
            yield CancelOrder(aggregate_id=order_id, reason="not paid in time")
        case CommandRefused("ReserveGoods"):
            yield CancelOrder(aggregate_id=order_id, reason="out of stock")
        case CommandRefused("ShipOrder"):  # paid, but cancelled meanwhile
            yield RefundPayment(aggregate_id=order_id)
        case _:
            pass


fulfilment = Process(
    name="fulfilment", initial=Fulfilment(), key=order_of, evolve=evolve, react=react
)
