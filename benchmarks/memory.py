"""The cost of a command and of a replay in memory, next to the eventsourcing package."""

from __future__ import annotations

from benchmarks import eventhus_bank, eventsourcing_bank
from benchmarks.harness import Case, Contender, Sample
from benchmarks.report import Report

LIBRARIES = ("eventhus", "attrs", "cattrs", "eventsourcing")

ROUNDS = 11
ACCOUNTS = 200  # deposits in one sample
FEWER_ACCOUNTS = 25  # where each has a thousand events
EVENTS = 10  # on an account before the deposit
HISTORY = 10_000


def run(report: Report) -> None:
    """Measure everything."""
    for case in cases():
        report.case(case)


def cases() -> list[Case]:
    """Return all cases, in the order of the table."""
    warm = eventhus_bank.dispatch(events=EVENTS, accounts=ACCOUNTS)
    cold = eventhus_bank.dispatch(events=EVENTS, accounts=ACCOUNTS, cache_size=0)
    peer = eventsourcing_bank.dispatch(events=EVENTS, accounts=ACCOUNTS)
    cached = eventsourcing_bank.dispatch(
        events=EVENTS, accounts=ACCOUNTS, env=eventsourcing_bank.CACHED
    )
    blind = eventsourcing_bank.dispatch(
        events=EVENTS, accounts=ACCOUNTS, env=eventsourcing_bank.CACHED_BLINDLY
    )
    observed = eventhus_bank.dispatch(
        events=EVENTS, accounts=ACCOUNTS, observer=eventhus_bank.SilentObserver()
    )
    many = eventhus_bank.generated(498)
    return [
        Case(
            f"dispatch on {EVENTS} events, state cached",
            [
                Contender(name="eventhus", sample=warm, against="eventsourcing", goal=15),
                Contender(name="eventsourcing", sample=peer),
                Contender(name="eventsourcing, cache on", sample=cached),
                Contender(name="eventsourcing, cache on, fast-forward off", sample=blind),
            ],
        ),
        Case(
            f"dispatch on {EVENTS} events, loaded and folded",
            [
                Contender(name="eventhus, cache off", sample=cold, against="eventsourcing", goal=8),
                Contender(name="eventsourcing", sample=peer),
            ],
        ),
        Case(
            f"replay of {HISTORY:,} events",
            [
                Contender(
                    name="eventhus",
                    sample=eventhus_bank.replay(events=HISTORY),
                    against="eventsourcing",
                    goal=12,
                ),
                Contender(name="eventsourcing", sample=eventsourcing_bank.replay(events=HISTORY)),
            ],
        ),
        Case(
            "one command after another on one aggregate",
            [
                Contender(name="2nd", sample=nth(2)),
                Contender(name="3rd", sample=nth(3), against="2nd", goal=0.9),
                Contender(name="1000th", sample=nth(1000), against="2nd", goal=0.9),
            ],
        ),
        Case(
            "dispatch by registered types, state cached",
            [
                Contender(name="2 commands, 2 events", sample=warm),
                Contender(
                    name="500 commands, 500 events",
                    sample=eventhus_bank.dispatch(events=EVENTS, accounts=ACCOUNTS, others=many),
                    against="2 commands, 2 events",
                    goal=0.9,
                ),
            ],
        ),
        Case(
            "dispatch with an observer, state cached",
            [
                Contender(name="no observer", sample=warm),
                Contender(
                    name="an observer that keeps nothing",
                    sample=observed,
                    against="no observer",
                    goal=0.7,
                ),
            ],
        ),
    ]


def nth(number: int) -> Sample:
    """Measure the ``number``-th command of an account."""
    # All logs have the same length. A larger heap would otherwise look like a longer stream.
    return eventhus_bank.dispatch(
        events=number - 1, accounts=FEWER_ACCOUNTS, log=FEWER_ACCOUNTS * 1000
    )
