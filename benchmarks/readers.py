"""The cases of views, processes and handlers that read the log, on MongoDB."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from statistics import median, quantiles
from typing import Any

from benchmarks import mongo_readers
from benchmarks.harness import Case, Contender
from benchmarks.mongo import mongo_site
from benchmarks.mongo_readers import COUNTING, COUNTS
from benchmarks.mongo_site import Site
from benchmarks.report import Report
from benchmarks.results import Figure
from eventhus_testing.servers import find_mongod

LIBRARIES = ("eventhus", "pymongo")

ROUNDS = 5
KEYS = 1_000  # of the process
WORKERS = (30, 100)  # the default, and more
COMMITS = 200  # one after the other, on an idle system
LOG = 200_000  # in the one that is followed in a process of its own; more take over two minutes
ACCOUNTS = 1_000  # in that log


def run(report: Report) -> None:
    """Measure everything."""
    if find_mongod() is None:
        report.nothing("there is no mongod on the PATH, nor one that pip has installed")
        return
    with mongo_site() as site:
        for case in cases(site):
            report.case(case)
        _latencies(site, report)
        _memory(site, report)


def cases(site: Site) -> Iterator[Case]:
    """Yield all timed cases."""
    one_by_one = "one key after another"
    yield Case(
        f"a process over {KEYS:,} keys, one command each",
        [
            *(
                Contender(
                    name=f"keys side by side, {workers} workers",
                    sample=mongo_readers.commands(site, keys=KEYS, workers=workers),
                    against=one_by_one,
                    goal=10,
                )
                for workers in WORKERS
            ),
            Contender(name=one_by_one, sample=mongo_readers.commands(site, keys=KEYS, workers=1)),
        ],
    )


def _latencies(site: Site, report: Report) -> None:
    for place, elsewhere in (("in the same process", False), ("in another application", True)):
        for title, measure in _measured(site, elsewhere=elsewhere).items():
            seconds = site.runner.run(measure())
            where = f"{title}, committed {place}, idle system"
            report.figure(Figure(f"{where}, median", median(seconds) * 1e3, "ms", 10))
            slowest = quantiles(seconds, n=20)[-1]
            report.figure(Figure(f"{where}, 95 %", slowest * 1e3, "ms", 20))


def _measured(
    site: Site, *, elsewhere: bool
) -> dict[str, Callable[[], Coroutine[Any, Any, Sequence[float]]]]:
    def to_handler(group: str | None) -> Coroutine[Any, Any, Sequence[float]]:
        return mongo_readers.seconds_to_handler(
            site.client, COMMITS, group=group, elsewhere=elsewhere
        )

    return {
        "from commit to view": lambda: mongo_readers.seconds_to_view(
            site.client, COMMITS, elsewhere=elsewhere
        ),
        "from commit to handler without a bus": lambda: to_handler(None),
        "from commit to handler of a group without a bus": lambda: to_handler("handlers"),
    }


def _memory(site: Site, report: Report) -> None:
    site.runner.run(
        mongo_readers.fill_opened(site.client, "large", ACCOUNTS, events=LOG // ACCOUNTS)
    )
    for kind, reader in (("view", COUNTS), ("process", COUNTING)):
        # A process of its own each, so that neither uses memory that the other has left.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            job = pool.submit(mongo_readers.growth_mb, site.url, "large", reader.name, LOG)
            growth = job.result()
        if growth is not None:
            title = f"growth of a {kind} over the last nine tenths of {LOG:,} events"
            report.figure(Figure(title, growth, "MB", 10))
