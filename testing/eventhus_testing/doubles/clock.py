"""A clock that the test moves."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from attrs import define, field

_START = datetime(2026, 1, 1, tzinfo=UTC)
_TURNS = 10  # of the event loop, for who woke last to go to sleep again before time moves on


class ManualClock:
    """Implements ``Clock`` for tests: time stands still until the test moves it.

    >>> clock = ManualClock(datetime(2026, 5, 1, 12, tzinfo=UTC))
    >>> clock.advance(timedelta(minutes=90))
    >>> clock.now().isoformat()
    '2026-05-01T13:30:00+00:00'

    Whoever sleeps waits until the test has moved the time that far::

        await clock.until_sleeping()
        clock.advance(timedelta(seconds=30))

    Args:
        start: The time at first: aware. It is kept in UTC.
        jumps: Let nobody wait for the test: as soon as everybody else has had a turn, a sleeper
            moves the time on by itself. Sleepers still wake in the order of their time.

    Raises:
        ValueError: ``start`` is not aware.
    """

    def __init__(self, start: datetime = _START, *, jumps: bool = False) -> None:
        self._now = _in_utc(start)
        self._jumps = jumps
        self._passed = timedelta()  # a sleep is a length: setting the clock back does not extend it
        self._sleepers: list[_Sleeper] = []
        self._watchers: set[asyncio.Future[None]] = set()

    @property
    def sleeping_s(self) -> list[float]:
        """How many seconds each sleeper has before it still, the next to wake first."""
        return sorted((each.until - self._passed).total_seconds() for each in self._sleepers)

    def now(self) -> datetime:
        """See ``Clock.now``."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """See ``Clock.sleep``. A sleep of no time lets others have a turn."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        sleeper = _Sleeper(until=self._passed + timedelta(seconds=seconds))
        self._sleepers.append(sleeper)
        for watcher in self._watchers:
            if not watcher.done():
                watcher.set_result(None)
        try:
            while self._jumps and not sleeper.woken.done():
                await self._jump()
            await sleeper.woken
        finally:
            self._sleepers = [each for each in self._sleepers if each is not sleeper]

    async def until_sleeping(self, sleepers: int = 1) -> None:
        """Return once somebody sleeps.

        Args:
            sleepers: How many must be sleeping at the same time, at least.
        """
        while len(self._sleepers) < sleepers:
            watcher: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._watchers.add(watcher)
            try:
                await watcher
            finally:
                self._watchers.discard(watcher)

    def advance(self, by: timedelta) -> None:
        """Let time pass. Who is done sleeping wakes, in the order of their time.

        A task that sleeps again and again sleeps once for each call, however far that goes.

        Raises:
            ValueError: ``by`` is negative; ``set`` the clock to turn it back.
        """
        if by < timedelta():
            raise ValueError("time passes forward; set(...) turns the clock back")
        self._now += by
        self._passed += by
        self._wake()

    def set(self, moment: datetime) -> None:
        """Set the clock: forward, as ``advance`` does, or back, which wakes nobody.

        Raises:
            ValueError: ``moment`` is not aware.
        """
        passes = _in_utc(moment) - self._now
        if passes > timedelta():
            self.advance(passes)
        else:
            self._now += passes

    async def _jump(self) -> None:
        """Move on to the next time at which somebody wakes, unless somebody else does."""
        passed = self._passed
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        asleep = [each.until for each in self._sleepers if not each.woken.done()]
        if asleep and passed == self._passed:
            self.advance(min(asleep) - passed)

    def _wake(self) -> None:
        for each in sorted(self._sleepers, key=lambda sleeper: sleeper.until):
            if each.until <= self._passed and not each.woken.done():
                each.woken.set_result(None)


@define(eq=False)
class _Sleeper:
    until: timedelta  # of the time that will have passed since the start
    woken: asyncio.Future[None] = field(factory=lambda: asyncio.get_running_loop().create_future())


def _in_utc(moment: datetime) -> datetime:
    if moment.utcoffset() is None:
        raise ValueError("a clock shows an aware time; give it one, as datetime(..., tzinfo=UTC)")
    return moment.astimezone(UTC)
