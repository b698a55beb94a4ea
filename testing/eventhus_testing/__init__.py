"""A test kit that turns given-when-then into the shortest way to specify a domain."""

from eventhus_testing.checking import Counterexample, check_aggregate
from eventhus_testing.machine import AggregateMachine
from eventhus_testing.matching import like
from eventhus_testing.outcome import Outcome
from eventhus_testing.process_spec import ProcessOutcome, ProcessSpec
from eventhus_testing.rules import RuleBroken, Rules
from eventhus_testing.spec import Spec, spec
from eventhus_testing.strategies import NoStrategy, commands, events, histories
from eventhus_testing.view_spec import ViewOutcome, ViewSpec

__all__ = [
    "AggregateMachine",
    "Counterexample",
    "NoStrategy",
    "Outcome",
    "ProcessOutcome",
    "ProcessSpec",
    "RuleBroken",
    "Rules",
    "Spec",
    "ViewOutcome",
    "ViewSpec",
    "check_aggregate",
    "commands",
    "events",
    "histories",
    "like",
    "spec",
]
