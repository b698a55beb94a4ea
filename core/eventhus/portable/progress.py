"""The progress of moving a log, and the summary at the end."""

from collections.abc import Callable
from typing import TypeAlias

from attrs import frozen


@frozen(kw_only=True)
class LogSummary:
    """The size of a log and the digest of its commits. Equal logs have equal ones.

    Attributes:
        commits: The number of commits.
        events: The number of events, which is the position of the last one.
        sha256: The SHA-256 of the lines that the commits have in an exported file, in hexadecimal.
    """

    commits: int
    events: int
    sha256: str


@frozen(kw_only=True)
class Progress:
    """The progress of reading a log.

    Attributes:
        commits: The number of commits so far.
        position: The position of the last event so far.
        head: The position at which it ends.
    """

    commits: int
    position: int
    head: int


OnProgress: TypeAlias = Callable[[Progress], None]
"""A function that is called after each page of commits, on the event loop."""
