"""How latency and throughput change while streams, callers and processes grow, on MongoDB."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from statistics import median

from benchmarks import mongo_driver, mongo_processes, mongo_store
from benchmarks.harness import Sample
from benchmarks.mongo import fill_account, mongo_site
from benchmarks.mongo_site import Site
from benchmarks.report import Report
from benchmarks.results import Curve, Line
from eventhus_testing.servers import find_mongod

LIBRARIES = ("eventhus", "pymongo")

ROUNDS = 3
LENGTHS = (10, 100, 1_000, 10_000, 100_000, 1_000_000)
COMMANDS = 50  # on a stream of each length
CALLERS = (1, 5, 10, 50, 100, 500)
JOBS = 1_000  # shared by the callers
PROCESSES = (1, 2, 4, 8)
CALLERS_OF_PROCESS = 50


def run(report: Report) -> None:
    """Measure everything."""
    if find_mongod() is None:
        report.nothing("there is no mongod on the PATH, nor one that pip has installed")
        return
    with mongo_site() as site:
        report.curve(_lengths(site, report.rounds))
        report.curve(_callers(site, report.rounds, report.random))
        report.curve(_processes(site, report.rounds))


def _lengths(site: Site, rounds: int) -> Curve:
    cached: list[Sample] = []
    restored: list[Sample] = []
    for length in LENGTHS:
        aggregate_id = fill_account(site, "lengths", events=length, size=min(length, 100))
        cached.append(mongo_store.deposit_on(site, "lengths", aggregate_id, times=COMMANDS))
        restored.append(
            mongo_store.deposit_on(
                site, "lengths", aggregate_id, times=COMMANDS, cache_size=0, snapshot_every=100
            )
        )
    return Curve(
        key="stream-length",
        title="A command takes as long on a long stream as on a short one",
        across="events in the stream before the command",
        unit="milliseconds for each command, one caller",
        places=LENGTHS,
        lines=_lines({"state cached": cached, "snapshot": restored}, rounds, _milliseconds),
    )


def _callers(site: Site, rounds: int, random: Random) -> Curve:
    ours: list[Sample] = []
    floor: list[Sample] = []
    for callers in CALLERS:
        jobs = min(JOBS, callers * 100)
        ours.append(
            mongo_store.deposit(
                site, "callers", accounts=jobs, events=10, callers=callers, random=random
            )
        )
        floor.append(
            mongo_driver.deposit(
                site, accounts=jobs, events=10, times=1, callers=callers, random=random
            )
        )
    return Curve(
        key="callers",
        title="Throughput rises with the number of callers, who share the journal's flush",
        across="callers in one process",
        unit="commands in a second",
        places=CALLERS,
        lines=_lines({"eventhus": ours, "bare driver": floor}, rounds, _per_second),
    )


def _processes(site: Site, rounds: int) -> Curve:
    ours: list[float] = []
    floor: list[float] = []
    for count in PROCESSES:
        with mongo_processes.writers(site.url, count) as writers:
            samples = [
                writers.sample(append, callers=CALLERS_OF_PROCESS, events=20)
                for append in (mongo_processes.append_to_store, mongo_processes.append_by_driver)
            ]
            of_ours, of_floor = _lines({"": samples}, rounds, _per_second)[0].values
        ours.append(of_ours)
        floor.append(of_floor)
    return Curve(
        key="processes",
        title="Processes that write to one log take turns",
        across=f"writing processes, each with {CALLERS_OF_PROCESS} callers",
        unit="events appended in a second, all processes together",
        places=PROCESSES,
        lines=(Line("eventhus", tuple(ours)), Line("bare driver", tuple(floor))),
    )


def _lines(
    samples: dict[str, Sequence[Sample]], rounds: int, shown: Callable[[float], float]
) -> tuple[Line, ...]:
    """Measure all samples in interleaved rounds, after one that is thrown away."""
    seconds: dict[str, list[list[float]]] = {
        name: [[] for _ in each] for name, each in samples.items()
    }
    for number in range(rounds + 1):
        for name, each in samples.items():
            for place, sample in enumerate(each):
                taken = sample()
                if number:
                    seconds[name][place].append(taken)
    return tuple(
        Line(name, tuple(shown(median(each)) for each in seconds[name])) for name in samples
    )


def _milliseconds(seconds: float) -> float:
    return seconds * 1e3


def _per_second(seconds: float) -> float:
    return 1 / seconds
