"""The bodies of requests and responses, and the parameters of lists.

They hold JSON to its form; the domain holds the rules.
"""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Generic, TypeAlias, TypeVar

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from examples.shop.order import Status
from examples.shop.views import Progress

Listed = TypeVar("Listed")
Name: TypeAlias = Annotated[str, Field(min_length=1, max_length=200)]
Quantity: TypeAlias = Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
Euros: TypeAlias = Annotated[Decimal, Field(ge=0, max_digits=20, decimal_places=2)]
Price: TypeAlias = Annotated[Euros, Field(lt=1_000_000_000)]

After: TypeAlias = Annotated[str | None, Query(max_length=2000)]
Limit: TypeAlias = Annotated[int, Query(ge=1, le=100)]


class Body(BaseModel):
    """A JSON object, made from JSON or from a value of the domain with the same attributes."""

    model_config = ConfigDict(from_attributes=True)


class Delivery(Body):
    """Goods that have come in."""

    quantity: Quantity
    price: Price


class Place(Body):
    """An address."""

    name: Name
    street: Name
    postcode: Name
    city: Name
    country: Name


class Item(Body):
    """A product that a customer wants."""

    product: Name
    quantity: Quantity


class Basket(Body):
    """An order to place."""

    lines: Annotated[list[Item], Field(min_length=1, max_length=100)]
    ship_to: Place


class Paid(Body):
    """Money that has come in."""

    amount: Euros


class PricedItem(Item):
    """A line of an order."""

    price: Price


class OrderId(Body):
    """The order that was placed."""

    order_id: str


class OrderShown(Body):
    """An order."""

    status: Status
    lines: list[PricedItem]
    total: Euros
    ship_to: Place


class OrderListed(Body):
    """An order in a list."""

    order_id: str
    progress: Progress
    total: Euros
    placed_at: datetime | None


class Offered(Body):
    """A product in a list."""

    product: str
    price: Price
    available: int


class Page(Body, Generic[Listed]):
    """A page of a list. ``next`` is the value of ``after`` for the next page."""

    items: list[Listed]
    next: str | None
