"""Tests of coloured failures on terminals, and plain ones elsewhere."""

from types import SimpleNamespace
from typing import Any
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
    """Return output with names for the colour codes and without margins."""
    for code, name in CODES.items():
        output = output.replace(code, name)
    return "\n".join(" ".join(line.split()) for line in output.splitlines())


@pytest.mark.parametrize("options", [(), ("--tb=short",), ("-p", "xdist", "-n", "1")])
def test_expected_actual_and_note_lines_are_coloured_on_a_terminal(
    run: Run, options: tuple[str, ...]
) -> None:
    assert COLOURED in readable(run(FAILING, "--color=yes", *options).stdout.str())


def test_failures_of_other_assertions_keep_their_colours(run: Run) -> None:
    shown = readable(run(FAILING, "--color=yes").stdout.str())
    assert "\n<bold red> E AssertionError: assert '- a' == '+ a' <off>\n" in shown
    assert 1 == shown.count("<green> E")


@pytest.mark.parametrize("options", [(), ("-p", "xdist", "-n", "1")])
def test_output_without_colours_has_no_escapes(run: Run, options: tuple[str, ...]) -> None:
    result = run(FAILING, "--color=no", *options)
    assert "\x1b" not in result.stdout.str()
    result.stdout.fnmatch_lines(["E  *then   - BookReturned(late=True)"])


def test_result_files_have_no_escapes_although_the_terminal_has_colours(
    run: Run, pytester: pytest.Pytester
) -> None:
    run(FAILING, "--color=yes", "--junitxml=results.xml", "-k", "test_one")
    results = ET.parse(pytester.path / "results.xml")
    (failure,) = results.iter("failure")
    assert "then   - BookReturned(late=True)" in str(failure.text)
    assert "x1B" not in (pytester.path / "results.xml").read_text()


def test_reports_are_restored_after_the_summary() -> None:
    with pytest.raises(AssertionError) as failure:
        raise AssertionError("Book: it failed (- expected, + actual)\n\nthen   - a\n       + b")
    plain = failure.getrepr()
    report = SimpleNamespace(longrepr=plain)
    with coloured([report, SimpleNamespace(longrepr="another"), SimpleNamespace(longrepr=None)]):
        assert plain is not report.longrepr
        assert str(plain) == str(report.longrepr)
    assert plain is report.longrepr


def test_the_lines_of_a_wrapped_value_have_the_colour_of_its_first_line() -> None:
    written: list[tuple[str, dict[str, bool]]] = []

    def toterminal(writer: Any) -> None:
        for text in (
            "E       Book: it failed (- expected, + actual)",
            "E       then   - Book(",
            "E                    reader='ann',",
            "E                )",
            "E              + Book()",
            "E                Reader()",
            "test_it.py:1: AssertionError",
        ):
            writer.line(text, bold=True)

    crash = SimpleNamespace(message="Book: it failed (- expected, + actual)\n\n")
    report: Any = SimpleNamespace(
        longrepr=SimpleNamespace(reprcrash=crash, toterminal=toterminal),
    )
    writer = SimpleNamespace(line=lambda text, **markup: written.append((text, markup)))
    with coloured([report]):
        report.longrepr.toterminal(writer)
    red, green = {"red": True}, {"green": True}
    colours = [markup for _, markup in written]
    assert colours == [{"bold": True}, red, red, red, green, {}, {"bold": True}]
