"""The codec between events and plain data: strict, exact, and compiled once per type."""

from eventhus_cattrs.codec import CattrsCodec
from eventhus_cattrs.hook import Hook

__all__ = ["CattrsCodec", "Hook"]
