"""Measures contenders in interleaved rounds, so that a slow minute of the machine hits them all."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from random import Random
from statistics import median
from time import perf_counter
from types import TracebackType
from typing import Self, TypeAlias

from attrs import frozen

from benchmarks.results import Measured, Row

Sample: TypeAlias = Callable[[], float]
"""Does the work on data of its own and returns the seconds that one operation took."""


class Stopwatch:
    """Times a block while the garbage collector, which runs before it, is switched off.

    Args:
        clock: Returns seconds. Work that never waits is timed by ``process_time``, which other
            processes on a busy machine disturb less.
    """

    seconds: float

    def __init__(self, clock: Callable[[], float] = perf_counter) -> None:
        self._clock = clock

    def __enter__(self) -> Self:
        gc.collect()
        gc.disable()
        self._started = self._clock()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.seconds = self._clock() - self._started
        gc.enable()


@frozen(kw_only=True)
class Contender:
    """One way to do the work of a case.

    Attributes:
        name: What is measured.
        sample: Measures it once.
        against: The name of the contender that it is compared with; empty for one that others are
            compared with.
        goal: The ratio that is aimed at: so many times as fast as that contender.
    """

    name: str
    sample: Sample
    against: str = ""
    goal: float | None = None


@frozen
class Case:
    """Contenders for the same work."""

    title: str
    contenders: Sequence[Contender]


def measure(case: Case, *, rounds: int, random: Random) -> Measured:
    """Measure a case.

    Args:
        case: What to measure.
        rounds: How often. Every round measures each contender once, in an order of its own.
        random: Gives the orders.
    """
    for contender in case.contenders:
        contender.sample()  # warms up imports and caches, and is thrown away
    seconds: dict[str, list[float]] = {contender.name: [] for contender in case.contenders}
    for _ in range(rounds):
        for contender in random.sample(case.contenders, len(case.contenders)):
            seconds[contender.name].append(contender.sample())
    rows = [_row(contender, seconds) for contender in case.contenders]
    return Measured(case.title, tuple(rows))


def table(measured: Measured) -> Iterator[str]:
    """Yield the lines of a table."""
    yield f"{measured.title:<52}{'median':>9}{'min':>9}{'max':>9}{'ratio':>8}  goal"
    for row in measured.rows:
        times = "".join(f"{each:9.1f}" for each in (row.median_us, row.min_us, row.max_us))
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        goal = "" if row.goal is None else f">= {row.goal:g}"
        yield f"  {row.name:<50}{times}{ratio:>8}  {goal}".rstrip()


def _row(contender: Contender, seconds: dict[str, list[float]]) -> Row:
    own = seconds[contender.name]
    ratio = None
    if contender.against:
        pairs = zip(seconds[contender.against], own, strict=True)
        ratio = median(base / mine for base, mine in pairs)
    return Row(
        name=contender.name,
        median_us=median(own) * 1e6,
        min_us=min(own) * 1e6,
        max_us=max(own) * 1e6,
        against=contender.against,
        ratio=ratio,
        goal=contender.goal,
    )
