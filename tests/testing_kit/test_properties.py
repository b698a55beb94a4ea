"""Properties of aggregates: what they find, how small they make it, and how they tell of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st

from eventhus_testing import Counterexample, RuleBroken, Rules, check_aggregate
from examples.bank.account import account
from examples.cinema.screening import screening
from tests.testing_kit.cart import cart
from tests.testing_kit.properties import (
    Money,
    Purse,
    choking_purse,
    counting_purse,
    drawer,
    failing_purse,
    never_negative,
    purse,
    shop,
    till,
)

GOLDEN = Path(__file__).with_name("golden") / "counterexamples"

# Found whatever the seed: the tests are to say the same each time.
THOROUGH = settings(derandomize=True, max_examples=300)

BUGS: dict[str, Callable[[], None]] = {
    "an_invariant": lambda: check_aggregate(purse, invariant=never_negative, settings=THOROUGH),
    "a_lambda": lambda: check_aggregate(
        purse, invariant=lambda state: state.balance != 2, settings=THOROUGH
    ),
    "an_invariant_of_two_events": lambda: check_aggregate(
        purse, invariant=lambda state: 0 <= state.balance < 9, settings=THOROUGH
    ),
    "evolve_raises": lambda: check_aggregate(choking_purse, settings=THOROUGH),
    "decide_raises": lambda: check_aggregate(failing_purse, settings=THOROUGH),
    "two_answers": lambda: check_aggregate(counting_purse, settings=THOROUGH),
    "a_state_that_changes": lambda: check_aggregate(drawer, settings=THOROUGH),
    "a_snapshot_that_forgets": lambda: check_aggregate(till, settings=THOROUGH),
    "switched_off_rules": lambda: check_aggregate(
        purse,
        invariant=lambda state: state.balance < 3,
        rules=Rules(repeatable=False, snapshot=False),
        settings=THOROUGH,
    ),
    "long_lines": lambda: check_aggregate(
        shop,
        invariant=lambda money: money is None or money.amount < 100,
        refine={
            Money: {
                "amount": st.decimals(0, 1000, places=2),
                "currency": st.just("a currency with a name that needs all the room that there is"),
            }
        },
        settings=THOROUGH,
    ),
}


@lru_cache
def found(name: str) -> Counterexample:
    with pytest.raises(Counterexample) as caught:
        BUGS[name]()
    return caught.value


@pytest.mark.parametrize("name", BUGS)
def test_a_bug_is_told_as_a_spec(name: str) -> None:
    """As small as it can be, formatted as the check wants it, and fit to be kept."""
    golden = GOLDEN / f"{name}.py"
    assert golden.read_text(encoding="utf-8") == found(name).spec


@pytest.mark.parametrize("name", BUGS)
def test_the_spec_fails_when_it_is_pasted(name: str) -> None:
    """With the same problem, and without another line."""
    module = ModuleType("pasted")
    source = (GOLDEN / f"{name}.py").read_text(encoding="utf-8")
    exec(compile(source, name, "exec"), module.__dict__)
    [test] = [each for key, each in vars(module).items() if key.startswith("test_")]
    expected = {"evolve_raises": RuleBroken, "decide_raises": ZeroDivisionError}
    rules = {"two_answers", "a_state_that_changes", "a_snapshot_that_forgets"}
    error = RuleBroken if name in rules else expected.get(name, AssertionError)
    with pytest.raises(error):
        test()


@pytest.mark.parametrize("aggregate", [account, cart, screening], ids=lambda a: a.name)
def test_a_domain_without_a_bug(aggregate: Any) -> None:
    """Nothing is found."""
    check_aggregate(aggregate, settings=settings(derandomize=True, max_examples=50))


def test_an_invariant_may_assert() -> None:
    """Instead of returning what does not hold."""

    def invariant(state: Purse) -> bool:
        assert state.balance < 1
        return True

    with pytest.raises(Counterexample, match="invariant is the one that you gave"):
        check_aggregate(purse, invariant=invariant, settings=THOROUGH)


if __name__ == "__main__":
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for bug in BUGS:
        (GOLDEN / f"{bug}.py").write_text(found(bug).spec, encoding="utf-8")
