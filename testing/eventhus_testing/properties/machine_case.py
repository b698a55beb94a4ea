"""The test case of a state machine, which shows a failure as the steps of the machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, partial, wraps
from typing import Any, ClassVar, Concatenate, ParamSpec, TypeAlias
from unittest import TestCase

import hypothesis
from hypothesis import HealthCheck, Phase
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from eventhus_testing.properties.counterexample import Counterexample
from eventhus_testing.properties.search import fewest

P = ParamSpec("P")
Step: TypeAlias = Callable[[Any], None]  # takes the machine

_SUPPRESSED = [HealthCheck.too_slow, HealthCheck.filter_too_much]


class Disagreement(AssertionError):
    """An application disagrees with its aggregate. The message shows all steps.

    Attributes:
        steps: The steps up to the difference, which another machine can repeat.
    """

    def __init__(self, message: str, steps: Sequence[Step]) -> None:
        super().__init__(message)
        self.steps = steps


def recorded(step: Callable[Concatenate[Any, P], None]) -> Callable[Concatenate[Any, P], None]:
    """Let a machine add each call of a method to its ``steps``."""

    @wraps(step)
    def record(machine: Any, /, *args: P.args, **kwargs: P.kwargs) -> None:
        machine.steps.append(lambda other: record(other, *args, **kwargs))
        step(machine, *args, **kwargs)

    return record


class MachineTestCase(TestCase):
    """The test of a machine.

    Attributes:
        settings: Settings of Hypothesis; ``None`` takes its current profile. Suppressed health
            checks are kept. Runs have no deadline and no example database.
    """

    machine: ClassVar[type[RuleBasedStateMachine]]
    settings: ClassVar[hypothesis.settings | None] = None

    def runTest(self) -> None:  # noqa: N802 - as unittest calls it
        """Run the machine.

        Raises:
            Counterexample: An application disagrees with its aggregate.
        """
        chosen = self.settings or hypothesis.settings()
        quiet = hypothesis.settings(
            chosen,
            database=None,
            deadline=None,
            report_multiple_bugs=False,
            phases=[phase for phase in chosen.phases if phase is not Phase.explain],
            suppress_health_check=[*{*chosen.suppress_health_check, *_SUPPRESSED}],
        )
        run: Any = run_state_machine_as_test  # some versions have no annotations
        try:
            run(self.machine, settings=quiet)
        except Disagreement as disagreement:
            # Hypothesis removes at most five choices at once. A step has up to a dozen, because
            # swarm testing chooses the rules of each run, so that needless steps remain.
            needed = fewest(disagreement, disagreement.steps, partial(repeat, self.machine))
            raise Counterexample(str(needed), spec="") from None


def repeat(machine: type[RuleBasedStateMachine], steps: Sequence[Step]) -> Disagreement | None:
    """Carry out steps on a new machine, and return the disagreement that they lead to, if any."""
    repeating: Any = machine()  # some versions have no annotations
    try:
        try:
            for step in steps:
                step(repeating)
        finally:
            repeating.teardown()
    except Disagreement as disagreement:
        return disagreement
    except Exception:  # noqa: BLE001 - another failure, as of a step that needs the missing one
        return None
    return None


@lru_cache(maxsize=64)
def _case_of(machine: type[RuleBasedStateMachine]) -> type[MachineTestCase]:
    name = f"{machine.__qualname__}.TestCase"
    return type(name, (MachineTestCase,), {"machine": machine, "__module__": machine.__module__})


class TestCaseOf:
    """A descriptor that returns the test case of each machine class."""

    def __get__(
        self, machine: RuleBasedStateMachine | None, cls: type[RuleBasedStateMachine]
    ) -> type[MachineTestCase]:
        return _case_of(cls)
