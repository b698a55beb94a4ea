"""The cost of a spec, next to the same checks written by hand."""

from __future__ import annotations

from collections.abc import Callable
from time import process_time

from benchmarks.harness import Case, Contender, Sample, Stopwatch
from benchmarks.report import Report
from eventhus_testing import Rules, spec
from examples.bank.account import (
    AccountCreated,
    DepositPerformed,
    PerformWithdrawal,
    WithdrawalPerformed,
    account,
)

LIBRARIES = ("eventhus", "attrs", "cattrs")

ROUNDS = 11
SPECS = 500  # in one sample

HISTORY = (AccountCreated("ada"), DepositPerformed(100))
COMMAND = PerformWithdrawal(aggregate_id="a1", amount=30)
EXPECTED = WithdrawalPerformed(30)

NO_RULES = Rules(
    unchanged=False, repeatable=False, declared=False, evolvable=False, stored=False, snapshot=False
)


def run(report: Report) -> None:
    """Measure everything."""
    by_hand_name = "by hand: fold, decide, compare"
    report.case(
        Case(
            "a spec with two events given",
            [
                Contender(name=by_hand_name, sample=sample(by_hand)),
                Contender(
                    name="spec, no rules",
                    sample=sample(lambda: one_spec(NO_RULES)),
                    against=by_hand_name,
                ),
                Contender(
                    name="spec, all rules",
                    sample=sample(lambda: one_spec(Rules())),
                    against=by_hand_name,
                    goal=0.1,
                ),
            ],
        )
    )


def by_hand() -> None:
    """Check by hand what the spec checks."""
    events = tuple(account.decide(COMMAND, account.fold(HISTORY)))
    assert events == (EXPECTED,)


def one_spec(rules: Rules) -> None:
    """Check the same with a spec."""
    spec(account, rules=rules).given(*HISTORY).when(COMMAND).then(EXPECTED)


def sample(check: Callable[[], None]) -> Sample:
    """Measure one check, many times in a row."""

    def measure() -> float:
        with Stopwatch(process_time) as stopwatch:
            for _ in range(SPECS):
                check()
        return stopwatch.seconds / SPECS

    return measure
