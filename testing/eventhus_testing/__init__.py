"""A test kit that turns given-when-then into the shortest way to specify a domain."""

import importlib
import typing

from eventhus_testing.doubles.clock import ManualClock
from eventhus_testing.doubles.faulty_bus import FaultyBus
from eventhus_testing.doubles.faulty_store import FaultyStore, Hold
from eventhus_testing.doubles.ids import counted_ids
from eventhus_testing.doubles.in_memory import memory_application
from eventhus_testing.matching.matchers import like
from eventhus_testing.rules.rules import RuleBroken, Rules
from eventhus_testing.scenarios.scenario import AppScenario, scenario
from eventhus_testing.specs.outcome import Outcome
from eventhus_testing.specs.process_spec import ProcessOutcome, ProcessSpec
from eventhus_testing.specs.process_story import ProcessRun
from eventhus_testing.specs.spec import Spec, spec
from eventhus_testing.specs.transaction_spec import TransactionOutcome, TransactionSpec
from eventhus_testing.specs.transaction_story import TransactionRun
from eventhus_testing.specs.view_spec import ViewOutcome, ViewSpec

if typing.TYPE_CHECKING:
    from eventhus_testing.properties.check_aggregate import check_aggregate
    from eventhus_testing.properties.check_decision import check_decision
    from eventhus_testing.properties.check_process import check_process
    from eventhus_testing.properties.check_transaction import check_transaction
    from eventhus_testing.properties.counterexample import Counterexample
    from eventhus_testing.properties.machine import AggregateMachine
    from eventhus_testing.properties.strategies import commands, events, histories
    from eventhus_testing.properties.typed_values import NoStrategy, Refinements

__all__ = [
    "AggregateMachine",
    "AppScenario",
    "Counterexample",
    "FaultyBus",
    "FaultyStore",
    "Hold",
    "ManualClock",
    "NoStrategy",
    "Outcome",
    "ProcessOutcome",
    "ProcessRun",
    "ProcessSpec",
    "Refinements",
    "RuleBroken",
    "Rules",
    "Spec",
    "TransactionOutcome",
    "TransactionRun",
    "TransactionSpec",
    "ViewOutcome",
    "ViewSpec",
    "check_aggregate",
    "check_decision",
    "check_process",
    "check_transaction",
    "commands",
    "counted_ids",
    "events",
    "histories",
    "like",
    "memory_application",
    "scenario",
    "spec",
]

# Imported on first use: Hypothesis comes with them, and pytest imports this package, since its
# plugin is here, in every test run where eventhus is installed.
_ON_FIRST_USE = {
    "AggregateMachine": "properties.machine",
    "Counterexample": "properties.counterexample",
    "NoStrategy": "properties.typed_values",
    "Refinements": "properties.typed_values",
    "check_aggregate": "properties.check_aggregate",
    "check_decision": "properties.check_decision",
    "check_process": "properties.check_process",
    "check_transaction": "properties.check_transaction",
    "commands": "properties.strategies",
    "events": "properties.strategies",
    "histories": "properties.strategies",
}


if not typing.TYPE_CHECKING:  # or every name would be one, to a type checker

    def __getattr__(name: str) -> object:
        if name not in _ON_FIRST_USE:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module = importlib.import_module(f"{__name__}.{_ON_FIRST_USE[name]}")
        globals()[name] = value = getattr(module, name)
        return value
