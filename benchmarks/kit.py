"""The cost of a spec, next to the same checks written by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

from benchmarks.harness import Case, Contender, Sample, Stopwatch, report
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


def lines(random: Random) -> Iterator[str]:
    """Measure everything. Yields the lines of the table."""
    case = Case(
        "a spec with two events given",
        [
            Contender(name="by hand: fold, decide, compare", sample=sample(by_hand)),
            Contender(name="spec, no rules", sample=sample(lambda: one_spec(NO_RULES))),
            Contender(
                name="spec, all rules", sample=sample(lambda: one_spec(Rules())), goal="< 100 us"
            ),
        ],
    )
    yield ""
    yield from report(case, rounds=ROUNDS, random=random)


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
        with Stopwatch() as stopwatch:
            for _ in range(SPECS):
                check()
        return stopwatch.seconds / SPECS

    return measure
