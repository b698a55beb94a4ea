"""The report of a small domain, as it is written."""

import subprocess
import sys
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
        passed=20, failed=1, xfailed=1, skipped=1
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
        passed=20, failed=1, xfailed=1, skipped=1
    )
    assert GOLDEN.read_text() == (pytester.path / "out/specs.md").read_text()


def test_a_page_says_what_the_text_says(run: Run, specs: str, pytester: pytest.Pytester) -> None:
    """It needs nothing from elsewhere, and what values hold is text there, never markup."""
    run(specs, "--eventhus-report=out")
    page = (pytester.path / "out/index.html").read_text()
    for words in (
        "Some books stay in the &lt;reading_room&gt;.",
        '<b>Lend book</b> <span class="field short"><i>reader</i>&nbsp;ann</span>',
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


def test_a_broken_rule_is_told(run: Run, pytester: pytest.Pytester) -> None:
    """What it cut short is a spec that fails, and its text is the one of the test."""
    run(BROKEN, "--eventhus-report=out").assert_outcomes(failed=1)
    text = (pytester.path / "out/specs.md").read_text()
    assert "### ✗ It stumbles\n\n- *Given* nothing\n- *When* **Return book**\n\n```text\n" in text
    assert "\nBook: rule 'evolvable' is broken (rules=Rules(evolvable=False) switches" in text


BROKEN = """
import attrs
from eventhus_testing import spec
from tests.testing_kit.reports.library import *

def decide(command: ReturnBook, state: Book) -> list[BookReturned]: return [BookReturned()]
def evolve(state: Book, event: BookReturned) -> Book: return None
book = Aggregate(name="Book", initial=Book(), decide=decide, evolve=evolve)

def test_it_stumbles():
    spec(book).when(ReturnBook(aggregate_id="b1")).then(BookReturned())
"""


def test_a_generated_failure_is_told_once(run: Run, pytester: pytest.Pytester) -> None:
    """It is the one that hypothesis found to be the smallest."""
    run(FALSIFIED, "--eventhus-report=out").assert_outcomes(failed=1)
    text = (pytester.path / "out/specs.md").read_text()
    assert 1 == text.count("- *When*")
    assert "- *When* **Lend book**: reader reader-17, until 2031-03-04\n" in text


FALSIFIED = """
from hypothesis import given, settings, strategies as st
from eventhus_testing import spec
from tests.testing_kit.reports.library import *

@given(st.integers(0, 1000))
@settings(derandomize=True, database=None)
def test_any_reader(number):
    reader = f"reader-{number}"
    outcome = spec(book).when(LendBook(aggregate_id="b", reader=reader, until=date(2031, 3, 4)))
    if number < 17:
        outcome.then_only(BookLent)
    else:
        outcome.then_nothing()
"""


def test_reports_cost_nothing_where_there_are_none() -> None:
    """Every test run of everybody who installed eventhus imports the plugin."""
    script = "import eventhus_testing.plugin, sys; print(*sys.modules, sep='\\n')"
    command = [sys.executable, "-c", script]
    loaded = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert "eventhus_testing.notebook" in loaded
    assert [] == [name for name in loaded if name.startswith("eventhus_testing.reports")]


def test_what_is_not_known_is_left_out(run: Run, pytester: pytest.Pytester) -> None:
    """Outcomes of other kinds are checked as all are, and told by nobody."""
    result = run(UNKNOWN, "--eventhus-report=out")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["'a saga' was not checked: a when needs a then"])
    assert "0 of 0 specs hold." in (pytester.path / "out/specs.md").read_text()


UNKNOWN = """
from eventhus_testing.notebook import Check, note

def test_checked(): note("a saga").checks.append(Check("then_happy"))
def test_unchecked(): note("a saga")
"""
