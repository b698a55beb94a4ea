"""The values of the shop. Commands, events, states and views are made of them."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from attrs import Attribute, field, frozen
from attrs.validators import ge


def euros(_: object, attribute: "Attribute[Any]", amount: Decimal) -> None:
    """Refuse what is not an amount of money, as a validator of attrs."""
    if not 0 <= amount < 1_000_000_000 or amount != round(amount, 2):
        raise ValueError(f"{attribute.name} must be 0 or more, in whole cents, found {amount}")


@frozen(kw_only=True)
class Line:
    """A line of an order: one product, and its price for this order."""

    product: str
    quantity: int = field(validator=ge(1))
    price: Decimal = field(validator=euros)  # of one


def total_of(lines: Iterable[Line]) -> Decimal:
    """Return the price of an order with these lines."""
    return sum((line.quantity * line.price for line in lines), start=Decimal(0))


@frozen(kw_only=True)
class Address:
    """The place to send a parcel to."""

    name: str
    street: str
    postcode: str
    city: str
    country: str
