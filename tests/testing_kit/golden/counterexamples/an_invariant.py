from eventhus_testing import spec
from tests.testing_kit.properties import Paid, Transfer, never_negative, purse


def test_never_negative_holds() -> None:
    """Found by check_aggregate: never_negative does not hold of Purse(balance=-1)."""
    (
        spec(purse)
        .given(Paid(amount=1))
        .when(Transfer(aggregate_id="a1", amount=1, fee=1))
        .then_state_matching(never_negative)
    )
