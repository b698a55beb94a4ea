"""Searches for commands that break a property, with Hypothesis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import hypothesis
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st
from hypothesis.errors import Flaky

from eventhus_testing.properties.counterexample import Breach

C = TypeVar("C")

# The user's command classes decide how long a run takes and how much data it draws.
_SUPPRESSED = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]


class Found(Exception):
    """A breach. Hypothesis distinguishes breaches by the cause of the exception."""

    def __init__(self, breach: Breach) -> None:
        self.breach = breach


def search(
    run: Callable[..., None],
    settings: hypothesis.settings | None,
    **drawn: st.SearchStrategy[Any],
) -> None:
    """Call a function with random arguments until it raises.

    Args:
        run: The function.
        settings: Settings of Hypothesis; ``None`` takes its current profile.
        drawn: Strategies for its arguments.

    Raises:
        Found: The function raised it; the arguments are shrunk.
    """
    chosen = settings or hypothesis.settings()
    hypothesis.settings(
        chosen,
        # An example stored for another bug may be larger than the smallest for this one.
        database=None,
        deadline=None,  # a run may take long if there are many commands
        report_multiple_bugs=False,
        # The explain phase is slow, and the counterexample is minimal without it.
        phases=[phase for phase in chosen.phases if phase is not Phase.explain],
        suppress_health_check=[*{*chosen.suppress_health_check, *_SUPPRESSED}],
    )(hypothesis.given(**drawn)(run))()


class Searched(Protocol):
    """A check that a search runs."""

    @property
    def smallest(self) -> Breach | None:
        """Return the smallest breach of all runs so far."""
        ...

    def fewest(self, found: Breach) -> Breach:
        """Return the same breach with the fewest commands."""
        ...


def raising_counterexample(check: Searched, run: Callable[[], None]) -> None:
    """Run a search and raise what it finds.

    Args:
        check: The check that the search runs.
        run: Starts the search.

    Raises:
        Counterexample: The search found a breach.
    """
    __tracebackhide__ = True
    found: Breach | None = None
    remark = ""
    try:
        run()
    except Found as breach:
        found = check.fewest(breach.breach)
    except Flaky:
        found = check.smallest
        remark = "It is flaky: the same commands lead to different outcomes."
        if found is None:
            raise
    if found is not None:
        raise found.counterexample(remark)


def fewest(found: Breach, tried: list[C], again: Callable[[list[C]], Breach | None]) -> Breach:
    """Remove each command that a breach does not need; Hypothesis may stop before that.

    Args:
        found: The breach.
        tried: The commands that lead to it.
        again: Returns the breach that fewer commands lead to, if it is the same one.
    """
    done = False
    while not done:
        done = True
        for index in reversed(range(len(tried))):
            fewer = [*tried[:index], *tried[index + 1 :]]
            without = again(fewer)
            if without is not None:
                tried, found, done = fewer, without, False
    return found
