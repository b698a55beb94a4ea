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

Sample: TypeAlias = Callable[[], float]
"""Does the work on data of its own and returns the seconds that one operation took."""


class Stopwatch:
    """Times a block while the garbage collector, which runs before it, is switched off."""

    seconds: float

    def __enter__(self) -> Self:
        gc.collect()
        gc.disable()
        self._started = perf_counter()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.seconds = perf_counter() - self._started
        gc.enable()


@frozen(kw_only=True)
class Contender:
    """One way to do the work of a case.

    Attributes:
        name: What is measured.
        sample: Measures it once.
        goal: The ratio to the case's first contender that is aimed at, in words.
    """

    name: str
    sample: Sample
    goal: str = ""


@frozen
class Case:
    """Contenders for the same work. The others are compared with the first."""

    title: str
    contenders: Sequence[Contender]


def report(case: Case, *, rounds: int, random: Random) -> Iterator[str]:
    """Measure a case.

    Args:
        case: What to measure.
        rounds: How often. Every round measures each contender once, in an order of its own.
        random: Gives the orders.

    Yields:
        The lines of a table. A ratio is the median over the rounds of the contender's time over
        that of the first one in the same round.
    """
    for contender in case.contenders:
        contender.sample()  # warms up imports and caches, and is thrown away
    seconds: dict[str, list[float]] = {contender.name: [] for contender in case.contenders}
    for _ in range(rounds):
        for contender in random.sample(case.contenders, len(case.contenders)):
            seconds[contender.name].append(contender.sample())

    yield f"{case.title:<52}{'median':>9}{'min':>9}{'max':>9}{'ratio':>8}  goal"
    first = seconds[case.contenders[0].name]
    for contender in case.contenders:
        own = seconds[contender.name]
        times = "".join(f"{each * 1e6:9.1f}" for each in (median(own), min(own), max(own)))
        ratio = median(mine / base for mine, base in zip(own, first, strict=True))
        yield f"  {contender.name:<50}{times}{ratio:8.2f}  {contender.goal}".rstrip()
