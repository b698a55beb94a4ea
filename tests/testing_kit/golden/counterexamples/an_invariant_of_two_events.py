from eventhus_testing import spec
from tests.testing_kit.properties import Pay, purse


def test_pay_keeps_the_invariant() -> None:
    """After Pay, the invariant holds."""
    (
        spec(purse)
        .when(Pay(aggregate_id="p1", amount=9))
        .then_state_matching(lambda state: 0 <= state.balance < 9)
    )
