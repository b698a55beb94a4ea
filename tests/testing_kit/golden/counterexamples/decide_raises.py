from eventhus_testing import spec
from tests.testing_kit.properties import Take, failing_purse


def test_take_does_not_raise_zero_division_error() -> None:
    """Take is carried out or refused, and does not raise ZeroDivisionError."""
    spec(failing_purse).when(Take(aggregate_id="p1", amount=0))
