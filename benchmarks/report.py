"""Collects the results of a suite, and prints each as soon as it is known."""

from __future__ import annotations

from random import Random

from benchmarks.harness import Case, measure, table
from benchmarks.results import Curve, Figure, Measured


class Report:
    """The measurements of a suite so far.

    Args:
        rounds: How often to measure each contender.
        random: Gives the orders.
    """

    def __init__(self, rounds: int, random: Random) -> None:
        self.rounds = rounds
        self.random = random
        self.cases: list[Measured] = []
        self.figures: list[Figure] = []
        self.curves: list[Curve] = []

    def case(self, case: Case) -> None:
        """Measure a case."""
        measured = measure(case, rounds=self.rounds, random=self.random)
        self.cases.append(measured)
        print()
        for line in table(measured):
            print(line, flush=True)

    def figure(self, figure: Figure) -> None:
        """Add a number."""
        self.figures.append(figure)
        print(f"\n{figure.title}: {figure.value:,.1f} {figure.unit}, goal < {figure.goal:g}")

    def curve(self, curve: Curve) -> None:
        """Add a growth curve."""
        self.curves.append(curve)
        print(f"\n{curve.title}, {curve.unit}")
        print(f"  {curve.across:<50}" + "".join(f"{place:>11,}" for place in curve.places))
        for line in curve.lines:
            values = "".join(f"{value:11,.1f}" for value in line.values)
            print(f"  {line.name:<50}{values}", flush=True)

    def nothing(self, why: str) -> None:
        """Say that nothing can be measured."""
        print(f"\nnothing measured: {why}")
