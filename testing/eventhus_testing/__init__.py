"""A test kit that turns given-when-then into the shortest way to specify a domain."""

from eventhus_testing.matching import like
from eventhus_testing.outcome import Outcome
from eventhus_testing.process_spec import ProcessOutcome, ProcessSpec
from eventhus_testing.rules import RuleBroken, Rules
from eventhus_testing.spec import Spec, spec
from eventhus_testing.view_spec import ViewOutcome, ViewSpec

__all__ = [
    "Outcome",
    "ProcessOutcome",
    "ProcessSpec",
    "RuleBroken",
    "Rules",
    "Spec",
    "ViewOutcome",
    "ViewSpec",
    "like",
    "spec",
]
