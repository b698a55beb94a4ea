"""The place in the log where a reader begins."""

from typing import Literal, TypeAlias

Start: TypeAlias = Literal["beginning", "now"] | int
"""The first event, the next event, or the one after a position of the log."""
