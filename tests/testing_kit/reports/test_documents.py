"""The report of a small domain, as it is written."""

from pathlib import Path

import pytest

from tests.testing_kit.reports.conftest import Run

pytest_plugins = ["pytester"]

GOLDEN = Path(__file__).with_name("golden.md")
BACKWARDS = "def pytest_collection_modifyitems(items): items.reverse()"
FEW = """
from eventhus_testing import spec
from tests.testing_kit.reports.library import *

def test_it():
    spec(book).when(ReturnBook(aggregate_id="b1")).then_nothing()
"""


def test_the_text_of_a_report(run: Run, specs: str, pytester: pytest.Pytester) -> None:
    """Every line of it: to change it on purpose, copy what the run wrote over the golden file."""
    run(specs, "--eventhus-report=out/specs").assert_outcomes(
        passed=15, failed=1, xfailed=1, skipped=1
    )
    assert GOLDEN.read_text() == (pytester.path / "out/specs/specs.md").read_text()


@pytest.mark.parametrize("options", [(), ("-p", "backwards"), ("-p", "xdist", "-n", "2")])
def test_a_report_is_the_same_each_time(
    run: Run,
    specs: str,
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
) -> None:
    """Neither the order of tests, nor the seed of hashes, nor workers make a difference."""
    pytester.makepyfile(backwards=BACKWARDS)
    monkeypatch.setenv("PYTHONPATH", str(pytester.path), prepend=":")
    monkeypatch.setenv("PYTHONHASHSEED", str(len(options)))
    run(specs, "--eventhus-report=out", *options, in_process=False).assert_outcomes(
        passed=15, failed=1, xfailed=1, skipped=1
    )
    assert GOLDEN.read_text() == (pytester.path / "out/specs.md").read_text()


def test_a_page_says_what_the_text_says(run: Run, specs: str, pytester: pytest.Pytester) -> None:
    """It needs nothing from elsewhere, and what values hold is text there, never markup."""
    run(specs, "--eventhus-report=out")
    page = (pytester.path / "out/index.html").read_text()
    for words in (
        "Some books stay in the &lt;reading_room&gt;.",
        '<b>Lend book</b> <span class="field"><i>reader</i> ann</span>',
        '<span class="note">       ? until: expected',
        "and 95 more",
    ):
        assert words in page
    for foreign in ("http", "<script", "@import", "url(", "<reading_room>"):
        assert foreign not in page


def test_nothing_is_written_unless_asked(run: Run, pytester: pytest.Pytester) -> None:
    """A run without the options is a run without the plugin's reports."""
    result = run(FEW)
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*eventhus: behaviour*")
    assert [] == [*pytester.path.rglob("specs.md")]


def test_a_run_that_tests_nothing_writes_nothing(run: Run, pytester: pytest.Pytester) -> None:
    """To list the tests must not replace a report by an empty one."""
    run(FEW, "--collect-only", "--eventhus-report=out")
    assert [] == [*pytester.path.rglob("specs.md")]


def test_a_report_of_nothing(run: Run, pytester: pytest.Pytester) -> None:
    """Tests that specify nothing make an empty report."""
    result = run("def test_it(): pass", "--eventhus-report=out")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["no spec of an aggregate ran"])
    text = (pytester.path / "out/specs.md").read_text()
    assert "# Specifications\n\n0 of 0 specs hold.\n" == text


def test_a_file_is_no_place_for_a_report(run: Run) -> None:
    """It is said before the tests run, not after."""
    result = run(FEW, "--eventhus-report=test_it.py")
    assert pytest.ExitCode.USAGE_ERROR == result.ret
    result.stderr.fnmatch_lines(["ERROR: --eventhus-report=test_it.py is a file; name a directory"])


def test_a_test_that_runs_again_tells_its_last_run(run: Run, pytester: pytest.Pytester) -> None:
    """Plugins repeat a test that failed; what it did before is forgotten."""
    pytester.makeconftest(AGAIN)
    result = run(FLAKY, "--eventhus-report=out")
    result.assert_outcomes(passed=1)
    assert "1 of 1 specs hold." in (pytester.path / "out/specs.md").read_text()


AGAIN = """
import pytest
from _pytest.runner import runtestprotocol

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    runtestprotocol(item, nextitem=nextitem, log=False)
    runtestprotocol(item, nextitem=nextitem)
    return True
"""
FLAKY = """
from eventhus_testing import spec
from tests.testing_kit.reports.library import *

runs = []

def test_it():
    outcome = spec(book).when(ReturnBook(aggregate_id="b1"))
    runs.append(outcome)
    assert len(runs) == 2
    outcome.then_nothing()
"""
