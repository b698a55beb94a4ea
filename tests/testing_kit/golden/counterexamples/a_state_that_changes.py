from eventhus_testing import spec
from tests.testing_kit.properties import Paid, Pay, drawer


def test_pay_keeps_the_rule_unchanged() -> None:
    """Pay keeps the rule 'unchanged'."""
    spec(drawer).when(Pay(aggregate_id="d1", amount=2)).then(Paid(amount=2))
