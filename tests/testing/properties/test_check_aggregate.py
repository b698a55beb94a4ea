"""Tests of what ``check_aggregate`` finds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
import hypothesis
import pytest
from hypothesis import strategies as st

from eventhus import Aggregate
from eventhus.errors import CodecError
from eventhus.ports import EventData
from eventhus_testing import NoStrategy, Rules, check_aggregate
from eventhus_testing.properties.check_aggregate import _Check
from eventhus_testing.properties.counterexample import SpecArguments
from eventhus_testing.properties.search import Found
from eventhus_testing.rules.decider_checker import decider_checker
from eventhus_testing.rules.rules import ALL
from examples.bank.account import account
from examples.cinema.screening import screening
from tests.testing.cart import cart
from tests.testing.properties.counterexamples import body, found, pasted
from tests.testing.rules import flawed


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


def test_needless_commands_are_removed_even_without_shrinking() -> None:
    counterexample = found(
        flawed.purse,
        refine={int: st.just(1)},
        invariant=lambda state: state.balance < 3,
        settings=hypothesis.settings(phases=[hypothesis.Phase.generate], derandomize=True),
    )
    assert "\n        .given(Paid(amount=1), Paid(amount=1))\n" in counterexample.spec


def test_commands_are_needless_if_the_invariant_breaks_sooner_without_them() -> None:
    """The last command may be another one then."""
    check = _Check(
        SpecArguments(decider=flawed.purse),
        decider_checker(flawed.purse, ALL, None),
        lambda purse: purse.balance < 3,
    )
    pay, spend, swap = (
        each(aggregate_id="p1", amount=1) for each in (flawed.Pay, flawed.Spend, flawed.Swap)
    )
    with pytest.raises(Found) as caught:
        check.carry_out((), [pay, pay, spend, pay, swap])
    assert "does not hold after Swap\n" in str(caught.value.breach.counterexample())
    fewest = check.fewest(caught.value.breach).counterexample()
    assert "\n        .given(Paid(amount=1), Paid(amount=1))\n" in fewest.spec


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


RARE: Any = {flawed.Pay: {"amount": st.integers(1, 2**31).filter(lambda n: n % 97 == 0)}}
LENIENT = hypothesis.settings(
    max_examples=10, suppress_health_check=[hypothesis.HealthCheck.filter_too_much]
)


def test_suppressed_health_checks_stay_suppressed() -> None:
    check_aggregate(flawed.purse, refine=RARE, settings=LENIENT)


def test_health_checks_that_a_profile_suppresses_stay_suppressed() -> None:
    hypothesis.settings.register_profile("lenient", LENIENT)
    hypothesis.settings.register_profile("before", hypothesis.settings())
    try:
        hypothesis.settings.load_profile("lenient")
        check_aggregate(flawed.purse, refine=RARE)
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
