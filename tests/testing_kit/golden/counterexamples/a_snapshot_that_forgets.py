from eventhus_testing import spec
from tests.testing_kit.properties import Paid, Pay, till


def test_pay_keeps_the_rule_snapshot() -> None:
    """Pay keeps the rule 'snapshot'."""
    spec(till).given(Paid(amount=0)).when(Pay(aggregate_id="t1", amount=0)).then(Paid(amount=0))
