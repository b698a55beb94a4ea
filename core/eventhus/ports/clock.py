"""The clock."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """The runtime's only source of time, so that tests can simulate a whole application."""

    def now(self) -> datetime:
        """Return the current time: timezone-aware, UTC, to the microsecond."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Sleep for ``seconds`` of this clock."""
        ...
