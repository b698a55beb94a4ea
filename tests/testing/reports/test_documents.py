"""Tests of the written reports."""

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from eventhus_testing.reports import session
from tests.testing.reports.conftest import Run

pytest_plugins = ["pytester"]

GOLDEN = Path(__file__).with_name("golden.md")
BACKWARDS = "def pytest_collection_modifyitems(items): items.reverse()"
FEW = """
from eventhus_testing import spec
from tests.testing.reports.library import *

def test_it():
    spec(book).when(ReturnBook(aggregate_id="b1")).then_nothing()
"""


def test_the_text_of_a_report_is_the_golden_text(
    run: Run, specs: str, pytester: pytest.Pytester
) -> None:
    """To change it on purpose, copy the written file over the golden file."""
    run(specs, "--eventhus-report=out/specs").assert_outcomes(
        passed=20, failed=1, xfailed=1, skipped=1
    )
    assert GOLDEN.read_text() == (pytester.path / "out/specs/specs.md").read_text()


@pytest.mark.parametrize("options", [(), ("-p", "backwards"), ("-p", "xdist", "-n", "2")])
def test_order_hash_seed_and_workers_do_not_change_a_report(
    run: Run,
    specs: str,
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
) -> None:
    pytester.makepyfile(backwards=BACKWARDS)
    monkeypatch.setenv("PYTHONPATH", str(pytester.path), prepend=":")
    monkeypatch.setenv("PYTHONHASHSEED", str(len(options)))
    run(specs, "--eventhus-report=out", *options, in_process=False).assert_outcomes(
        passed=20, failed=1, xfailed=1, skipped=1
    )
    assert GOLDEN.read_text() == (pytester.path / "out/specs.md").read_text()


def test_the_page_escapes_values_and_loads_nothing(
    run: Run, specs: str, pytester: pytest.Pytester
) -> None:
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


def test_no_report_is_written_without_the_option(run: Run, pytester: pytest.Pytester) -> None:
    result = run(FEW)
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*eventhus: behaviour*")
    assert [] == [*pytester.path.rglob("specs.md")]


def test_collecting_only_does_not_replace_a_report(run: Run, pytester: pytest.Pytester) -> None:
    run(FEW, "--collect-only", "--eventhus-report=out")
    assert [] == [*pytester.path.rglob("specs.md")]


def test_a_run_without_specs_writes_an_empty_report(run: Run, pytester: pytest.Pytester) -> None:
    result = run("def test_it(): pass", "--eventhus-report=out")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["no spec of an aggregate ran"])
    text = (pytester.path / "out/specs.md").read_text()
    assert "# Specifications\n\n0 of 0 specs hold.\n" == text


def test_a_file_in_place_of_the_directory_is_refused_before_tests_run(run: Run) -> None:
    result = run(FEW, "--eventhus-report=test_it.py")
    assert pytest.ExitCode.USAGE_ERROR == result.ret
    result.stderr.fnmatch_lines(["ERROR: --eventhus-report=test_it.py is a file; name a directory"])


def test_a_directory_below_a_file_is_refused_before_tests_run(run: Run) -> None:
    result = run(FEW, "--eventhus-report=test_it.py/out")
    assert pytest.ExitCode.USAGE_ERROR == result.ret
    result.stderr.fnmatch_lines(
        ["ERROR: --eventhus-report=test_it.py/out cannot be written to (Not a directory: *); *"]
    )
    result.stdout.no_fnmatch_line("*passed*")


def test_a_directory_without_write_permission_is_refused_before_tests_run(
    run: Run, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    (pytester.path / "out").mkdir()

    def refuse(dir: Path) -> None:  # noqa: A002 - the name of the parameter; root ignores modes
        raise PermissionError(errno.EACCES, "Permission denied", str(dir / "tmp"))

    monkeypatch.setattr(session, "TemporaryFile", refuse)
    result = run(FEW, "--eventhus-report=out")
    assert pytest.ExitCode.USAGE_ERROR == result.ret
    result.stderr.fnmatch_lines(
        ["ERROR: --eventhus-report=out cannot be written to (Permission denied: *out/tmp); *"]
    )


@pytest.mark.parametrize("options", [(), ("-p", "xdist", "-n", "1")])
def test_a_directory_lost_during_the_run_fails_it_but_shows_the_results(
    run: Run, options: tuple[str, ...]
) -> None:
    result = run(LOST, "--eventhus-report=out", *options)
    result.assert_outcomes(passed=1)
    assert pytest.ExitCode.TESTS_FAILED == result.ret
    result.stdout.fnmatch_lines(
        ["FAIL --eventhus-report=out: the reports were not written: File exists: */out"]
    )
    result.stdout.no_fnmatch_line("written: *")


LOST = """
from pathlib import Path

def test_it():
    Path("out").rmdir()
    Path("out").touch()
"""


def test_a_rerun_test_reports_only_its_last_run(run: Run, pytester: pytest.Pytester) -> None:
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
from tests.testing.reports.library import *

runs = []

def test_it():
    outcome = spec(book).when(ReturnBook(aggregate_id="b1"))
    runs.append(outcome)
    assert len(runs) == 2
    outcome.then_nothing()
"""


def test_a_broken_rule_is_reported_as_a_failing_spec(run: Run, pytester: pytest.Pytester) -> None:
    run(BROKEN, "--eventhus-report=out").assert_outcomes(failed=1)
    text = (pytester.path / "out/specs.md").read_text()
    assert "### ✗ It stumbles\n\n- *Given* nothing\n- *When* **Return book**\n\n```text\n" in text
    assert "\nBook: rule 'evolvable' is broken (rules=Rules(evolvable=False) switches" in text


BROKEN = """
import attrs
from eventhus_testing import spec
from tests.testing.reports.library import *

def decide(command: ReturnBook, state: Book) -> list[BookReturned]: return [BookReturned()]
def evolve(state: Book, event: BookReturned) -> Book: return None
book = Aggregate(name="Book", initial=Book(), decide=decide, evolve=evolve)

def test_it_stumbles():
    spec(book).when(ReturnBook(aggregate_id="b1")).then(BookReturned())
"""


def test_only_the_smallest_generated_failure_is_reported(
    run: Run, pytester: pytest.Pytester
) -> None:
    run(FALSIFIED, "--eventhus-report=out").assert_outcomes(failed=1)
    text = (pytester.path / "out/specs.md").read_text()
    assert 1 == text.count("- *When*")
    assert "- *When* **Lend book**: reader reader-17, until 2031-03-04\n" in text


FALSIFIED = """
from hypothesis import given, settings, strategies as st
from eventhus_testing import spec
from tests.testing.reports.library import *

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


def test_the_plugin_does_not_import_the_reports_without_the_options() -> None:
    """Pytest loads the plugin in every environment with eventhus."""
    script = "import eventhus_testing.pytest_plugin, sys; print(*sys.modules, sep='\\n')"
    command = [sys.executable, "-c", script]
    loaded = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert "eventhus_testing.specs.recording" in loaded
    assert [] == [name for name in loaded if name.startswith("eventhus_testing.reports")]


def test_unknown_kinds_of_outcomes_are_checked_but_not_reported(
    run: Run, pytester: pytest.Pytester
) -> None:
    result = run(UNKNOWN, "--eventhus-report=out")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["'a saga' was not checked: a when needs a then"])
    assert "0 of 0 specs hold." in (pytester.path / "out/specs.md").read_text()


UNKNOWN = """
from eventhus_testing.specs.recording import Check, note

def test_checked(): note("a saga").checks.append(Check("then_happy"))
def test_unchecked(): note("a saga")
"""


def test_ignored_fields_are_not_reported(run: Run, pytester: pytest.Pytester) -> None:
    """The types count as exercised all the same."""
    result = run(IGNORING, "--eventhus-report=out")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["Book: 1 of 4 commands, 1 of 4 events, 0 of 3 refusals"])
    text = (pytester.path / "out/specs.md").read_text()
    reported = [line for line in text.splitlines() if line.startswith(("- *", "  - "))]
    assert IGNORED == reported


IGNORING = """
from eventhus_testing import spec
from tests.testing.reports.library import *

day = date(2031, 3, 4)
lent = BookLent("SOMEBODY", day)

def test_it():
    (
        spec(book)
        .when(LendBook(aggregate_id="b1", reader="ann", until=day))
        .then(lent, ignoring=["reader"])
        .then_in_any_order(lent, ignoring=["reader"])
        .then_containing(lent, ignoring=["reader", "until"])
        .then_state(Book(Shelf.CLOSED_STACKS, "ann"), ignoring=["shelf"])
    )
    (
        spec(reminders)
        .when("b1", BookReturned(late=True))
        .then_commands(
            RemindReader(aggregate_id="letter-1", book="SOMETHING"), ignoring=["book"]
        )
        .and_when("b2", BookReturned(late=True))
        .then_commands(
            RemindReader(aggregate_id="SOMETHING", book="b2"), ignoring=["aggregate_id"]
        )
    )

    readers = Process(
        name="readers", initial=Book(), key=lambda _: "all", evolve=lambda *_: Book(None, "ann"),
        react=lambda *_: [], events=[BookLent], state_type=Book,
    )
    outcome = spec(readers).when("b1", BookLent("ann", day))
    outcome.then_state("all", Book(None, "SOMEBODY"), ignoring=["reader"])

    shelves = View(
        name="shelves", initial=None, key=lambda _: "all", evolve=lambda *_: Book(None, "ann"),
        events=[BookLent], view_type=Book,
    )
    spec(shelves).when("b1", lent).then_view("all", Book(None, "SOMEBODY"), ignoring=["reader"])
"""
IGNORED = [
    "- *Given* nothing",
    "- *When* **Lend book**: reader ann, until 2031-03-04",
    "- *Then* **Book lent**: until 2031-03-04, …",
    "- *In any order* **Book lent**: until 2031-03-04, …",
    "- *Among others* **Book lent**: …",
    "- *State* **Book**: reader ann, …",
    "- *Given* nothing",
    "- *When* b1 · **Book lent**: reader SOMEBODY, until 2031-03-04",
    "- *Then* all · **Book**: shelf none, …",
    "- *Given* nothing",
    "- *When* b1 · **Book lent**: reader ann, until 2031-03-04",
    "- *State* all · **Book**: shelf none, …",
    "- *Given* nothing",
    "- *When* b1 · **Book returned**: late yes",
    "- *Then* letter-1 · **Remind reader**: …",
    "- *When* b2 · **Book returned**: late yes",
    "- *Then* **Remind reader**: book b2, …",
]


UNPRINTABLE = r"""
    from eventhus_testing import spec
    from tests.testing.reports.library import *

    ACQUIRED = BookAcquired("1984", Shelf.CLOSED_STACKS, Decimal(1))

    def test_refused():
        lend = LendBook(aggregate_id="a", reader="\x1b[2J\ud800", until=date(2031, 3, 4))
        spec(book).given(ACQUIRED).when(lend).then_nothing()

    def test_raised():
        spec(book).given(ACQUIRED).then_state(Book(shelf=Shelf.CLOSED_STACKS))
        print("captured \udfff")
        raise ValueError("raised \udfff")
"""


@pytest.mark.parametrize("options", [(), ("-p", "xdist", "-n", "1")])
def test_unprintable_values_break_neither_reports_nor_xdist(
    run: Run, options: tuple[str, ...], pytester: pytest.Pytester
) -> None:
    result = run(UNPRINTABLE, "--eventhus-report=out", *options, in_process=False)
    result.assert_outcomes(failed=2)
    assert pytest.ExitCode.TESTS_FAILED == result.ret
    for name in ("specs.md", "index.html"):
        text = (pytester.path / "out" / name).read_text(encoding="utf-8")
        assert "\x1b" not in text
        assert "\\x1b" in text
        assert "\\ud800" in text.replace("\\\\", "\\")
