from eventhus_testing import spec
from tests.testing_kit.properties import Take, failing_purse


def test_decide_does_not_raise() -> None:
    """Found by check_aggregate: decide raised ZeroDivisionError: a bug."""
    spec(failing_purse).when(Take(aggregate_id="a1", amount=0))
