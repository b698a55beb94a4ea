"""Collects the records of a test run and writes the reports."""

from __future__ import annotations

import textwrap
from collections.abc import Generator
from itertools import chain
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import pytest

from eventhus_testing.reports.document import Document, document
from eventhus_testing.reports.html import html
from eventhus_testing.reports.markdown import markdown
from eventhus_testing.reports.model import FAILS, HOLDS, PENDING, TestRecord, from_plain, to_plain
from eventhus_testing.reports.records import records_of
from eventhus_testing.specs.recording import Recording

PAGE, TEXT = "index.html", "specs.md"


class Reporting:
    """A pytest plugin that makes the reports.

    The record of a test is a plain attribute of its pytest report, so that the workers of
    pytest-xdist send it too.
    """

    def __init__(self, config: pytest.Config, recording: pytest.StashKey[Recording]) -> None:
        self._recording = recording
        self._fail_under: float | None = config.option.eventhus_fail_under
        self._is_worker = hasattr(config, "workerinput")
        self._option = f"--eventhus-report={config.option.eventhus_report}"
        self._directory: Path | None = None
        if config.option.eventhus_report is not None:
            directory: Path = config.invocation_params.dir / config.option.eventhus_report
            if not (self._is_worker or config.option.collectonly):
                _open_for_writing(self._option, directory)
            self._directory = directory
        self._not_written = ""
        self._records: dict[str, list[TestRecord]] = {}
        self._document: Document | None = None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Attach the records of a test."""
        report = yield
        if isinstance(item, pytest.Function) and self._recording in item.stash:
            status = _status(report)
            if status is not None:
                records = records_of(
                    item, item.stash[self._recording], status, _failure(call.excinfo)
                )
                report.eventhus = [*map(to_plain, records)]  # type: ignore[attr-defined]
        return report

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Keep the records of a test, in place of those of an earlier run."""
        records: list[dict[str, Any]] | None = getattr(report, "eventhus", None)
        if records is not None and not self._is_worker:
            self._records[report.nodeid] = [*map(from_plain, records)]

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the reports. Fail the run if they cannot be written or too little is exercised."""
        finished = (
            pytest.ExitCode.OK,
            pytest.ExitCode.TESTS_FAILED,
            pytest.ExitCode.NO_TESTS_COLLECTED,
        )
        is_to_run = not (self._is_worker or session.config.option.collectonly)
        if not is_to_run or session.exitstatus not in finished:
            return
        records = [*chain.from_iterable(self._records.values())]
        self._document = document(records)
        if self._directory:
            try:
                _write(self._directory, self._document)
            except OSError as error:
                self._not_written = (
                    f"{self._option}: the reports were not written: {_reason(error)}"
                )
        if self._falls_short or self._not_written:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @property
    def _falls_short(self) -> bool:
        return (
            self._document is not None
            and self._fail_under is not None
            and self._document.coverage.percent < self._fail_under
        )

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print what is exercised, what is not, and where the reports are."""
        if self._document is None:
            return
        say = terminalreporter.write_line
        terminalreporter.section("eventhus: behaviour", sep="=")
        for behaviour in self._document.behaviours:
            subject = behaviour.subject
            shares = [
                f"{behaviour.share(terms)} {word}"
                for word, terms in (
                    ("commands", subject.commands),
                    ("events", subject.events),
                    ("refusals", subject.refusals),
                )
            ]
            if subject.deadlines:
                shares = [f"{behaviour.share(subject.deadlines)} deadlines"]
            say(f"{subject.name}: {', '.join(shares)}")
            if behaviour.missing:
                names = ", ".join(term.id.rpartition(".")[2] for term in behaviour.missing)
                line = f"no spec exercises {names}"
                for part in textwrap.wrap(line, 96):
                    say(f"  {part}", yellow=True)
        coverage = self._document.coverage
        say(str(coverage) if coverage.terms else "no spec of an aggregate ran")
        if self._not_written:
            say(f"FAIL {self._not_written}", red=True, bold=True)
        elif self._directory:
            say(f"written: {self._directory / PAGE}, {self._directory / TEXT}")
        if self._falls_short:
            say(
                f"FAIL --eventhus-fail-under={self._fail_under:g}: "
                f"{coverage if coverage.terms else 'no spec of an aggregate ran'}",
                red=True,
                bold=True,
            )


def _status(report: pytest.TestReport) -> str | None:
    """Return how a test ended; ``None`` if it has not ended or did not run."""
    if report.when == "setup":
        return FAILS if report.failed else None
    if report.when != "call":
        return None
    if hasattr(report, "wasxfail"):
        return PENDING if report.skipped else HOLDS
    return {"passed": HOLDS, "failed": FAILS}.get(report.outcome)


def _failure(excinfo: pytest.ExceptionInfo[BaseException] | None) -> str:
    if excinfo is None:
        return ""
    if isinstance(excinfo.value, AssertionError | pytest.fail.Exception):
        return str(excinfo.value)
    return excinfo.exconly()


def _open_for_writing(option: str, directory: Path) -> None:
    """Make the directory and write to it, so that a long test run does not fail at its end.

    Raises:
        pytest.UsageError: The directory cannot be made or written to.
    """
    if directory.exists() and not directory.is_dir():
        raise pytest.UsageError(f"{option} is a file; name a directory")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=directory):
            pass
    except OSError as error:
        raise pytest.UsageError(
            f"{option} cannot be written to ({_reason(error)}); name another directory"
        ) from error


def _reason(error: OSError) -> str:
    where = "" if error.filename is None else f": {error.filename}"
    return f"{error.strerror or error}{where}"


def _write(directory: Path, report: Document) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / PAGE).write_text(html(report), encoding="utf-8")
    (directory / TEXT).write_text(markdown(report), encoding="utf-8")
