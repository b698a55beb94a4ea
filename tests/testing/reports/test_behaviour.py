"""Tests of the coverage of behaviour, and of ``--eventhus-fail-under``."""

import pytest

from tests.testing.reports.conftest import Run

pytest_plugins = ["pytester"]

IMPORTS = """
from eventhus_testing import spec
from tests.testing.reports.library import *

back = ReturnBook(aggregate_id="b1")
"""
RETURNED = (
    IMPORTS
    + """
def test_it():
    lent = spec(book).given(BookLent("ann", date(2031, 3, 4)))
    lent.when(back).then(BookReturned())
"""
)
# The specs exercise 1 of 4 commands, 1 of 4 events and 0 of 3 refusals.
PERCENT = 100 * 2 / 11

LITTLE = {
    "given only": "spec(book).given(BookReturned())",
    "a failure that is expected": """
    with pytest.raises(AssertionError):
        spec(book).when(back).then(BookReturned())
    """,
    "history made by commands": "spec(book).given_commands(back)",
}


@pytest.mark.parametrize("in_report", [True, False])
def test_the_terminal_lists_what_no_spec_exercises(run: Run, *, in_report: bool) -> None:
    options = ["--eventhus-report=out"] if in_report else ["--eventhus-fail-under=10"]
    result = run(RETURNED, *options)
    assert pytest.ExitCode.OK == result.ret
    result.stdout.fnmatch_lines(
        [
            "*= eventhus: behaviour =*",
            "Book: 1 of 4 commands, 1 of 4 events, 0 of 3 refusals",
            "  no spec exercises AcquireBook, LendBook, RepairBook, BookAcquired, *BookRepaired,",
            "  AlreadyLent, NotForLending, Torn",
            "2 of 11 types exercised, 18.1 %",
        ]
    )


@pytest.mark.parametrize("percent", [PERCENT + 0.01, 19, 100])
@pytest.mark.parametrize("options", [(), ("--eventhus-report=out",), ("-p", "xdist", "-n", "1")])
def test_a_run_below_the_threshold_fails_although_its_tests_pass(
    run: Run, percent: float, options: tuple[str, ...]
) -> None:
    result = run(RETURNED, f"--eventhus-fail-under={percent}", *options)
    result.assert_outcomes(passed=1)
    assert pytest.ExitCode.TESTS_FAILED == result.ret
    result.stdout.fnmatch_lines(
        [f"FAIL --eventhus-fail-under={percent:g}: 2 of 11 types exercised, 18.1 %"]
    )


@pytest.mark.parametrize("percent", [0, 18, PERCENT])
def test_a_run_at_the_threshold_passes(run: Run, percent: float) -> None:
    assert pytest.ExitCode.OK == run(RETURNED, f"--eventhus-fail-under={percent!r}").ret


@pytest.mark.parametrize("share", ["much", "", "-1", "100.1", "nan", "inf", "80%"])
def test_an_invalid_threshold_is_refused_before_tests_run(run: Run, share: str) -> None:
    result = run(RETURNED, f"--eventhus-fail-under={share}")
    assert pytest.ExitCode.USAGE_ERROR == result.ret
    result.stderr.fnmatch_lines(
        [f"*--eventhus-fail-under: '{share}' is not a percentage from 0 to 100"]
    )


def test_a_run_without_specs_of_aggregates_fails_any_threshold(run: Run) -> None:
    result = run("def test_it(): pass", "--eventhus-fail-under=1")
    assert pytest.ExitCode.TESTS_FAILED == result.ret
    result.stdout.fnmatch_lines(["FAIL --eventhus-fail-under=1: no spec of an aggregate ran"])


@pytest.mark.parametrize("test", LITTLE.values(), ids=LITTLE.keys())
def test_given_events_and_failed_specs_are_not_exercised(run: Run, test: str) -> None:
    tests = f"import pytest\n{IMPORTS}\ndef test_it():\n    {test}\n"
    tests += "def test_other(): spec(book).when(back).then_nothing()\n"
    result = run(tests, "--eventhus-report=out")
    result.stdout.fnmatch_lines(["Book: 1 of 4 commands, 0 of 4 events, 0 of 3 refusals"])


def test_a_failing_test_exercises_nothing(run: Run) -> None:
    result = run(RETURNED.replace("BookReturned())", "BookReturned(True))"), "--eventhus-report=o")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["Book: 0 of 4 commands, 0 of 4 events, 0 of 3 refusals"])


NEIGHBOURS = """
from attrs import frozen
from eventhus import Aggregate, Command, Rejected
from eventhus_testing import spec

@frozen
class Go(Command): pass
@frozen
class Stop(Command): pass
class Never(Rejected): pass
class Unmoved(Rejected): pass
@frozen
class Gone: pass

def go(command: Go, state: int) -> list[Gone]: return [Gone()]
def stop(command: Stop, state: int) -> list[Gone]: raise Unmoved("it stands")
def evolve(state: int, event: Gone) -> int: return state + 1

going = Aggregate(name="Going", initial=0, decide=go, evolve=evolve)
stopping = Aggregate(name="Stopping", initial=0, decide=stop, evolve=evolve)

def test_going(): spec(going).when(Go(aggregate_id="g")).then(Gone())
def test_stopping(): spec(stopping).when(Stop(aggregate_id="s")).then_rejected(Unmoved)
"""


def test_an_exercised_refusal_belongs_only_to_the_aggregate_that_raised_it(run: Run) -> None:
    """Refusals that no spec exercises belong to every aggregate of the module."""
    result = run(NEIGHBOURS, "--eventhus-report=out")
    result.stdout.fnmatch_lines(
        [
            "Going: 1 of 1 commands, 1 of 1 events, 0 of 1 refusals",
            "  no spec exercises Never",
            "Stopping: 1 of 1 commands, 0 of 1 events, 1 of 2 refusals",
            "  no spec exercises Gone, Never",
        ]
    )


def test_the_help_describes_the_options_in_their_own_group(run: Run) -> None:
    result = run("", "--help")
    result.stdout.fnmatch_lines(["eventhus: specs as documentation:", "*--eventhus-report=DIR*"])


def test_decisions_and_transactions_count_with_what_they_can_lead_to(
    run: Run, pytester: pytest.Pytester
) -> None:
    """A decision reads events of others, which it never produces."""
    result = run(
        """
from collections.abc import Iterator
from attrs import evolve as change
from eventhus import Command
from eventhus_testing import spec
from examples.bank.account import *
from examples.bank.transfer import Transfer, transfer
from examples.courses.enrolment import *
from examples.courses import enrolment as courses

def decide(command: Subscribe | Unsubscribe, state: Enrolment) -> Iterator[StudentSubscribed]:
    return courses.decide(command, state)

seats = change(courses.enrolment, decide=decide, commands=(Subscribe, Unsubscribe))

def test_seat():
    spec(seats).given(CourseDefined("c1", 1)).when(
        Subscribe(aggregate_id="c1", student="ann")
    ).then(StudentSubscribed("c1", "ann"))

def test_transfer():
    (
        spec(transfer)
        .given(account, "a1", AccountCreated("ann"), DepositPerformed(9))
        .given(account, "b1", AccountCreated("bob"))
        .when(Transfer(aggregate_id="a1", to="b1", amount=3))
        .then(account, "a1", WithdrawalPerformed(3))
        .then(account, "b1", DepositPerformed(3))
        .then_state(account, "b1", Account("bob", 3))
    )
    spec(transfer).when(Transfer(aggregate_id="a1", to="a1", amount=3)).then_rejected(Rejected)
""",
        "--eventhus-report=out",
    )
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        [
            "Enrolment: 1 of 2 commands, 1 of 1 events, 0 of * refusals",
            "  no spec exercises Unsubscribe,*",
            "Transfer: 1 of 1 commands, 0 of 0 events, 1 of 1 refusals",
        ]
    )
    text = (pytester.path / "out/specs.md").read_text()
    assert "Account b1" in text
