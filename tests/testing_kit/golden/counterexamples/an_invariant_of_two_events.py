from eventhus_testing import spec
from tests.testing_kit.properties import Pay, purse


def test_the_invariant_holds() -> None:
    """Found by check_aggregate: the invariant does not hold of Purse(balance=9)."""
    (
        spec(purse)
        .when(Pay(aggregate_id="a1", amount=9))
        .then_state_matching(lambda state: 0 <= state.balance < 9)
    )
