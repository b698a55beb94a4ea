from eventhus_testing import Rules, spec
from tests.testing_kit.properties import Pay, purse


def test_pay_keeps_the_invariant() -> None:
    """After Pay, the invariant holds."""
    (
        spec(purse, rules=Rules(repeatable=False, snapshot=False))
        .when(Pay(aggregate_id="p1", amount=3))
        .then_state_matching(lambda state: state.balance < 3)
    )
