from eventhus_testing import spec
from tests.testing_kit.properties import Paid, Transfer, never_negative, purse


def test_transfer_keeps_never_negative() -> None:
    """After Transfer, never_negative holds."""
    (
        spec(purse)
        .given(Paid(amount=1))
        .when(Transfer(aggregate_id="p1", amount=1, fee=1))
        .then_state_matching(never_negative)
    )
