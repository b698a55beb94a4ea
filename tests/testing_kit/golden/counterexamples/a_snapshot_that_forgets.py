from eventhus_testing import spec
from tests.testing_kit.properties import Paid, Pay, till


def test_the_rule_snapshot_holds() -> None:
    """Found by check_aggregate: a state that was restored from a snapshot goes on otherwise:..."""
    spec(till).given(Paid(amount=0)).when(Pay(aggregate_id="a1", amount=0)).then(Paid(amount=0))
