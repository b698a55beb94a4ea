from eventhus_testing import Rules, spec
from tests.testing_kit.properties import Pay, purse


def test_the_invariant_holds() -> None:
    """Found by check_aggregate: the invariant does not hold of Purse(balance=3)."""
    (
        spec(purse, rules=Rules(repeatable=False, snapshot=False))
        .when(Pay(aggregate_id="a1", amount=3))
        .then_state_matching(lambda state: state.balance < 3)
    )
