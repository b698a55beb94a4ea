"""``check_aggregate`` finds what is wrong, makes it small, and prints a test that shows it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eventhus import Aggregate
from eventhus_testing.checking import check_aggregate
from eventhus_testing.counterexample import Counterexample
from eventhus_testing.rules import RuleBroken
from tests.testing_kit import flawed

ROOT = Path(__file__).parents[2]
RUFF = Path(sys.executable).with_name("ruff")


def found(aggregate: Aggregate[Any, Any, Any], **arguments: Any) -> Counterexample:
    """What ``check_aggregate`` finds."""
    with pytest.raises(Counterexample) as caught:
        check_aggregate(aggregate, **arguments)
    return caught.value


def pasted(spec: str) -> Callable[[], None]:
    """The test in a source, as a module that it is pasted into would have it."""
    names: dict[str, Any] = {}
    exec(compile(spec, "pasted.py", "exec"), names)
    (test,) = (value for name, value in names.items() if name.startswith("test_"))
    return test  # type: ignore[no-any-return]


def body(spec: str) -> str:
    """A spec without its import lines."""
    return spec.partition("\n\n\n")[2]


CASES: dict[str, tuple[Aggregate[Any, Any, Any], dict[str, Any], type[Exception], str]] = {
    "invariant": (
        flawed.overdrawn,
        {"invariant": flawed.never_negative},
        AssertionError,
        '''\
def test_spend_keeps_never_negative() -> None:
    """After Spend, never_negative holds."""
    spec(overdrawn).when(Spend(aggregate_id="p1", amount=1)).then_state_matching(never_negative)
''',
    ),
    "lambda": (
        flawed.overdrawn,
        {"invariant": lambda state: state.balance >= 0},
        AssertionError,
        '''\
def test_spend_keeps_the_invariant() -> None:
    """After Spend, the invariant holds."""
    (
        spec(overdrawn)
        .when(Spend(aggregate_id="p1", amount=1))
        .then_state_matching(lambda state: state.balance >= 0)
    )
''',
    ),
    "asserting invariant": (
        flawed.overdrawn,
        {"invariant": flawed.asserts_never_negative},
        AssertionError,
        '''\
def test_spend_keeps_asserts_never_negative() -> None:
    """After Spend, asserts_never_negative holds."""
    outcome = spec(overdrawn).when(Spend(aggregate_id="p1", amount=1))
    asserts_never_negative(outcome.state)
''',
    ),
    "invariant between two events": (
        flawed.lending,
        {"invariant": flawed.never_negative},
        AssertionError,
        '''\
def test_swap_keeps_never_negative() -> None:
    """After Swap, never_negative holds."""
    spec(lending).when_called(lambda _: [Spent(amount=1)]).then_state_matching(never_negative)
''',
    ),
    "repeatable": (
        flawed.counting,
        {},
        RuleBroken,
        '''\
def test_pay_keeps_the_rule_repeatable() -> None:
    """Pay keeps the rule 'repeatable'."""
''',
    ),
    "decide raises": (
        flawed.dividing,
        {},
        ZeroDivisionError,
        '''\
def test_pay_does_not_raise_zero_division_error() -> None:
    """Pay is carried out or refused, and does not raise ZeroDivisionError."""
    spec(dividing).when(Pay(aggregate_id="p1", amount=7))
''',
    ),
    "evolvable": (
        flawed.crashing,
        {},
        RuleBroken,
        '''\
def test_pay_keeps_the_rule_evolvable() -> None:
    """Pay keeps the rule 'evolvable'."""
    spec(crashing).when(Pay(aggregate_id="p1", amount=1001)).then(Paid(amount=1001))
''',
    ),
    "evolve changes a list": (
        flawed.appending,
        {},
        RuleBroken,
        '''\
def test_pay_keeps_the_rule_unchanged() -> None:
    """Pay keeps the rule 'unchanged'."""
    spec(appending).when(Pay(aggregate_id="n1", amount=0)).then(Paid(amount=0))
''',
    ),
    "decide changes a list": (
        flawed.taking,
        {},
        RuleBroken,
        '''\
def test_spend_keeps_the_rule_unchanged() -> None:
    """Spend keeps the rule 'unchanged'."""
    (
        spec(taking)
        .given(Paid(amount=0))
        .when(Spend(aggregate_id="n1", amount=0))
        .then(Spent(amount=0))
    )
''',
    ),
    "stored": (
        flawed.weighing,
        {},
        RuleBroken,
        '''\
def test_pay_keeps_the_rule_stored() -> None:
    """Pay keeps the rule 'stored'."""
    spec(weighing).when(Pay(aggregate_id="s1", amount=0)).then(Weighed(grams=0))
''',
    ),
    "snapshot": (
        flawed.rounding,
        {},
        RuleBroken,
        '''\
def test_pay_keeps_the_rule_snapshot() -> None:
    """Pay keeps the rule 'snapshot'."""
    spec(rounding).when(Pay(aggregate_id="s1", amount=0)).then(Paid(amount=0))
''',
    ),
    "goes on from a snapshot": (
        flawed.forgetful,
        {},
        RuleBroken,
        '''\
def test_pay_keeps_the_rule_snapshot() -> None:
    """Pay keeps the rule 'snapshot'."""
    (
        spec(forgetful)
        .given(Paid(amount=0))
        .when(Pay(aggregate_id="f1", amount=1))
        .then(Paid(amount=1))
    )
''',
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_smallest_case_is_printed_as_a_test_that_fails(case: str) -> None:
    """Whatever is wrong, few commands with small values show it, in source that can be pasted."""
    aggregate, arguments, error, expected = CASES[case]
    counterexample = found(aggregate, **arguments)
    assert expected == body(counterexample.spec)[: len(expected)]
    with pytest.raises(error):
        pasted(counterexample.spec)()
