from eventhus_testing import spec
from tests.testing_kit.properties import Paid, Take, Taken, choking_purse


def test_the_rule_evolvable_holds() -> None:
    """Found by check_aggregate: evolve raised ZeroDivisionError on an event that decide prod..."""
    spec(choking_purse).given(Paid(amount=1)).when(Take(aggregate_id="a1", amount=1)).then(Taken(1))
