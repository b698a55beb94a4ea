"""The clock."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """The runtime's only source of time, so that tests can simulate a whole application."""

    def now(self) -> datetime:
        """Return the current time: timezone-aware, UTC, to the microsecond."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Sleep for ``seconds`` of this clock, as before a retry."""
        ...

    async def wait_until(self, moment: datetime) -> None:
        """Wait until ``now`` is at ``moment``, a timezone-aware time, or later.

        A clock for tests may cut a ``sleep`` short, but not this: a deadline depends on it.
        """
        ...
