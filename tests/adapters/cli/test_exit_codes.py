"""Every failure has an exit code and one line."""

from __future__ import annotations

import pytest
from click.testing import CliRunner, Result

from eventhus import StreamId, errors
from eventhus_cli.options import Group
from eventhus_cli.root import Root
from eventhus_cli.session import Session, operating

FAILURES: dict[str, tuple[Exception, int]] = {
    "the store is away": (errors.StoreUnavailable("bank", "it did not answer"), 3),
    "the bus is away": (errors.BusUnavailable("bank", "it did not answer"), 3),
    "a right is missing": (errors.AccessDenied("bank", "no right to read"), 3),
    "the outcome is unknown": (
        errors.OutcomeUnknown("bank", "it did not answer", StreamId("Account", "a1"), "c1"),
        3,
    ),
    "a network failed": (ConnectionResetError("reset by peer"), 3),
    "time is up": (TimeoutError(), 3),
    "an argument is wrong": (errors.InvalidArgument("limit is 0"), 2),
    "parts do not fit": (errors.CompositionError("no codec"), 2),
    "a key stays parked": (errors.KeyParked("view rates", "a1", 4, "ArithmeticError"), 1),
    "somebody is at work": (errors.ReaderBusy("view rates"), 1),
    "a defect": (ZeroDivisionError("division by zero"), 70),
}


def run(error: Exception, *args: str) -> Result:
    """Run a command that raises."""
    root: Group = Root("eventhus")

    @root.command()
    @operating()
    async def fail(session: Session) -> None:
        raise error

    app = ["--app", "tests.adapters.cli.sample:empty"]
    return CliRunner().invoke(root, ["fail", *app, *args])


@pytest.mark.parametrize("failure", FAILURES)
def test_each_failure_has_its_code_and_one_line(failure: str) -> None:
    error, code = FAILURES[failure]
    result = run(error)
    assert (code, "") == (result.exit_code, result.stdout)
    (line,) = result.stderr.splitlines()
    assert line.startswith("eventhus: ")


def test_a_defect_shows_where_it_is_only_while_debugging() -> None:
    error = ZeroDivisionError("mongodb://ada:secret@db1")
    assert "Traceback" not in run(error).stderr
    shown = run(error, "--debug").stderr
    assert "Traceback" in shown
    assert "secret" not in shown
