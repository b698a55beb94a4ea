from eventhus_testing import spec
from tests.testing_kit.properties import Pay, counting_purse


def test_the_rule_repeatable_holds() -> None:
    """Found by check_aggregate: decide gave two answers to the same question; pass what it d..."""
    spec(counting_purse).when(Pay(aggregate_id="a1", amount=0))
