"""The port to time."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Where the runtime gets the time from, so that a whole application can be simulated."""

    def now(self) -> datetime:
        """The current time: aware, UTC, to the microsecond."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after ``seconds`` of this clock."""
        ...
