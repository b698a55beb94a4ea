"""An application belongs to the event loop that entered it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from eventhus import Application
from eventhus.errors import NotRunning
from eventhus_memory import MemoryBus
from tests.bank import Open, account
from tests.core.hooks import Gate
from tests.core.readers import balances
from tests.core.support import add, compose

USES: dict[str, Callable[[Application], Awaitable[Any]]] = {
    "dispatch": lambda app: app.dispatch(Open(aggregate_id="b")),
    "state": lambda app: app.state(account, "a"),
    "load": lambda app: app.load(account, "a"),
    "history": lambda app: app.history(account, "a"),
    "view": lambda app: app.view(balances, "a"),
    "caught_up": lambda app: app.caught_up(balances),
    "follow": lambda app: anext(app.follow()),
    "relay_lag": lambda app: app.relay_lag(),
    "subscribe": lambda app: app.subscribe(Gate()),
    "replay": lambda app: app.replay(Gate()),
    "reset": lambda app: app.reset(balances),
    "republish": lambda app: app.republish(),
    "run": lambda app: app.run(),
    "leaving": lambda app: app.__aexit__(None, None, None),
}


@pytest.mark.parametrize("use", USES)
async def test_use_from_another_event_loop_is_refused(use: str) -> None:
    async def elsewhere(app: Application) -> None:
        async with asyncio.timeout(5):
            await USES[use](app)

    async with compose(bus=MemoryBus(), views=[balances]) as app:
        await add(app, 1)
        with pytest.raises(NotRunning) as caught:
            await asyncio.to_thread(asyncio.run, elsewhere(app))
        await add(app, 1)
    assert str(caught.value) == (
        "the application was entered in another event loop; use it there, for instance with "
        "asyncio.run_coroutine_threadsafe, or enter an application of its own in this one"
    )


def test_an_application_that_was_left_can_be_entered_in_another_event_loop() -> None:
    app = compose()

    async def use() -> int:
        async with app:
            await add(app, 1)
            return (await app.load(account, "a")).version

    assert [1, 2] == [asyncio.run(use()), asyncio.run(use())]
