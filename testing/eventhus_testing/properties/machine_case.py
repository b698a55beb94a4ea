"""The test case of a state machine, which shows a failure as the steps of the machine."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, ClassVar
from unittest import TestCase

import hypothesis
from hypothesis import HealthCheck, Phase
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from eventhus_testing.properties.counterexample import Counterexample

_SUPPRESSED = [HealthCheck.too_slow, HealthCheck.filter_too_much]


class Disagreement(AssertionError):
    """An application disagrees with its aggregate. The message shows all steps."""


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
            raise Counterexample(str(disagreement), spec="") from None


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
