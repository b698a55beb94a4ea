"""A shopping cart, for the tests of the test kit."""

from collections.abc import Iterator, Mapping
from typing import TypeAlias, assert_never

from attrs import Factory, frozen

from eventhus import Aggregate, Command, Rejected


@frozen
class Item:
    sku: str
    quantity: int


@frozen(kw_only=True)
class AddItems(Command):
    items: tuple[Item, ...]


@frozen(kw_only=True)
class RemoveItem(Command):
    sku: str


@frozen(kw_only=True)
class Empty(Command):
    pass


@frozen
class ItemAdded:
    item: Item


@frozen
class ItemRemoved:
    sku: str


class InvalidQuantity(Rejected):
    """The quantity is not positive."""


class NotInCart(Rejected):
    """The cart does not contain the item."""


CartCommand: TypeAlias = AddItems | RemoveItem | Empty
CartEvent: TypeAlias = ItemAdded | ItemRemoved


@frozen
class Cart:
    quantities: Mapping[str, int] = Factory(dict[str, int])


def decide(command: CartCommand, cart: Cart) -> Iterator[CartEvent]:
    """Decide with any number of events per command."""
    match command:
        case AddItems(items=items):
            for item in items:
                if item.quantity <= 0:
                    raise InvalidQuantity(f"quantity {item.quantity} (of {item.sku}) is too low")
                yield ItemAdded(item)
        case RemoveItem(sku=sku):
            if sku not in cart.quantities:
                raise NotInCart
            yield ItemRemoved(sku)
        case Empty():
            for sku in cart.quantities:
                yield ItemRemoved(sku)
        case _:
            assert_never(command)


def evolve(cart: Cart, event: CartEvent) -> Cart:
    """Add up the quantities."""
    match event:
        case ItemAdded(Item(sku, quantity)):
            return Cart({**cart.quantities, sku: cart.quantities.get(sku, 0) + quantity})
        case ItemRemoved(sku):
            return Cart({key: value for key, value in cart.quantities.items() if key != sku})
        case _:
            assert_never(event)


cart = Aggregate(name="Cart", initial=Cart(), decide=decide, evolve=evolve)

TEA, MUG = Item("tea", 2), Item("mug", 1)


def add(*items: Item) -> AddItems:
    """Add items to a cart."""
    return AddItems(aggregate_id="c1", items=items)


def remove(sku: str) -> RemoveItem:
    """Remove an item from a cart."""
    return RemoveItem(aggregate_id="c1", sku=sku)


def empty() -> Empty:
    """Remove every item from a cart."""
    return Empty(aggregate_id="c1")
