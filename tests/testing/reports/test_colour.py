"""Failures of specs in colours on a terminal, and plain everywhere else."""

from types import SimpleNamespace
from xml.etree import ElementTree as ET

import pytest

from eventhus_testing.texts.colour import coloured
from tests.testing.reports.conftest import Run

pytest_plugins = ["pytester"]

FAILING = """
from eventhus_testing import spec
from tests.testing.reports.library import *

lent = BookLent("ann", date(2031, 3, 4))
back = ReturnBook(aggregate_id="b1")

def test_one():
    for _ in [0]:
        spec(book).given(lent).when(back).then(BookReturned(late=True))
def test_other():
    assert "- a" == "+ a"
"""
COLOURED = """
<bold red> E AssertionError: Book: ReturnBook produced other events than expected (- expected, \
+ actual) <off>
<bold red> E <off>
E given BookLent(reader='ann', until=datetime.date(2031, 3, 4))
E state Book(shelf=None, reader='ann')
E when ReturnBook(aggregate_id='b1')
<red> E then - BookReturned(late=True) <off>
<green> E + BookReturned(late=False) <off>
<bold yellow> E ? late: expected True, actual False <off>
"""
CODES = {
    "\x1b[1m\x1b[31m": "<bold red> ",
    "\x1b[33m\x1b[1m": "<bold yellow> ",
    "\x1b[31m": "<red> ",
    "\x1b[32m": "<green> ",
    "\x1b[0m": " <off>",
}


def readable(output: str) -> str:
    """What a terminal was sent, with names for the colours and without margins."""
    for code, name in CODES.items():
        output = output.replace(code, name)
    return "\n".join(" ".join(line.split()) for line in output.splitlines())


@pytest.mark.parametrize("options", [(), ("--tb=short",), ("-p", "xdist", "-n", "1")])
def test_a_terminal_shows_colours(run: Run, options: tuple[str, ...]) -> None:
    """What was expected is red, what came is green, notes are yellow; the rest is calm."""
    assert COLOURED in readable(run(FAILING, "--color=yes", *options).stdout.str())


def test_other_failures_stay_as_they_are(run: Run) -> None:
    """Lines of theirs may look alike."""
    shown = readable(run(FAILING, "--color=yes").stdout.str())
    assert "\n<bold red> E AssertionError: assert '- a' == '+ a' <off>\n" in shown
    assert 1 == shown.count("<green> E")


@pytest.mark.parametrize("options", [(), ("-p", "xdist", "-n", "1")])
def test_logs_are_plain(run: Run, options: tuple[str, ...]) -> None:
    """Not one escape where there are no colours."""
    result = run(FAILING, "--color=no", *options)
    assert "\x1b" not in result.stdout.str()
    result.stdout.fnmatch_lines(["E  *then   - BookReturned(late=True)"])


def test_files_of_results_are_plain(run: Run, pytester: pytest.Pytester) -> None:
    """Colours are put on where a report is shown, not into it."""
    run(FAILING, "--color=yes", "--junitxml=results.xml", "-k", "test_one")
    results = ET.parse(pytester.path / "results.xml")
    (failure,) = results.iter("failure")
    assert "then   - BookReturned(late=True)" in str(failure.text)
    assert "x1B" not in (pytester.path / "results.xml").read_text()


def test_reports_are_left_as_they_were() -> None:
    """Whoever reads them after the summary finds what pytest put there."""
    with pytest.raises(AssertionError) as failure:
        raise AssertionError("Book: it failed (- expected, + actual)\n\nthen   - a\n       + b")
    plain = failure.getrepr()
    report = SimpleNamespace(longrepr=plain)
    with coloured([report, SimpleNamespace(longrepr="another"), SimpleNamespace(longrepr=None)]):
        assert plain is not report.longrepr
        assert str(plain) == str(report.longrepr)
    assert plain is report.longrepr
