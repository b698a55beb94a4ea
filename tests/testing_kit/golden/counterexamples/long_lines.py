from decimal import Decimal

from eventhus_testing import spec
from tests.testing_kit.properties import Money, Price, shop


def test_price_keeps_the_invariant() -> None:
    """After Price, the invariant holds."""
    (
        spec(shop)
        .when(
            Price(
                aggregate_id="s1",
                money=Money(
                    amount=Decimal("100.00"),
                    currency="a currency with a name that needs all the room that there is",
                ),
            )
        )
        .then_state_matching(lambda money: money is None or money.amount < 100)
    )
