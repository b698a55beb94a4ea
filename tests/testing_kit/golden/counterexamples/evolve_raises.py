from eventhus_testing import spec
from tests.testing_kit.properties import Paid, Take, Taken, choking_purse


def test_take_keeps_the_rule_evolvable() -> None:
    """Take keeps the rule 'evolvable'."""
    (
        spec(choking_purse)
        .given(Paid(amount=1))
        .when(Take(aggregate_id="p1", amount=1))
        .then(Taken(amount=1))
    )
