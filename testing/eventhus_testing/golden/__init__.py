"""A file of sample stored events, which shows when code can no longer read what is stored."""

from eventhus_testing.golden.checks import check, update
from eventhus_testing.golden.file import MalformedSamples

__all__ = ["MalformedSamples", "check", "update"]
