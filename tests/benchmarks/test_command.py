"""The command that runs the benchmarks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import benchmarks.__main__ as command
from benchmarks import charts, results
from benchmarks.harness import Case, Contender
from benchmarks.report import Report

Run = Callable[..., int]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Return the command on one suite, whose runs have the given ratios in turn."""

    def run(*arguments: str, ratios: Iterator[float | None]) -> int:
        suite: Any = ModuleType("suite")
        suite.LIBRARIES = ("attrs",)
        suite.ROUNDS = 1
        suite.run = lambda report: measure(report, next(ratios))
        monkeypatch.setattr(command, "SUITES", {"fake": suite})
        return command.main(arguments, file=tmp_path / "results.json", folder=tmp_path / "charts")

    return run


def measure(report: Report, ratio: float | None) -> None:
    if ratio is None:
        report.nothing("the server is missing")
        return
    ours = Contender(name="ours", sample=lambda: 1.0, against="theirs", goal=2)
    report.case(Case("a case", [ours, Contender(name="theirs", sample=lambda: ratio)]))


def test_a_check_passes_at_the_committed_ratios(run: Run, tmp_path: Path) -> None:
    assert 0 == run("--write", ratios=iter([10.0]))
    assert {"results.json", "charts"} == {each.name for each in tmp_path.iterdir()}
    assert 0 == run("--check", ratios=iter([8.0]))


def test_the_charts_show_the_results_as_they_were_rounded(run: Run, tmp_path: Path) -> None:
    run("--write", ratios=iter([1.234567891]))
    charts.write(results.load(tmp_path / "results.json"), tmp_path / "again")
    written, again = (tmp_path / folder / "speed.svg" for folder in ("charts", "again"))
    assert again.read_text() == written.read_text()


def test_a_check_fails_after_a_loss(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run("--write", ratios=iter([10.0]))
    assert 1 == run("--check", ratios=iter([7.0, 6.0]))
    assert "fake: a case: ours was 10.00 times as fast as its peer and is 6.00" in (
        capsys.readouterr().err
    )


def test_a_check_forgives_a_loss_that_does_not_come_again(run: Run) -> None:
    run("--write", ratios=iter([10.0]))
    assert 0 == run("--check", ratios=iter([7.0, 9.0]))


def test_a_check_fails_if_a_server_is_missing(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run("--write", ratios=iter([10.0]))
    assert 1 == run("--check", ratios=iter([None, None]))
    assert "was not measured" in capsys.readouterr().err


def test_a_check_fails_if_nothing_was_committed(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 1 == run("--check", ratios=iter([10.0]))
    assert "make bench" in capsys.readouterr().err


def test_a_check_writes_nothing(run: Run, tmp_path: Path) -> None:
    run("--write", ratios=iter([10.0]))
    before = (tmp_path / "results.json").read_bytes()
    run("--check", ratios=iter([20.0]))
    assert before == (tmp_path / "results.json").read_bytes()


def test_a_suite_that_could_not_run_keeps_its_results(run: Run, tmp_path: Path) -> None:
    run("--write", ratios=iter([10.0]))
    before = (tmp_path / "results.json").read_bytes()
    assert 0 == run("--write", ratios=iter([None]))
    assert before == (tmp_path / "results.json").read_bytes()
