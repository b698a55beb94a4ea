"""Orders, products and places that the specs of the shop have in common."""

from decimal import Decimal

from examples.shop.order import OrderPlaced, PlaceOrder
from examples.shop.values import Address, Line

HOME = Address(name="Ann", street="Main St 1", postcode="10115", city="Berlin", country="DE")
WORK = Address(name="Ann", street="Side St 2", postcode="10117", city="Berlin", country="DE")
TEA = Line(product="tea", quantity=2, price=Decimal("4.50"))
POT = Line(product="pot", quantity=1, price=Decimal("21.00"))

PLACE = PlaceOrder(aggregate_id="o1", customer="ann", lines=(TEA, POT), ship_to=HOME)
PLACED = OrderPlaced(customer="ann", lines=(TEA, POT), ship_to=HOME)
TOTAL = Decimal("30.00")
