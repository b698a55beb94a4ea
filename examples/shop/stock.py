"""The stock of one product. Goods are reserved for an order before it is paid."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import TypeAlias, assert_never

import attrs
from attrs import field, frozen
from attrs.validators import ge

from eventhus import Aggregate, Command, Rejected
from examples.shop.values import euros


@frozen(kw_only=True)
class ReceiveGoods(Command):
    """Put goods into the stock, and offer all of them at this price."""

    quantity: int = field(validator=ge(1))
    price: Decimal = field(validator=euros)


@frozen(kw_only=True)
class ReserveGoods(Command):
    """Keep goods for an order."""

    order: str
    quantity: int = field(validator=ge(1))


@frozen(kw_only=True)
class ReleaseGoods(Command):
    """Offer what is reserved for an order to others again."""

    order: str


@frozen(kw_only=True)
class HandOverGoods(Command):
    """Give what is reserved for an order to the carrier."""

    order: str


StockCommand: TypeAlias = ReceiveGoods | ReserveGoods | ReleaseGoods | HandOverGoods


@frozen(kw_only=True)
class GoodsReceived:
    """There is more to sell, and this is the price now."""

    quantity: int
    price: Decimal


@frozen(kw_only=True)
class GoodsReserved:
    """An order will get some of the goods."""

    order: str
    quantity: int


@frozen(kw_only=True)
class GoodsReleased:
    """An order does not need its goods any more."""

    order: str
    quantity: int


@frozen(kw_only=True)
class GoodsHandedOver:
    """The goods of an order have left the stock."""

    order: str
    quantity: int


StockEvent: TypeAlias = GoodsReceived | GoodsReserved | GoodsReleased | GoodsHandedOver


class OutOfStock(Rejected):
    """Less is available than the order needs."""


@frozen
class Stock:
    """The state of the stock of one product."""

    available: int = 0
    reserved: Mapping[str, int] = field(factory=dict)  # by order


def decide(command: StockCommand, stock: Stock) -> Iterator[StockEvent]:
    """Return the events of a command. The first matching case applies."""
    match command:
        case ReceiveGoods(quantity=quantity, price=price):
            yield GoodsReceived(quantity=quantity, price=price)
        case ReserveGoods(order=order) if order in stock.reserved:
            return
        case ReserveGoods(quantity=quantity) if quantity > stock.available:
            raise OutOfStock(f"{stock.available} are available, and {quantity} are needed")
        case ReserveGoods(order=order, quantity=quantity):
            yield GoodsReserved(order=order, quantity=quantity)
        case ReleaseGoods(order=order):
            if order in stock.reserved:
                yield GoodsReleased(order=order, quantity=stock.reserved[order])
        case HandOverGoods(order=order):
            if order in stock.reserved:
                yield GoodsHandedOver(order=order, quantity=stock.reserved[order])
        case _:
            assert_never(command)


def evolve(stock: Stock, event: StockEvent) -> Stock:
    """Return the stock after an event."""
    match event:
        case GoodsReceived(quantity=quantity):
            return attrs.evolve(stock, available=stock.available + quantity)
        case GoodsReserved(order=order, quantity=quantity):
            return Stock(stock.available - quantity, {**stock.reserved, order: quantity})
        case GoodsReleased(order=order, quantity=quantity):
            return Stock(stock.available + quantity, without(stock.reserved, order))
        case GoodsHandedOver(order=order):
            return attrs.evolve(stock, reserved=without(stock.reserved, order))
        case _:
            assert_never(event)


def without(reserved: Mapping[str, int], order: str) -> Mapping[str, int]:
    """Return the reservations of all other orders."""
    return {each: quantity for each, quantity in reserved.items() if each != order}


stock = Aggregate(name="Stock", initial=Stock(), decide=decide, evolve=evolve)
