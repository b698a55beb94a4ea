"""The results of benchmarks as JSON, and the comparison of two runs."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from attrs import evolve

from benchmarks.harness import Case, Contender, measure, table
from benchmarks.results import (
    Curve,
    Figure,
    Line,
    Loss,
    Measured,
    Results,
    Row,
    Suite,
    load,
    losses,
    save,
)


def suite(ratio: float | None, *, row: str = "ours", name: str = "memory") -> Suite:
    measured = Measured(
        "a case",
        (
            Row(name=row, median_us=1.0, min_us=0.5, max_us=2.0, against="theirs", ratio=ratio),
            Row(name="theirs", median_us=9.0, min_us=8.5, max_us=9.5),
        ),
    )
    return Suite(name=name, versions=(), machine="", load=0.0, rounds=1, cases=(measured,))


@pytest.mark.parametrize(("now", "is_lost"), [(12.0, False), (7.6, False), (7.4, True)])
def test_only_a_loss_of_more_than_a_quarter_is_told(now: float, is_lost: bool) -> None:
    found = [*losses(suite(10.0), suite(now))]
    assert ([Loss("memory", "a case", "ours", 10.0, now)] if is_lost else []) == found


def test_the_text_of_a_loss_names_the_place_and_both_ratios() -> None:
    text = str(Loss("memory", "a case", "ours", 10.0, 7.0))
    assert "memory: a case: ours was 10.00 times as fast as its peer and is 7.00" in text


@pytest.mark.parametrize("now", [suite(1.0, row="new"), suite(None)])
def test_a_ratio_that_was_not_measured_again_is_told(now: Suite) -> None:
    (loss,) = losses(suite(10.0), now)
    assert "ours was 10.00 times as fast as its peer and was not measured" in str(loss)


def test_a_new_ratio_is_no_loss() -> None:
    assert [] == [*losses(suite(None), suite(1.0))]


def test_a_suite_replaces_the_one_of_its_name_alone() -> None:
    both = Results((suite(1.0),)).with_suite(suite(2.0, name="kit"))
    assert ["kit", "memory"] == [each.name for each in both.suites]
    again = both.with_suite(suite(3.0))
    assert [2.0, 3.0] == [each.cases[0].rows[0].ratio for each in again.suites]


def test_results_come_back_from_their_file(tmp_path: Path) -> None:
    line = Line("x", (1.0, 2.0))
    growing = Curve(key="k", title="t", across="a", unit="u", places=(1, 2), lines=(line,))
    measured = evolve(
        suite(1.5),
        figures=(Figure("memory", 1.5, "MB", 10.0),),
        curves=(growing,),
    )
    path = tmp_path / "results.json"
    save(Results((measured,)), path)
    assert Results((measured,)) == load(path)


def test_no_file_means_no_results(tmp_path: Path) -> None:
    assert Results() == load(tmp_path / "missing.json")


def test_numbers_are_rounded_to_four_digits(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    save(Results((suite(1.23456789),)), path)
    assert 1.235 == load(path).suites[0].cases[0].rows[0].ratio


def test_a_ratio_is_the_median_of_the_rounds_and_above_one_if_faster() -> None:
    ours = iter([9.0, 1.0, 1.0, 4.0])  # the first one warms up
    theirs = iter([9.0, 2.0, 8.0, 4.0])
    case = Case(
        "a case",
        [
            Contender(name="ours", sample=lambda: next(ours), against="theirs", goal=3),
            Contender(name="theirs", sample=lambda: next(theirs)),
        ],
    )
    measured = measure(case, rounds=3, random=Random(1))
    assert (2.0, None) == (measured.rows[0].ratio, measured.rows[1].ratio)
    assert 1e6 == measured.rows[0].median_us
    _, first, second = table(measured)
    assert first.endswith("2.00  >= 3")
    assert "2.00" not in second
