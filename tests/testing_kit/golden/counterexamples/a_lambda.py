from eventhus_testing import spec
from tests.testing_kit.properties import Paid, Pay, purse


def test_the_invariant_holds() -> None:
    """Found by check_aggregate: the invariant does not hold of Purse(balance=2)."""
    (
        spec(purse)
        .given(Paid(amount=1))
        .when(Pay(aggregate_id="a1", amount=1))
        .then_state_matching(lambda state: state.balance != 2)
    )
