from eventhus_testing import spec
from tests.testing_kit.properties import Paid, Pay, counting_purse


def test_pay_keeps_the_rule_repeatable() -> None:
    """Pay keeps the rule 'repeatable'."""
    spec(counting_purse).when(Pay(aggregate_id="p1", amount=0)).then_only(Paid)
