"""Tests of ``check_aggregate`` and of the counterexamples that it prints."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import attrs
import hypothesis
import pytest
from hypothesis import strategies as st

import eventhus_testing
from eventhus import Aggregate
from eventhus.errors import CodecError
from eventhus.ports import EventData
from eventhus_cattrs import CattrsCodec
from eventhus_testing import Counterexample, NoStrategy, RuleBroken, Rules, check_aggregate
from examples.bank.account import account
from examples.cinema.screening import screening
from tests.testing.cart import cart
from tests.testing.rules import flawed

ROOT = Path(__file__).parents[3]
RUFF = Path(sys.executable).with_name("ruff")


def found(aggregate: Aggregate[Any, Any, Any], **arguments: Any) -> Counterexample:
    """Return the counterexample that ``check_aggregate`` raises."""
    with pytest.raises(Counterexample) as caught:
        check_aggregate(aggregate, **arguments)
    return caught.value


def pasted(spec: str) -> Callable[[], None]:
    """Execute source, and return the test function that it defines."""
    names: dict[str, Any] = {}
    exec(compile(spec, "pasted.py", "exec"), names)
    (test,) = (value for name, value in names.items() if name.startswith("test_"))
    return test  # type: ignore[no-any-return]


def body(spec: str) -> str:
    """Return a spec without its imports."""
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


@pytest.mark.parametrize(
    "aggregate", [flawed.purse, cart, account, screening], ids=lambda each: each.name
)
def test_a_correct_aggregate_passes(aggregate: Aggregate[Any, Any, Any]) -> None:
    check_aggregate(aggregate, settings=hypothesis.settings(max_examples=30))


def test_an_aggregate_that_mutates_its_state_changes_only_a_copy() -> None:
    appending = attrs.evolve(flawed.appending, initial=flawed.Notes())
    found(appending)
    assert flawed.Notes() == appending.initial


def test_disabled_rules_are_checked_neither_here_nor_in_the_printed_test() -> None:
    off = Rules(stored=False, snapshot=False)
    check_aggregate(flawed.weighing, rules=off)
    counterexample = found(flawed.weighing, rules=off, invariant=lambda scale: scale.total < 5)
    assert "spec(weighing, rules=Rules(stored=False, snapshot=False))" in counterexample.spec
    with pytest.raises(AssertionError):
        pasted(counterexample.spec)()


def test_only_refined_commands_are_tried() -> None:
    check_aggregate(
        flawed.overdrawn,
        refine={flawed.Spend: {"amount": st.just(0)}},
        invariant=flawed.never_negative,
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
        "# is_fine is the one that was passed to check_aggregate; make it visible here\n"
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


def test_needless_commands_are_removed_even_without_shrinking() -> None:
    counterexample = found(
        flawed.purse,
        refine={int: st.just(1)},
        invariant=lambda state: state.balance < 3,
        settings=hypothesis.settings(phases=[hypothesis.Phase.generate], derandomize=True),
    )
    assert "\n        .given(Paid(amount=1), Paid(amount=1))\n" in counterexample.spec


def test_commands_follow_the_stored_events() -> None:
    """Without the stored events, no short history reaches this balance."""
    stored = [EventData("Paid", {"amount": 1002}), EventData("Spent", {"amount": 2, "reason": ""})]
    check_aggregate(flawed.purse, stored=stored, settings=hypothesis.settings(max_examples=5))
    counterexample = found(
        flawed.purse,
        stored=stored,
        refine={int: st.just(1)},
        invariant=lambda state: state.balance != 1001,
    )
    assert (
        body(counterexample.spec)
        == '''\
def test_pay_keeps_the_invariant() -> None:
    """After Pay, the invariant holds."""
    (
        spec(purse)
        .given(Paid(amount=1002), Spent(amount=2))
        .when(Pay(aggregate_id="p1", amount=1))
        .then_state_matching(lambda state: state.balance != 1001)
    )
'''
    )


STORED: dict[str, tuple[Sequence[EventData], Any, type[Exception], str]] = {
    "unreadable": (
        [EventData("Paid", {"amount": 1}), EventData("Paid", {"money": 1})],
        None,
        CodecError,
        '''\
def test_purse_reads_stored_events() -> None:
    """Stored events can be read and folded."""
    spec(purse).when_stored(
        EventData(type="Paid", data={"amount": 1}), EventData(type="Paid", data={"money": 1})
    )
''',
    ),
    "invariant": (
        [EventData("Paid", {"amount": 1})],
        lambda state: state.balance < 1,
        AssertionError,
        '''\
def test_stored_events_keep_the_invariant() -> None:
    """After the stored events, the invariant holds."""
    (
        spec(purse)
        .when_stored(EventData(type="Paid", data={"amount": 1}))
        .then_state_matching(lambda state: state.balance < 1)
    )
''',
    ),
}


@pytest.mark.parametrize("case", STORED)
def test_unreadable_or_invalid_stored_events_are_printed_as_a_test(case: str) -> None:
    stored, invariant, error, expected = STORED[case]
    counterexample = found(flawed.purse, stored=stored, invariant=invariant)
    with pytest.raises(error):
        pasted(counterexample.spec)()
    assert expected == body(counterexample.spec)


def test_a_flaky_breach_is_reported_with_a_remark() -> None:
    counterexample = found(flawed.moody)
    assert "It is flaky" in str(counterexample)
    assert "raises LookupError" in str(counterexample)
    assert "LookupError: not today (in _is_moody, " in str(counterexample)


def test_a_class_that_refuses_all_values_is_not_a_counterexample() -> None:
    with pytest.raises(NoStrategy, match=r"^Spoil\.amount: 100 random values in a row"):
        check_aggregate(flawed.spoiling)


def test_the_number_of_runs_follows_the_settings() -> None:
    ids: list[int] = []

    def seen(state: flawed.Purse) -> bool:
        ids.append(id(state))
        return True

    refine: Any = {flawed.Pay: {"amount": st.integers(1, 2**31)}}
    few = hypothesis.settings(max_examples=1)
    check_aggregate(flawed.purse, invariant=seen, refine=refine, settings=few)
    assert 0 == len(ids)  # the simplest run has no command
    check_aggregate(flawed.purse, invariant=seen, refine=refine)
    assert len(ids) > 10


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


def test_suppressed_health_checks_stay_suppressed() -> None:
    refine: Any = {flawed.Pay: {"amount": st.integers(1, 2**31).filter(lambda n: n % 97 == 0)}}
    lenient = hypothesis.settings(
        max_examples=10, suppress_health_check=list(hypothesis.HealthCheck)
    )
    check_aggregate(flawed.purse, refine=refine, settings=lenient)


def test_health_checks_that_a_profile_suppresses_stay_suppressed() -> None:
    refine: Any = {flawed.Pay: {"amount": st.integers(1, 2**31).filter(lambda n: n % 97 == 0)}}
    before = hypothesis.settings()
    lenient = hypothesis.settings(
        max_examples=10, suppress_health_check=list(hypothesis.HealthCheck)
    )
    hypothesis.settings.register_profile("lenient", lenient)
    hypothesis.settings.register_profile("before", before)
    try:
        hypothesis.settings.load_profile("lenient")
        check_aggregate(flawed.purse, refine=refine)
    finally:
        hypothesis.settings.load_profile("before")


async def never(_: object) -> bool:
    return False


def never_yielded(_: object) -> Any:
    yield False


def answers_text(_: object) -> Any:
    return "overdrawn"


@pytest.mark.parametrize(
    ("invariant", "found"),
    [
        (never, "a coroutine"),
        (never_yielded, "a generator"),
        (answers_text, "'overdrawn'"),
    ],
)
def test_an_invariant_that_returns_no_truth_value_is_refused(invariant: Any, found: str) -> None:
    with pytest.raises(TypeError) as caught:
        check_aggregate(flawed.purse, invariant=invariant)
    assert f"{invariant.__name__} returned {found}" in str(caught.value)
