"""Commands of different keys go out side by side, those of one key in order."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from attrs import frozen

from eventhus import Command, Process, Recorded
from eventhus.errors import ReaderStopped, StoreUnavailable
from eventhus.middleware import Envelope, Handler
from eventhus_memory import MemoryStore
from tests.bank import Deposited, Scribble, Withdraw
from tests.core.hooks import Gate, at, fail_with
from tests.core.readers import bank
from tests.core.support import Proxy, add
from tests.core.waiting import settle

KEYS = [f"{number:02}" for number in range(50)]


def key(recorded: Recorded[Any]) -> str:
    return recorded.stream.aggregate_id


def number(state: int, recorded: Recorded[Deposited]) -> int:
    return state + 1


def say(state: int, recorded: Recorded[Deposited]) -> Iterable[Command]:
    return [
        Scribble(aggregate_id=key(recorded), text=f"{state} {which}") for which in ("one", "two")
    ]


saying = Process(name="saying", initial=0, key=key, evolve=number, react=say)


class Watching:
    """Middleware that counts the commands of the process that are under way."""

    def __init__(self) -> None:
        self.gate = Gate()
        self.texts: defaultdict[str, list[str]] = defaultdict(list)
        self.under_way: Counter[str] = Counter()
        self.most = 0

    def __call__(self, handle: Handler) -> Handler:
        async def handle_it(envelope: Envelope) -> Any:
            if not isinstance(envelope.command, Scribble):
                return await handle(envelope)
            aggregate_id = envelope.command.aggregate_id
            self.texts[aggregate_id].append(envelope.command.text)
            self.under_way[aggregate_id] += 1
            assert 1 == self.under_way[aggregate_id], "two of one key at once"
            self.most = max(self.most, self.under_way.total())
            await self.gate()
            committed = await handle(envelope)
            self.under_way[aggregate_id] -= 1
            return committed

        return handle_it


async def fill(store: MemoryStore) -> None:
    async with bank(store) as app:
        for amount in (1, 2):
            for each in KEYS:
                await add(app, amount, aggregate_id=each)


async def test_one_worker_handles_one_key_after_the_other() -> None:
    store, watching = MemoryStore(), Watching()
    await fill(store)
    watching.gate.opened.set()
    async with bank(store, processes=[saying], middleware=[watching], workers=1) as app:
        await app.caught_up(saying)
    assert 1 == watching.most


async def test_keys_go_side_by_side_and_each_in_its_order() -> None:
    """Almost twice as many as workers: the states of some are stored meanwhile."""
    store, watching = MemoryStore(), Watching()
    await fill(store)
    async with bank(store, processes=[saying], middleware=[watching], workers=20) as app:
        await settle()
        assert 39 == watching.gate.waiting == watching.most
        watching.gate.opened.set()
        await app.caught_up(saying)
    assert 39 == watching.most
    assert {each: ["1 one", "1 two", "2 one", "2 two"] for each in KEYS} == watching.texts


async def test_a_state_is_stored_before_the_checkpoint_moves() -> None:
    store, watching = Proxy(), Watching()
    assert isinstance(store.inner, MemoryStore)
    await fill(store.inner)
    saved: list[int] = []

    async def note(*_: object) -> None:
        documents = await store.inner.load_documents("process_saying", KEYS)
        saved.append(len([each for each in documents.values() if each.data == 2]))

    store.before["save_checkpoint"] = note
    watching.gate.opened.set()
    async with bank(store, processes=[saying], middleware=[watching]) as app:
        await app.caught_up(saying)
    assert {50} == {*saved}


async def test_the_states_of_keys_that_wait_are_stored_together() -> None:
    store = Proxy()
    assert isinstance(store.inner, MemoryStore)
    await fill(store.inner)

    async def slow(*_: object) -> None:
        await settle()

    store.before["save_documents"] = slow
    async with bank(store, processes=[saying]) as app:
        await app.caught_up(saying, 100)
    assert store.calls["save_documents"] < 20
    found = await store.inner.load_documents("process_saying", KEYS)
    assert [2] * 50 == [each.data for each in found.values()]


async def test_a_failing_save_is_repeated_with_all_that_waited_for_it() -> None:
    store = Proxy()
    assert isinstance(store.inner, MemoryStore)
    await fill(store.inner)
    unavailable = fail_with(StoreUnavailable("bank", "down"))

    async def slow(*_: object) -> None:
        await settle()

    failing = at(range(2, 9, 2), unavailable)

    async def slow_or_failing(*arguments: object) -> None:
        await slow()
        await failing(*arguments)

    store.before["save_documents"] = slow_or_failing
    async with bank(store, processes=[saying]) as app:
        await app.caught_up(saying, 100)
    assert 300 == await store.inner.head()
    found = await store.inner.load_documents("process_saying", KEYS)
    assert [2] * 50 == [each.data for each in found.values()]


@frozen(kw_only=True)
class Foreign(Command):
    """No aggregate takes it."""


async def test_everything_before_the_event_that_stops_it_is_handled() -> None:
    """In whichever order the keys come."""

    def stop(state: int, recorded: Recorded[Deposited]) -> Iterator[Command]:
        if key(recorded) > "40" or state == 2:
            yield Foreign(aggregate_id="x")
        else:
            yield from say(state, recorded)

    process = Process(name="saying", initial=0, key=key, evolve=number, react=stop)
    store = MemoryStore()
    await fill(store)
    async with bank(store, processes=[process], max_parked=0) as app:
        with pytest.raises(ReaderStopped) as caught:
            await app.caught_up(process)
    assert 42 == caught.value.position
    assert 41 == (await store.load_checkpoint("process_saying")).position
    assert KEYS[:41] == sorted(await store.load_documents("process_saying", KEYS))


async def test_keys_that_are_parked_at_once_are_not_too_many() -> None:
    """``max_parked`` holds although each of them looks for itself."""
    store = Proxy()
    assert isinstance(store.inner, MemoryStore)
    await fill(store.inner)

    async def slow(*_: object) -> None:
        await asyncio.sleep(0)

    store.before["load_parked"] = slow

    def raises(state: int, recorded: Recorded[Deposited]) -> Iterable[Command]:
        raise KeyError

    process = Process(name="saying", initial=0, key=key, evolve=number, react=raises)
    async with bank(store, processes=[process], max_parked=7) as app:
        with pytest.raises(ReaderStopped, match="max_parked=7 keys are parked already") as caught:
            await app.caught_up(process)
        assert "07" == caught.value.stream.aggregate_id  # the eighth
        assert 7 == len(await app.parked(process))


async def test_a_refused_command_of_one_key_does_not_hold_up_the_others() -> None:
    def react(state: int, recorded: Recorded[Deposited]) -> Iterator[Command]:
        yield Withdraw(aggregate_id="nobody")
        yield from say(state, recorded)

    process = Process(name="saying", initial=0, key=key, evolve=number, react=react)
    store = MemoryStore()
    await fill(store)
    async with bank(store, processes=[process]) as app:
        await app.caught_up(process)
    assert 300 == await store.head()
