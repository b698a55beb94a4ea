"""Tests of ``ManualClock``."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone

import pytest

from eventhus import Application
from eventhus.ports import Clock
from eventhus_cattrs import CattrsCodec
from eventhus_memory import MemoryStore
from eventhus_testing.doubles.clock import ManualClock
from examples.bank.account import CreateAccount, account

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


async def sleep_in_turn(clock: ManualClock, woken: list[float], *seconds: float) -> None:
    """Sleep several times in a row, and record each."""
    for each in seconds:
        await clock.sleep(each)
        woken.append(each)


async def some_turns() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def test_now_is_in_utc_and_does_not_change_by_itself() -> None:
    clock: Clock = ManualClock(datetime(2026, 5, 1, 14, tzinfo=timezone(timedelta(hours=2))))
    assert [NOON, NOON] == [clock.now(), clock.now()]
    assert UTC is clock.now().tzinfo


def test_the_clock_can_be_advanced_and_set_back() -> None:
    clock = ManualClock(NOON)
    clock.advance(MINUTE)
    assert NOON + MINUTE == clock.now()
    clock.set(NOON - MINUTE)
    assert NOON - MINUTE == clock.now()


def test_negative_steps_and_naive_times_are_refused() -> None:
    with pytest.raises(ValueError, match=r"set\(\.\.\.\) turns the clock back"):
        ManualClock().advance(-MINUTE)
    naive = datetime(2026, 5, 1)  # noqa: DTZ001 - the point
    with pytest.raises(ValueError, match="aware"):
        ManualClock(naive)
    with pytest.raises(ValueError, match="aware"):
        ManualClock().set(naive)


async def test_sleepers_wake_at_their_times_in_order() -> None:
    clock, woken = ManualClock(NOON), list[float]()
    async with asyncio.TaskGroup() as tasks:
        for seconds in (90, 30):
            _ = tasks.create_task(sleep_in_turn(clock, woken, seconds))
        await clock.until_sleeping(2)
        assert [30.0, 90.0] == clock.sleeping_s
        clock.advance(timedelta(seconds=29))
        await some_turns()
        assert ([], [1.0, 61.0]) == (woken, clock.sleeping_s)
        clock.set(NOON + 2 * MINUTE)
    assert ([30, 90], []) == (woken, clock.sleeping_s)


async def test_setting_the_clock_back_does_not_extend_a_sleep() -> None:
    clock = ManualClock(NOON)
    sleeping = asyncio.create_task(clock.sleep(60))
    await clock.until_sleeping()
    clock.set(NOON - 10 * MINUTE)
    assert [60.0] == clock.sleeping_s
    clock.advance(MINUTE)
    await sleeping


async def test_a_sleep_of_zero_seconds_needs_no_advance() -> None:
    await ManualClock().sleep(0)


async def test_a_cancelled_sleeper_is_not_counted() -> None:
    clock = ManualClock()
    sleeping = asyncio.create_task(clock.sleep(60))
    await clock.until_sleeping()
    sleeping.cancel()
    await asyncio.wait([sleeping])
    assert [] == clock.sleeping_s


async def test_a_jumping_clock_wakes_sleepers_by_itself_in_order() -> None:
    clock, woken = ManualClock(NOON, jumps=True), list[float]()
    async with asyncio.TaskGroup() as tasks:
        _ = tasks.create_task(sleep_in_turn(clock, woken, 10))
        _ = tasks.create_task(sleep_in_turn(clock, woken, 3, 4, 5))
    assert [3, 4, 10, 5] == woken
    assert NOON + timedelta(seconds=12) == clock.now()


async def test_commits_bear_the_time_of_the_clock() -> None:
    clock = ManualClock(NOON)
    async with Application(
        bucket="bank",
        aggregates=[account],
        store=MemoryStore(),
        codec=CattrsCodec(),
        clock=clock,
    ) as app:
        clock.advance(MINUTE)
        committed = await app.dispatch(CreateAccount(aggregate_id="a1", owner="ann"))
    assert [NOON + MINUTE] == [event.recorded_at for event in committed.events]


async def wait(clock: ManualClock, moment: datetime, reached: list[datetime]) -> None:
    await clock.wait_until(moment)
    reached.append(clock.now())


@pytest.mark.parametrize("jumps", [False, True])
async def test_a_moment_comes_when_the_test_lets_time_pass(jumps: bool) -> None:
    """A clock that jumps for those who sleep does not jump for those who wait."""
    clock, reached = ManualClock(NOON, jumps=jumps), list[datetime]()
    async with asyncio.TaskGroup() as tasks:
        _ = tasks.create_task(wait(clock, NOON, reached))
        _ = tasks.create_task(wait(clock, NOON + 2 * MINUTE, reached))
        given_up = tasks.create_task(wait(clock, NOON + MINUTE, reached))
        await some_turns()
        assert ([NOON], NOON) == (reached, clock.now())
        given_up.cancel()
        clock.advance(MINUTE)
        clock.set(NOON)
        clock.set(NOON + 2 * MINUTE - timedelta(microseconds=1))
        await some_turns()
        assert [NOON] == reached
        clock.set(NOON + 2 * MINUTE)
        clock.advance(MINUTE)
    assert [NOON, NOON + 3 * MINUTE] == reached
