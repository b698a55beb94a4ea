"""The machine's own clock."""

from datetime import UTC, datetime, timedelta

from eventhus.ports import Clock
from eventhus.runtime.clock import SystemClock


def test_the_time_is_aware_and_utc() -> None:
    """Between two looks at the machine's own."""
    clock: Clock = SystemClock()
    before = datetime.now(UTC)
    now = clock.now()
    assert before <= now <= datetime.now(UTC)
    assert timedelta(0) == now.utcoffset()


async def test_a_sleep_of_no_time_returns() -> None:
    """How long others take is up to the event loop."""
    await SystemClock().sleep(0)


async def test_a_moment_has_come_when_the_system_clock_says_so() -> None:
    clock = SystemClock()
    moment = clock.now() + timedelta(milliseconds=20)
    await clock.wait_until(moment)
    assert clock.now() >= moment
    await clock.wait_until(moment)
