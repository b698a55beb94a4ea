"""The system clock."""

import asyncio
from datetime import UTC, datetime


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        """Return the current time: aware, UTC, to the microsecond."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Wait for ``seconds``."""
        await asyncio.sleep(seconds)

    async def wait_until(self, moment: datetime) -> None:
        """Wait until ``now`` is at ``moment`` or later."""
        # Nothing tells that time has passed, and the event loop has another clock.
        while (left_s := (moment - self.now()).total_seconds()) > 0:  # noqa: ASYNC110
            await asyncio.sleep(left_s)
