"""Checks that today's classes can still read a file of sample stored events."""

from eventhus_testing.golden.checks import check, update
from eventhus_testing.golden.file import MalformedSamples

__all__ = ["MalformedSamples", "check", "update"]
