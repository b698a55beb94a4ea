"""Runs every case and prints tables. Nothing passes or fails: read the ratios.

``python -m benchmarks memory``, ``kit``, ``mongo`` or ``nats`` runs one of the suites; ``--seed N``
repeats the order of an earlier run.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from importlib.metadata import version
from random import Random

from benchmarks import kit, memory, mongo, nats

SUITES = {"memory": memory, "kit": kit, "mongo": mongo, "nats": nats}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("suite", nargs="?", choices=SUITES, help="all are run if none is named")
    parser.add_argument("--seed", type=int, default=Random().randrange(2**32))
    arguments = parser.parse_args()
    print(
        f"{platform.python_implementation()} {platform.python_version()} on {sys.platform} "
        f"{platform.machine()}, {os.cpu_count()} processors"
    )
    print("ratio: the row's time over that of the first row, median of the rounds")
    for name in [arguments.suite] if arguments.suite else SUITES:
        suite = SUITES[name]
        print()
        print(", ".join(f"{library} {version(library)}" for library in suite.LIBRARIES))
        print(f"medians of {suite.ROUNDS} interleaved rounds, microseconds, seed {arguments.seed}")
        for line in suite.lines(Random(arguments.seed)):
            print(line, flush=True)


if __name__ == "__main__":
    main()
