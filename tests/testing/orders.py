"""A shop in small: an order with a payment deadline, and a shipment that may be refused."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, TypeAlias, assert_never

from attrs import evolve, frozen

from eventhus import (
    Aggregate,
    Cancel,
    Command,
    CommandRefused,
    Deadline,
    DeadlineReached,
    Process,
    Recorded,
    Rejected,
)

HALF_AN_HOUR = timedelta(minutes=30)


@frozen(kw_only=True)
class PlaceOrder(Command):
    pass


@frozen(kw_only=True)
class PayOrder(Command):
    amount: int = 1


@frozen(kw_only=True)
class ShipOrder(Command):
    pass


@frozen(kw_only=True)
class CancelOrder(Command):
    pass


@frozen(kw_only=True)
class RefundPayment(Command):
    amount: int


@frozen
class OrderPlaced:
    pass


@frozen
class OrderPaid:
    amount: int


@frozen
class OrderShipped:
    pass


@frozen
class OrderCancelled:
    pass


@frozen
class PaymentRefunded:
    amount: int


OrderEvent: TypeAlias = OrderPlaced | OrderPaid | OrderShipped | OrderCancelled | PaymentRefunded
OrderCommand: TypeAlias = PlaceOrder | PayOrder | ShipOrder | CancelOrder | RefundPayment


class OutOfStock(Rejected):
    """Orders above 100 cannot be shipped."""


def decide(command: OrderCommand, paid: int) -> Iterator[OrderEvent]:
    match command:
        case PlaceOrder():
            yield OrderPlaced()
        case PayOrder(amount=amount):
            yield OrderPaid(amount)
        case ShipOrder():
            if paid > 100:
                raise OutOfStock
            yield OrderShipped()
        case CancelOrder():
            yield OrderCancelled()
        case RefundPayment(amount=amount):
            yield PaymentRefunded(amount)
        case _:
            assert_never(command)


def paid_so_far(paid: int, event: OrderEvent) -> int:
    return paid + event.amount if isinstance(event, OrderPaid) else paid


order = Aggregate(name="Order", initial=0, decide=decide, evolve=paid_so_far)


@frozen
class Delivery:
    """What the process knows of an order."""

    paid: int = 0
    cancelled: bool = False
    shipped: bool = False


Followed: TypeAlias = OrderPlaced | OrderPaid
Own: TypeAlias = DeadlineReached | CommandRefused


def by_order(recorded: Recorded[Any]) -> str:
    return recorded.stream.aggregate_id


def know(delivery: Delivery, recorded: Recorded[Followed | Own]) -> Delivery:
    match recorded.event:
        case OrderPlaced():
            return delivery
        case OrderPaid(amount):
            is_first = not delivery.cancelled and not delivery.paid
            return evolve(
                delivery, paid=delivery.paid + amount, shipped=delivery.shipped or is_first
            )
        case DeadlineReached():
            return evolve(delivery, cancelled=True)
        case CommandRefused():
            return delivery


def deliver(
    delivery: Delivery, recorded: Recorded[Followed | Own]
) -> Iterator[Command | Deadline | Cancel]:
    key = by_order(recorded)
    match recorded.event:
        case OrderPlaced():
            if not delivery.paid and not delivery.cancelled:
                yield Deadline("payment", after=HALF_AN_HOUR)
        case OrderPaid(amount):
            yield Cancel("payment")
            if delivery.shipped and delivery.paid == amount:
                yield ShipOrder(aggregate_id=key)
            else:
                yield RefundPayment(aggregate_id=key, amount=amount)
        case DeadlineReached("payment"):
            yield CancelOrder(aggregate_id=key)
        case CommandRefused(command="ShipOrder"):
            yield RefundPayment(aggregate_id=key, amount=delivery.paid)
        case _:
            pass


delivery = Process[Followed, Delivery](
    name="delivery", initial=Delivery(), key=by_order, evolve=know, react=deliver
)
