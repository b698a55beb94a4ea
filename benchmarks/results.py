"""The results of a run, as values and as JSON, and the comparison of two runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from attrs import evolve, frozen

from eventhus_cattrs import CattrsCodec

FILE = Path(__file__).parent / "results.json"

ALLOWED_LOSS = 0.25  # of a ratio; two runs on a noisy machine differ by less


@frozen(kw_only=True)
class Row:
    """One way to do the work of a case.

    Attributes:
        name: What was measured.
        median_us: The median time of one operation, in microseconds.
        min_us: The least one.
        max_us: The greatest one.
        against: The row that it is compared with, if any.
        ratio: How many times as fast it is as that row: the median of the ratios of the rounds.
        goal: The ratio that is aimed at.
    """

    name: str
    median_us: float
    min_us: float
    max_us: float
    against: str = ""
    ratio: float | None = None
    goal: float | None = None


@frozen
class Measured:
    """A measured case."""

    title: str
    rows: tuple[Row, ...]


@frozen
class Figure:
    """A number other than a ratio, and the most that it should be."""

    title: str
    value: float
    unit: str
    goal: float


@frozen
class Line:
    """The values of one contender, one for each place on the axis."""

    name: str
    values: tuple[float, ...]


@frozen(kw_only=True)
class Curve:
    """A measurement that is repeated while one quantity grows.

    Attributes:
        key: The name of the chart's file.
        title: What was measured.
        across: The quantity that grows.
        unit: The unit of the values.
        places: The values of the quantity.
        lines: The contenders.
    """

    key: str
    title: str
    across: str
    unit: str
    places: tuple[int, ...]
    lines: tuple[Line, ...]


@frozen(kw_only=True)
class Suite:
    """The results of one suite.

    Attributes:
        name: The name of the suite.
        versions: The libraries that took part, with their versions.
        machine: Python, system and processors.
        load: The mean number of processes that wanted a processor in the five minutes before, the
            benchmark's own included.
        rounds: How often each contender was measured.
        cases: The cases.
        figures: Other numbers.
        curves: The growth curves.
    """

    name: str
    versions: tuple[str, ...]
    machine: str
    load: float
    rounds: int
    cases: tuple[Measured, ...] = ()
    figures: tuple[Figure, ...] = ()
    curves: tuple[Curve, ...] = ()


@frozen
class Results:
    """The results of all suites."""

    suites: tuple[Suite, ...] = ()

    def suite(self, name: str) -> Suite | None:
        """Return the results of a suite, if there are any."""
        return next((each for each in self.suites if each.name == name), None)

    def with_suite(self, suite: Suite) -> Results:
        """Return the results with a suite added, or replaced if there is one of that name."""
        others = [each for each in self.suites if each.name != suite.name]
        suites = sorted([*others, suite], key=lambda each: each.name)
        return evolve(self, suites=tuple(suites))


@frozen
class Loss:
    """A ratio that has become worse, or that was not measured again."""

    suite: str
    case: str
    row: str
    before: float
    now: float | None

    @property
    def place(self) -> tuple[str, str, str]:
        """The row in the results."""
        return self.suite, self.case, self.row

    def __str__(self) -> str:
        was = f"{': '.join(self.place)} was {self.before:.2f} times as fast as its peer"
        if self.now is None:
            return f"{was} and was not measured"
        return f"{was} and is {self.now:.2f} times as fast"


def losses(before: Suite, now: Suite) -> Iterator[Loss]:
    """Yield the ratios that are missing, or worse than before by more than a quarter."""
    found = _ratios(now)
    for (case, row), ratio in _ratios(before).items():
        again = found.get((case, row))
        if again is None or again < ratio * (1 - ALLOWED_LOSS):
            yield Loss(before.name, case, row, ratio, again)


def load(path: Path = FILE) -> Results:
    """Return the results in a file; none if there is no such file."""
    if not path.exists():
        return Results()
    results: Results = CattrsCodec().decoder(Results)(json.loads(path.read_text(encoding="utf-8")))
    return results


def save(results: Results, path: Path = FILE) -> None:
    """Write results to a file, rounded to what the machine can tell."""
    plain = _rounded(CattrsCodec().encoder(Results)(results))
    path.write_text(f"{json.dumps(plain, indent=2, ensure_ascii=False)}\n", encoding="utf-8")


def _ratios(suite: Suite) -> dict[tuple[str, str], float]:
    return {
        (case.title, row.name): row.ratio
        for case in suite.cases
        for row in case.rows
        if row.ratio is not None
    }


def _rounded(value: object) -> object:
    match value:
        case float():
            return float(f"{value:.4g}")
        case dict():
            return {key: _rounded(each) for key, each in value.items()}
        case list():
            return [*map(_rounded, value)]
        case _:
            return value
