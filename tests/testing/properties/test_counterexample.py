"""Tests of the tests that a counterexample prints."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs
import pytest

import eventhus_testing
from eventhus import Aggregate
from eventhus_cattrs import CattrsCodec
from eventhus_testing import RuleBroken
from tests.testing.properties.counterexamples import body, found, pasted
from tests.testing.rules import flawed

ROOT = Path(__file__).parents[3]

RUFF = Path(sys.executable).with_name("ruff")


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
    spec(counting).when(Pay(aggregate_id="p1", amount=0)).then_only(Spent)
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
    "snapshot between two events": (
        flawed.refunding,
        {},
        RuleBroken,
        '''\
def test_pay_keeps_the_rule_snapshot() -> None:
    """Pay keeps the rule 'snapshot'."""
    spec(refunding).when_called(lambda _: [Paid(amount=0)]).then(Paid(amount=0))
''',
    ),
    "undeclared": (
        flawed.undeclared,
        {},
        RuleBroken,
        '''\
def test_pay_keeps_the_rule_declared() -> None:
    """Pay keeps the rule 'declared'."""
    spec(undeclared).when(Pay(aggregate_id="s1", amount=0)).then(Paid(amount=0))
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
def test_a_bug_is_printed_as_a_minimal_failing_test(case: str, tmp_path: Path) -> None:
    aggregate, arguments, error, expected = CASES[case]
    counterexample = found(aggregate, **arguments)
    assert expected == body(counterexample.spec)[: len(expected)]
    with pytest.raises(error) as caught:
        pasted(counterexample.spec)()
    if error is RuleBroken:
        assert isinstance(caught.value, RuleBroken)
        assert f"rule {caught.value.rule!r} is broken" in str(counterexample)
    if RUFF.exists():
        module = tmp_path / "test_pasted.py"
        module.write_text(counterexample.spec, encoding="utf-8")
        ran = subprocess.run(
            [str(RUFF), "format", "--diff", "--isolated", "--line-length=100", str(module)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (0, "") == (ran.returncode, ran.stdout)


def test_a_counterexample_shows_headline_steps_and_test() -> None:
    counterexample = found(flawed.overdrawn, invariant=flawed.asserts_never_negative)
    is_installed = "site-packages" in (eventhus_testing.__file__ or "")
    gap = "\n" if is_installed else ""  # a group of imports for installed packages
    assert (
        str(counterexample)
        == f"""\
Purse: asserts_never_negative does not hold after Spend

given    nothing
state    Purse(balance=0)
when     Spend(aggregate_id='p1', amount=1, reason='')
then     Spent(amount=1, reason='')
state  + Purse(balance=-1)
       ? 1 missing

This test shows the smallest case found. Paste it: it fails until the bug is fixed.

from eventhus_testing import spec
{gap}from tests.testing.rules.flawed import Spend, asserts_never_negative, overdrawn


def test_spend_keeps_asserts_never_negative() -> None:
    \"""After Spend, asserts_never_negative holds.\"""
    outcome = spec(overdrawn).when(Spend(aggregate_id="p1", amount=1))
    asserts_never_negative(outcome.state)
"""
    )


CODEC = CattrsCodec()


def test_a_given_codec_is_imported_or_noted() -> None:
    shown = found(flawed.overdrawn, invariant=flawed.never_negative, codec=CODEC)
    assert "spec(overdrawn, codec=CODEC)" in shown.spec
    with pytest.raises(AssertionError):
        pasted(shown.spec)()
    hidden = found(flawed.overdrawn, invariant=flawed.never_negative, codec=CattrsCodec())
    assert hidden.spec.startswith("# codec is the one that was passed to check_aggregate\n")
    assert "spec(overdrawn, codec=codec)" in hidden.spec


def test_a_local_aggregate_and_invariant_are_noted() -> None:
    local = attrs.evolve(flawed.overdrawn, name="LocalPurse")

    def is_fine(state: flawed.Purse) -> bool:
        return state.balance >= 0

    assert found(local, invariant=is_fine).spec.startswith(
        "# local_purse is the aggregate that was passed to check_aggregate\n"
        "# is_fine is the one that was passed to the check; make it visible here\n"
    )


LEAST = 0


def test_a_printed_lambda_imports_its_globals_and_notes_its_locals() -> None:
    least = 0
    shown = found(flawed.overdrawn, invariant=lambda state: state.balance >= LEAST)
    assert ".then_state_matching(lambda state: state.balance >= LEAST)" in shown.spec
    assert f"from {__name__} import LEAST" in shown.spec
    with pytest.raises(AssertionError):
        pasted(shown.spec)()
    several = [lambda state: True, lambda state: state.balance >= least]
    assert found(flawed.overdrawn, invariant=several[1]).spec.startswith(
        "# least is local to the function around the lambda; define it here\n"
    )


USER = """
from eventhus_testing import check_aggregate
from tests.testing.rules.flawed import never_negative, overdrawn

def test_purse() -> None:
    check_aggregate(overdrawn, invariant=never_negative)

if __name__ == "__main__":
    test_purse()
"""


def test_pytest_and_python_print_the_test_unindented(tmp_path: Path) -> None:
    """Pytest puts an ``E`` before the lines of other errors."""
    module = tmp_path / "test_user.py"
    module.write_text(USER, encoding="utf-8")
    spec = found(flawed.overdrawn, invariant=flawed.never_negative).spec
    for command in (["-m", "pytest", "-p", "no:cacheprovider", "-q"], []):
        ran = subprocess.run(
            [sys.executable, *command, str(module)],
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert 1 == ran.returncode
        assert f"\n{spec}" in (ran.stdout or ran.stderr)
