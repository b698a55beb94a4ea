"""Turns by key, under every order of arrivals, departures and cancellations."""

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Hashable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

from hypothesis import given
from hypothesis import strategies as st

from eventhus.runtime.commands.keyed_lock import KeyedLock
from tests.core.waiting import settle

K = TypeVar("K", bound=Hashable)


class Key:
    """Equal to itself alone, and can be watched."""


@asynccontextmanager
async def turn(lanes: KeyedLock[K], key: K) -> AsyncIterator[None]:
    """Hold a key as a command does: released whatever happens inside."""
    await lanes.acquire(key)
    try:
        yield
    finally:
        lanes.release(key)


async def test_a_key_that_nobody_holds_is_there_for_the_taking() -> None:
    """Again and again."""
    lanes: KeyedLock[str] = KeyedLock()
    for _ in range(3):
        async with turn(lanes, "a"):
            pass


async def test_keys_do_not_wait_for_each_other() -> None:
    """One holder for each key, not one for all."""
    lanes: KeyedLock[str] = KeyedLock()
    async with turn(lanes, "a"), turn(lanes, "b"):
        pass


async def test_turns_are_in_order_of_arrival() -> None:
    """A newcomer does not overtake one that was given the turn and does not know yet."""
    lanes: KeyedLock[str] = KeyedLock()
    order: list[int] = []

    async def take(number: int) -> None:
        async with turn(lanes, "a"):
            order.append(number)

    await lanes.acquire("a")
    waiting = asyncio.create_task(take(1))
    await settle()
    lanes.release("a")
    newcomer = asyncio.create_task(take(2))
    await lanes.acquire("a")
    order.append(3)
    lanes.release("a")
    await asyncio.gather(waiting, newcomer)
    assert [1, 3, 2] == order  # 3 asked before the newcomer's task had begun


async def test_a_waiter_cancelled_right_after_it_was_given_the_turn_passes_it_on() -> None:
    """The one place where a turn could get lost."""
    lanes: KeyedLock[str] = KeyedLock()
    await lanes.acquire("a")
    second, third = (asyncio.create_task(lanes.acquire("a")) for _ in range(2))
    await settle()
    lanes.release("a")
    second.cancel()
    await settle()
    assert [True, False, True] == [second.cancelled(), third.cancelled(), third.done()]


async def test_a_key_that_nobody_holds_takes_no_memory() -> None:
    """After use, after waiting, and after a cancelled wait."""
    lanes: KeyedLock[Key] = KeyedLock()
    key = Key()
    gone = weakref.ref(key)
    await lanes.acquire(key)
    waiting = [asyncio.create_task(lanes.acquire(key)) for _ in range(3)]
    await settle()
    waiting[1].cancel()
    waiting[2].cancel()
    lanes.release(key)
    await settle()
    lanes.release(key)
    del key, waiting
    gc.collect()
    assert None is gone()


# Each number is a task: it comes, and later leaves or is cancelled; None lets the loop turn once,
# so that what follows meets the tasks in whatever half-way state they are.
STEPS = st.lists(
    st.one_of(
        st.none(),
        st.tuples(st.sampled_from(["come", "leave", "cancel"]), st.integers(0, 5)),
    ),
    max_size=40,
)


async def play(steps: Sequence[tuple[str, int] | None], lanes: KeyedLock[Key], key: Key) -> None:
    """Play the steps against a lane, with everything that must hold at every moment."""
    came: list[int] = []
    entered: list[int] = []
    inside: set[int] = set()
    may_leave = [asyncio.Event() for _ in range(6)]
    tasks: dict[int, asyncio.Task[None]] = {}

    async def visit(number: int) -> None:
        came.append(number)
        async with turn(lanes, key):
            assert set() == inside
            inside.add(number)
            entered.append(number)
            try:
                await may_leave[number].wait()
            finally:
                inside.remove(number)

    for step in steps:
        match step:
            case None:
                await asyncio.sleep(0)
            case ("come", number) if number not in tasks:
                tasks[number] = asyncio.create_task(visit(number))
            case ("leave", number):
                may_leave[number].set()
            case ("cancel", number) if number in tasks:
                tasks[number].cancel()
            case _:
                pass
    for event in may_leave:
        event.set()
    await settle()
    for task in tasks.values():
        assert task.done()
        assert task.cancelled() or task.exception() is None
    assert [each for each in came if each in entered] == entered
    assert {n for n, task in tasks.items() if not task.cancelled()} <= set(entered)


@given(STEPS)
def test_a_key_has_one_holder_and_every_caller_gets_it_in_the_end(
    steps: Sequence[tuple[str, int] | None],
) -> None:
    """One holder at a time, in order of arrival, nobody left waiting, nothing left behind."""
    lanes: KeyedLock[Key] = KeyedLock()
    key = Key()
    gone = weakref.ref(key)
    asyncio.run(play(steps, lanes, key))
    del key
    assert None is gone()
