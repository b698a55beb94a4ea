"""Searches for commands that break a property, with Hypothesis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar

import hypothesis
from attrs import define, field
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st
from hypothesis.errors import Flaky

from eventhus_testing.properties.counterexample import Breach

C = TypeVar("C")
F = TypeVar("F")

# The user's command classes decide how long a run takes and how much data it draws.
_SUPPRESSED = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]


class Found(Exception):
    """A breach. Hypothesis distinguishes breaches by the cause of the exception.

    Attributes:
        breach: The breach.
        size: The length of the history that leads to it.
    """

    def __init__(self, breach: Breach, size: int = 0) -> None:
        self.breach = breach
        self.size = size


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


def check_steps(
    carry_out: Callable[[list[C]], None],
    tried: st.SearchStrategy[list[C]],
    settings: hypothesis.settings | None,
) -> None:
    """Search for steps that lead to a breach, and raise the smallest case.

    Args:
        carry_out: Carries out steps from the beginning. Raises ``Found`` at a breach.
        tried: A strategy for the steps.
        settings: As for ``search``.

    Raises:
        Counterexample: The search found a breach.
    """
    __tracebackhide__ = True
    trials = _Trials(carry_out)
    raising_counterexample(trials, lambda: search(trials.run, settings, tried=tried))


@define
class _Trials(Generic[C]):
    """The runs of one check."""

    carry_out: Callable[[list[C]], None]
    smallest: Breach | None = None
    _size: int = 0
    _last: list[C] = field(factory=list[C])  # the steps of the last run

    def run(self, tried: list[C]) -> None:
        """Carry out steps, and remember the smallest breach, which may be flaky.

        Raises:
            Found: They lead to a breach.
        """
        self._last = tried
        try:
            self.carry_out(tried)
        except Found as found:
            if self.smallest is None or found.size <= self._size:
                self.smallest, self._size = found.breach, found.size
            raise

    def fewest(self, found: Breach) -> Breach:
        """Return the same breach with the fewest steps."""
        return fewest(found, self._last, lambda fewer: self._again(fewer, found))

    def _again(self, tried: Sequence[C], found: Breach) -> Breach | None:
        return same_breach(lambda: self.carry_out([*tried]), found)


def same_breach(carry_out: Callable[[], None], found: Breach) -> Breach | None:
    """Return the breach that a run leads to if it is the same problem as before."""
    try:
        carry_out()
    except Found as again:
        return again.breach if again.breach.problem == found.problem else None
    return None


def fewest(found: F, tried: Sequence[C], again: Callable[[Sequence[C]], F | None]) -> F:
    """Remove each step that a failure does not need; Hypothesis may stop before that.

    Args:
        found: The failure.
        tried: The steps that lead to it.
        again: Returns the failure that fewer steps lead to, if it is the same one.
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
