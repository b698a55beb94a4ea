from eventhus_testing import spec
from tests.testing_kit.properties import Paid, Pay, drawer


def test_the_rule_unchanged_holds() -> None:
    """Found by check_aggregate: evolve changed the state that it was given; make a new one i..."""
    spec(drawer).when(Pay(aggregate_id="a1", amount=2)).then(Paid(amount=2))
