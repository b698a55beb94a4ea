"""A test kit that turns given-when-then into the shortest way to specify an aggregate."""

from eventhus_testing.spec import Outcome, Spec, spec

__all__ = [
    "Outcome",
    "Spec",
    "spec",
]
