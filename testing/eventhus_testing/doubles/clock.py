"""A clock that the test advances."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from attrs import define, field

_START = datetime(2026, 1, 1, tzinfo=UTC)
_TURNS = 10  # of the event loop, so that a woken task can sleep again before time advances


class ManualClock:
    """A ``Clock`` for tests, on which time passes only when the test advances it.

    >>> clock = ManualClock(datetime(2026, 5, 1, 12, tzinfo=UTC))
    >>> clock.advance(timedelta(minutes=90))
    >>> clock.now().isoformat()
    '2026-05-01T13:30:00+00:00'

    A sleeping task wakes once the test has advanced the clock far enough::

        await clock.until_sleeping()
        clock.advance(timedelta(seconds=30))

    Args:
        start: The initial time, with a time zone. ``now`` returns it in UTC.
        jumps: True if ``sleep`` advances the clock by itself, once the other tasks have had some
            turns of the event loop. Sleepers still wake in the order of their times. Deadlines
            of processes do not advance it.

    Raises:
        ValueError: ``start`` has no time zone.
    """

    def __init__(self, start: datetime = _START, *, jumps: bool = False) -> None:
        self._now = _in_utc(start)
        self._jumps = jumps
        self._passed = timedelta()  # setting the clock back must not extend a sleep
        self._sleepers: list[_Sleeper] = []
        self._waiting: dict[asyncio.Future[None], datetime] = {}
        self._watchers: set[asyncio.Future[None]] = set()

    @property
    def sleeping_s(self) -> list[float]:
        """The seconds that each sleeper has left, in ascending order."""
        return sorted((each.until - self._passed).total_seconds() for each in self._sleepers)

    def now(self) -> datetime:
        """See ``Clock.now``."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """See ``Clock.sleep``. With 0 seconds, give other tasks one turn of the event loop."""
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

    async def wait_until(self, moment: datetime) -> None:
        """See ``Clock.wait_until``. Only the test lets time pass."""
        if moment <= self._now:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[future] = moment
        try:
            await future
        finally:
            del self._waiting[future]

    async def until_sleeping(self, sleepers: int = 1) -> None:
        """Wait until tasks are sleeping.

        Args:
            sleepers: The minimum number of tasks that sleep at the same time.
        """
        while len(self._sleepers) < sleepers:
            watcher: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._watchers.add(watcher)
            try:
                await watcher
            finally:
                self._watchers.discard(watcher)

    def advance(self, by: timedelta) -> None:
        """Advance the time and wake the sleepers whose time has come, in order.

        A task that sleeps in a loop wakes at most once per call, however long ``by`` is.

        Raises:
            ValueError: ``by`` is negative. ``set`` can turn the clock back.
        """
        if by < timedelta():
            raise ValueError("advance(...) takes no negative time; set(...) turns the clock back")
        self._now += by
        self._passed += by
        self._wake()

    def set(self, moment: datetime) -> None:
        """Set the clock, either forward as ``advance`` does, or back, which wakes no sleeper.

        Raises:
            ValueError: ``moment`` has no time zone.
        """
        passes = _in_utc(moment) - self._now
        if passes > timedelta():
            self.advance(passes)
        else:
            self._now += passes

    async def _jump(self) -> None:
        """Advance to the time of the next sleeper, unless the time advances meanwhile."""
        passed = self._passed
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        asleep = [each.until for each in self._sleepers if not each.woken.done()]
        if asleep and passed == self._passed:
            self.advance(min(asleep) - passed)

    def _wake(self) -> None:
        for future, moment in self._waiting.items():
            if moment <= self._now and not future.done():
                future.set_result(None)
        for each in sorted(self._sleepers, key=lambda sleeper: sleeper.until):
            if each.until <= self._passed and not each.woken.done():
                each.woken.set_result(None)


@define(eq=False)
class _Sleeper:
    until: timedelta  # since the start, not counting calls of ``set`` that turn the clock back
    woken: asyncio.Future[None] = field(factory=lambda: asyncio.get_running_loop().create_future())


def _in_utc(moment: datetime) -> datetime:
    if moment.utcoffset() is None:
        raise ValueError(
            "expected an aware time, such as datetime(..., tzinfo=UTC), found a naive one"
        )
    return moment.astimezone(UTC)
