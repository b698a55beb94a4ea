"""Views and processes of an application: composing them, reading them, waiting for them."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from attrs import evolve

from eventhus import Application, Process, View
from eventhus.errors import CompositionError, InvalidArgument, NotRunning
from eventhus_memory import MemoryStore
from tests.bank import Deposited, Open, Rename, Scribbled, Undeclared, account, note
from tests.core.hooks import Gate
from tests.core.readers import (
    Balance,
    account_of,
    balances,
    bank,
    count,
    give,
    odd,
    show,
    welcome,
)
from tests.core.support import Proxy, RecordingBus, add
from tests.core.waiting import eventually, settle


def view(**changes: Any) -> View[Any, Any]:
    """A view that fits, but for the changes."""
    good: dict[str, Any] = {
        "name": "balances",
        "initial": Balance(),
        "key": account_of,
        "evolve": show,
    }
    return View(**{**good, **changes})


def process(**changes: Any) -> Process[Any, Any]:
    """A process that fits, but for the changes."""
    good: dict[str, Any] = {
        "name": "welcome",
        "initial": 0,
        "key": account_of,
        "evolve": count,
        "react": give,
    }
    return Process(**{**good, **changes})


UNFIT: dict[str, tuple[dict[str, Any], str]] = {
    "two views of one name": (
        {"views": [view(), view(initial=None)]},
        "two views are named 'balances'; rename one",
    ),
    "two processes of one name": (
        {"processes": [process(), process()]},
        "two processes are named 'welcome'; rename one",
    ),
    "a view of an event of nobody": (
        {"views": [view(events=[Deposited, Undeclared])]},
        (
            "view balances uses Undeclared, which is not an event of this application; "
            "add the aggregate that declares it"
        ),
    ),
    "a process of an event of another application": (
        {"processes": [process(events=[Scribbled])], "aggregates": [account]},
        (
            "process welcome uses Scribbled, which is not an event of this application; "
            "add the aggregate that declares it"
        ),
    ),
}


@pytest.mark.parametrize("unfit", UNFIT)
def test_views_and_processes_that_do_not_fit_are_refused(unfit: str) -> None:
    options, message = UNFIT[unfit]
    store = Proxy()
    with pytest.raises(CompositionError) as caught:
        bank(store, **options)
    assert message == str(caught.value)
    assert {} == store.calls


@pytest.mark.parametrize(
    "options",
    [{"views": [view(view_type=object)]}, {"processes": [process(state_type=object)]}],
    ids=["view", "process"],
)
def test_a_view_type_that_the_codec_cannot_handle_is_refused_at_composition(
    options: dict[str, Any],
) -> None:
    with pytest.raises(CompositionError, match="object"):
        bank(**options)


async def test_a_view_and_a_process_can_share_a_name() -> None:
    one, other = view(name="same"), process(name="same", initial=welcome.initial)
    async with bank(views=[one], processes=[other]) as app:
        await app.dispatch(Open(aggregate_id="a"))
        await app.caught_up(one)
        await app.caught_up(other)
        value = await app.view(one, "a")
        assert value is not None
        assert "Ada" == value.owner


async def test_views_and_processes_can_come_from_iterators_and_be_shared() -> None:
    store = MemoryStore()
    async with (
        bank(store, views=iter([balances]), processes=iter([welcome])) as app,
        bank(store, views=[balances]) as other,
    ):
        await app.dispatch(Open(aggregate_id="a"))
        await app.caught_up(welcome)
        for each in (app, other):
            await each.caught_up(balances)
            assert Balance("Ada", 10, 2) == await each.view(balances, "a")


async def test_open_accepts_views_and_processes() -> None:
    app = Application.open(
        bucket="bank", aggregates=[account, note], views=[balances], processes=[welcome]
    )
    async with app:
        await app.caught_up(welcome, await app.dispatch(Open(aggregate_id="a")))
        await app.caught_up(balances)
        assert Balance("Ada", 10, 2) == await app.view(balances, "a")


# Waiting.


async def test_caught_up_accepts_an_answer_a_position_or_nothing() -> None:
    store, gate = Proxy(), Gate()
    store.before["save_documents"] = gate
    async with bank(store, views=[balances]) as app:
        await app.caught_up(balances)  # there is nothing
        nothing = await app.dispatch(Rename(aggregate_id="a", owner=None))  # type: ignore[arg-type]
        await app.caught_up(balances, nothing)
        await app.caught_up(balances, 0)
        committed = await app.dispatch(Open(aggregate_id="a"))
        waiting = [
            asyncio.ensure_future(app.caught_up(balances, each)) for each in (committed, 1, None, 2)
        ]
        await gate.arrived.wait()
        await settle()
        assert [False] * 4 == [each.done() for each in waiting]
        gate.opened.set()
        await asyncio.gather(*waiting[:3])
        assert Balance("Ada", 0, 1) == await app.view(balances, "a")
        assert not waiting[3].done()
        await add(app, 1)
        await waiting[3]


async def test_cancelling_caught_up_disturbs_nobody_else() -> None:
    async with bank(views=[balances]) as app:
        one, other = (asyncio.ensure_future(app.caught_up(balances, 1)) for _ in range(2))
        await settle()
        one.cancel()
        await settle()
        await app.dispatch(Open(aggregate_id="a"))
        await other
        assert one.cancelled()


async def test_caught_up_raises_not_running_when_the_application_is_left() -> None:
    app = bank(views=[balances], processes=[welcome])
    async with app:
        waiting = [asyncio.ensure_future(app.caught_up(each, 7)) for each in (balances, welcome)]
        await settle()
    for task, label in zip(waiting, ["view balances", "process welcome"], strict=True):
        with pytest.raises(NotRunning) as caught:
            await task
        assert f"the application was left before {label} reached position 7" == str(caught.value)


async def test_caught_up_on_a_standby_raises_not_running_when_it_is_left() -> None:
    store = MemoryStore()
    async with bank(store, views=[balances]) as other:
        await other.caught_up(balances)
        async with bank(store, views=[balances]) as app:
            waiting = asyncio.ensure_future(app.caught_up(balances, 7))
            await settle()
        with pytest.raises(NotRunning):
            await waiting


async def test_views_can_be_read_while_the_application_is_left() -> None:
    """They no longer advance."""
    gate, bus = Gate(), RecordingBus()
    bus.before = gate
    app = bank(views=[balances], bus=bus)
    async with app:
        await app.dispatch(Open(aggregate_id="a"))
        await app.caught_up(balances)
        leaving = asyncio.create_task(app.__aexit__(None, None, None))
        await gate.arrived.wait()
        await settle()
        await app.caught_up(balances)
        assert Balance("Ada", 0, 1) == await app.view(balances, "a")
        with pytest.raises(NotRunning):
            await app.caught_up(balances, 2)
        gate.opened.set()
        await leaving
        await app.__aenter__()


async def test_views_and_processes_continue_in_the_next_run() -> None:
    store = Proxy()
    app = bank(store, views=[balances], processes=[welcome])
    for run in range(1, 4):
        async with app:
            await app.dispatch(Open(aggregate_id=f"a{run}"))
            await app.caught_up(welcome)
            await app.caught_up(balances)
            assert Balance("Ada", 10, 2) == await app.view(balances, f"a{run}")
    assert 6 == await store.inner.head()


async def test_a_worker_runs_views_and_processes_without_a_bus() -> None:
    store = MemoryStore()
    working = asyncio.create_task(bank(store, views=[balances], processes=[odd]).run())
    async with bank(store, views=[balances]) as app:
        await add(app, 1, 2)
        await app.caught_up(balances, 2)
        assert 3 == (await app.view(balances, "a") or Balance()).amount
    await eventually(lambda: store._log[2:])  # noqa: SLF001
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working


# What cannot be asked.

ASKED: dict[str, Callable[[Application, Any], Awaitable[object]]] = {
    "view": lambda app, given: app.view(given, "a"),
    "caught_up": lambda app, given: app.caught_up(given),
    "caught_up with a position": lambda app, given: app.caught_up(given, 0),
}
asked = pytest.mark.parametrize("way", ASKED)


@asked
async def test_views_cannot_be_read_outside_async_with(way: str) -> None:
    app = bank(views=[balances])
    with pytest.raises(NotRunning):
        await ASKED[way](app, balances)
    async with app:
        await ASKED[way](app, balances)
    with pytest.raises(NotRunning):
        await ASKED[way](app, balances)


@asked
async def test_a_view_of_another_application_is_refused(way: str) -> None:
    """Even if it has the name of a view of this one."""
    async with bank(views=[balances]) as app:
        with pytest.raises(InvalidArgument) as caught:
            await ASKED[way](app, view())
    assert (
        "view balances is not the object that this application is composed of, which is version 1; "
        "pass that one" == str(caught.value)
    )
    async with bank(views=[evolve(balances, name="others")]) as app:
        with pytest.raises(InvalidArgument) as caught:
            await ASKED[way](app, balances)
    assert (
        "balances is not a view or process of this application; add it to the application"
        == str(caught.value)
    )


async def test_a_process_cannot_be_read_as_a_view() -> None:
    async with bank(processes=[welcome]) as app:
        with pytest.raises(InvalidArgument):
            await app.view(welcome, "a")  # type: ignore[arg-type]


@pytest.mark.parametrize("key", ["\ud800", 7, None])
async def test_a_key_that_is_not_text_is_refused(key: Any) -> None:
    async with bank(views=[balances]) as app:
        with pytest.raises(InvalidArgument):
            await app.view(balances, key)


async def test_the_value_of_a_view_has_its_type() -> None:
    async with bank(views=[balances]) as app:
        await app.caught_up(balances, await app.dispatch(Open(aggregate_id="a")))
        by_key: dict[str, Balance | None] = {"a": await app.view(balances, "a")}
        by_key["b"] = await app.view(balances, "b")
        value = await app.view(balances, "a")
        assert value is not None
        assert Balance("Ada", 1, 1) == evolve(value, amount=value.amount + 1)
    assert [True, False] == [value is not None for value in by_key.values()]
