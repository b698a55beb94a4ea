"""Runs the cases against their peers and prints tables. Read the ratios.

``python -m benchmarks memory``, ``kit``, ``mongo``, ``readers``, ``growth`` or ``nats`` runs one of
the suites; ``--seed N`` repeats the order of an earlier run. ``--write`` also writes
``results.json`` and the charts; suites that did not run keep their results. ``--check`` compares
with ``results.json``, and fails if a ratio is worse by more than a quarter, twice in a row.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from random import Random

from benchmarks import charts, growth, kit, memory, mongo, nats, readers, results
from benchmarks.report import Report

SUITES = {
    "memory": memory,
    "kit": kit,
    "mongo": mongo,
    "readers": readers,
    "growth": growth,
    "nats": nats,
}


def main(
    given: Sequence[str] | None = None,
    *,
    file: Path = results.FILE,
    folder: Path = charts.FOLDER,
) -> int:
    """Measure, print, and write or check as the arguments say; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("suite", nargs="?", choices=SUITES, help="all are run if none is named")
    parser.add_argument("--seed", type=int, default=Random().randrange(2**32))
    parser.add_argument("--rounds", type=int, help="of every case; each suite has its own number")
    then = parser.add_mutually_exclusive_group()
    then.add_argument("--write", action="store_true", help="write results.json and the charts")
    then.add_argument("--check", action="store_true", help="fail if a ratio is worse")
    arguments = parser.parse_args(given)
    committed = results.load(file)
    names: Sequence[str] = [arguments.suite] if arguments.suite else [*SUITES]
    print(_machine())
    print("ratio: how many times as fast as the row that it is compared with, median of the rounds")
    if arguments.check:
        return _check(committed, names, arguments.seed, arguments.rounds)
    for name in names:
        suite = _run(name, arguments.seed, arguments.rounds)
        if arguments.write and (suite.cases or suite.curves):
            committed = committed.with_suite(suite)
            results.save(committed, file)
            charts.write(results.load(file), folder)  # with the numbers as they were rounded
    return 0


def _check(committed: results.Results, names: Sequence[str], seed: int, rounds: int | None) -> int:
    known = [each for each in committed.suites if each.name in names and each.cases]
    if not known:
        print("there are no committed ratios to compare with; run `make bench`", file=sys.stderr)
        return 1
    lost: list[results.Loss] = []
    for before in known:
        first = [*results.losses(before, _run(before.name, seed, rounds))]
        if first:
            print("\nmeasured again, since some ratios are worse than the committed ones")
            again = {
                each.place: each for each in results.losses(before, _run(before.name, seed, rounds))
            }
            lost += [again[each.place] for each in first if each.place in again]
    for loss in lost:
        print(loss, file=sys.stderr)
    return 1 if lost else 0


def _run(name: str, seed: int, rounds: int | None) -> results.Suite:
    suite = SUITES[name]
    versions = [f"{library} {version(library)}" for library in suite.LIBRARIES]
    load = os.getloadavg()[1]
    report = Report(rounds or suite.ROUNDS, Random(seed))
    print()
    print(", ".join(versions))
    print(f"medians of {report.rounds} interleaved rounds, microseconds, seed {seed}")
    suite.run(report)
    return results.Suite(
        name=name,
        versions=tuple(versions),
        machine=_machine(),
        load=load,
        rounds=report.rounds,
        cases=tuple(report.cases),
        figures=tuple(report.figures),
        curves=tuple(report.curves),
    )


def _machine() -> str:
    return (
        f"{platform.python_implementation()} {platform.python_version()} on {sys.platform} "
        f"{platform.machine()}, {os.cpu_count()} processors"
    )


if __name__ == "__main__":
    sys.exit(main())
