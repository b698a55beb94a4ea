"""An order, from placing it to its shipment. It is either shipped or cancelled, never both."""

from collections.abc import Iterator
from decimal import Decimal
from enum import Enum
from typing import TypeAlias, assert_never

import attrs
from attrs import field, frozen
from attrs.validators import min_len

from eventhus import Aggregate, Command, Rejected
from examples.shop.values import Address, Line, total_of


@frozen(kw_only=True)
class PlaceOrder(Command):
    """Order some products."""

    customer: str
    lines: tuple[Line, ...] = field(validator=min_len(1))
    ship_to: Address


@frozen(kw_only=True)
class ChangeAddress(Command):
    """Send the parcel to another place."""

    ship_to: Address


@frozen(kw_only=True)
class ShipOrder(Command):
    """Send the parcel."""


@frozen(kw_only=True)
class CancelOrder(Command):
    """Give the order up."""

    reason: str


OrderCommand: TypeAlias = PlaceOrder | ChangeAddress | ShipOrder | CancelOrder


@frozen(kw_only=True)
class OrderPlaced:
    """A customer has ordered some products."""

    customer: str
    lines: tuple[Line, ...]
    ship_to: Address


@frozen
class AddressChanged:
    """The parcel goes to another place."""

    ship_to: Address


@frozen
class OrderShipped:
    """The parcel is on its way to this place."""

    ship_to: Address


@frozen
class OrderCancelled:
    """Nothing will be sent."""

    reason: str


OrderEvent: TypeAlias = OrderPlaced | AddressChanged | OrderShipped | OrderCancelled


class OrderExists(Rejected):
    """An order is placed once."""


class OrderNotFound(Rejected):
    """The order was not placed."""


class DuplicateLine(Rejected):
    """An order has one line for each product."""


class AlreadyShipped(Rejected):
    """The parcel is on its way."""


class AlreadyCancelled(Rejected):
    """The order was given up."""


class Status(Enum):
    """How far an order has come."""

    PLACED = "placed"
    SHIPPED = "shipped"
    CANCELLED = "cancelled"


@frozen(kw_only=True)
class Order:
    """The state of an order that exists."""

    customer: str
    lines: tuple[Line, ...]
    ship_to: Address
    status: Status = Status.PLACED

    @property
    def total(self) -> Decimal:
        """The price of all lines."""
        return total_of(self.lines)


def decide(command: OrderCommand, order: Order | None) -> Iterator[OrderEvent]:
    """Return the events of a command. The first matching case applies."""
    match command:
        case PlaceOrder() if order is not None:
            raise OrderExists(f"order {command.aggregate_id} exists already")
        case PlaceOrder(customer=customer, lines=lines, ship_to=ship_to):
            if len({line.product for line in lines}) < len(lines):
                raise DuplicateLine("a product is on two lines; add their quantities")
            yield OrderPlaced(customer=customer, lines=lines, ship_to=ship_to)
        case _ if order is None:
            raise OrderNotFound(f"there is no order {command.aggregate_id}")
        case ShipOrder() if order.status is Status.SHIPPED:
            return
        case CancelOrder() if order.status is Status.CANCELLED:
            return
        case _ if order.status is Status.SHIPPED:
            raise AlreadyShipped(f"order {command.aggregate_id} is on its way")
        case _ if order.status is Status.CANCELLED:
            raise AlreadyCancelled(f"order {command.aggregate_id} is cancelled")
        case ChangeAddress(ship_to=ship_to):
            if ship_to != order.ship_to:
                yield AddressChanged(ship_to)
        case ShipOrder():
            yield OrderShipped(order.ship_to)
        case CancelOrder(reason=reason):
            yield OrderCancelled(reason)
        case _:
            assert_never(command)


def evolve(order: Order | None, event: OrderEvent) -> Order:
    """Return the order after an event."""
    match event:
        case OrderPlaced(customer=customer, lines=lines, ship_to=ship_to):
            return Order(customer=customer, lines=lines, ship_to=ship_to)
        case _ if order is None:
            raise AssertionError("an order's first event is OrderPlaced")
        case AddressChanged(ship_to):
            return attrs.evolve(order, ship_to=ship_to)
        case OrderShipped():
            return attrs.evolve(order, status=Status.SHIPPED)
        case OrderCancelled():
            return attrs.evolve(order, status=Status.CANCELLED)
        case _:
            assert_never(event)


order = Aggregate(name="Order", initial=None, decide=decide, evolve=evolve)
