"""Views and processes of several keys, which read no event that they do not want."""

from collections.abc import Iterable, Iterator

import pytest

from eventhus import Command, Process, Recorded, StreamId, View
from eventhus.errors import ReaderStopped
from eventhus.ports import Page
from eventhus_memory import MemoryStore
from tests.bank import Deposited, Open, Opened, Scribble, Script, Withdrawn, always
from tests.core.support import Proxy, add, compose, recorded

Moved = Deposited | Withdrawn


def both(recorded: Recorded[Moved]) -> Iterator[str]:
    """Every movement counts for its account, and twice for the bank, which is one key."""
    yield recorded.stream.aggregate_id
    yield from ("bank", "bank")


def total(value: int, recorded: Recorded[Moved], key: str) -> int:
    amount = recorded.event.amount * (1 if isinstance(recorded.event, Deposited) else -1)
    return value + amount * (100 if key == "bank" else 1)


totals = View(name="totals", initial=0, key=both, evolve=total)


async def test_an_event_is_folded_into_each_of_its_keys_once() -> None:
    async with compose(views=[totals]) as app:
        await add(app, 1, 2)
        await add(app, 5, aggregate_id="b")
        await app.caught_up(totals)
        assert [3, 5, 800] == [await app.view(totals, key) for key in ("a", "b", "bank")]


@pytest.mark.parametrize("answer", [7, ["a", 7], [b"a"], "\ud800", ["\ud800"]])
async def test_anything_but_texts_stops_the_view(answer: object) -> None:
    broken = View(name="broken", initial=0, key=lambda _: answer, evolve=total)  # type: ignore[arg-type, return-value]
    async with compose(views=[broken]) as app:
        await add(app, 1)
        with pytest.raises(ReaderStopped, match="1: WrongAnswer: a key must be a str of"):
            await app.caught_up(broken)


async def test_a_key_beyond_its_limit_stops_the_view_and_names_the_event() -> None:
    endless = View(name="endless", initial=0, key=lambda _: "k" * 1025, evolve=total)
    async with compose(views=[endless]) as app:
        await add(app, 1)
        with pytest.raises(ReaderStopped, match="Account/a, version 1"):
            await app.caught_up(endless)


@pytest.mark.parametrize("answer", [None, [], ()])
async def test_an_event_may_concern_no_key(answer: Iterable[str] | None) -> None:
    silent = View(name="silent", initial=0, key=lambda _: answer, evolve=total)
    store = MemoryStore()
    async with compose(store, views=[silent]) as app:
        await add(app, 1)
        await app.caught_up(silent)
        assert {} == await store.load_documents("view_silent", ["a", "bank"])


def evolve(state: int, recorded: Recorded[Moved], key: str) -> int:
    return state + 1


def react(state: int, recorded: Recorded[Moved], key: str) -> Iterable[Command]:
    return [Scribble(aggregate_id=key, text=f"{key} {state}")]


async def test_each_key_of_an_event_sends_commands_of_its_own() -> None:
    notes = Process(name="notes", initial=0, key=both, evolve=evolve, react=react)
    store = MemoryStore()
    async with compose(store, processes=[notes]) as app:
        await add(app, 1, 2)
        await app.caught_up(notes)
        texts = [each.event.data["text"] for each in (await store.read()).events[2:]]
        for each in ("a", "bank"):
            own = [text for text in texts if text.startswith(f"{each} ")]
            assert [f"{each} 1", f"{each} 2"] == own
        assert 4 == len(texts)


async def test_events_that_are_not_wanted_are_not_read() -> None:
    """The checkpoint moves over them."""
    store = Proxy()
    async with compose(store) as app:
        await app.dispatch(Open(aggregate_id="a"))
        for _ in range(3):
            await app.dispatch(Scribble(aggregate_id="n"))
        last = await app.dispatch(Scribble(aggregate_id="n"))
    read: list[int] = []

    async def note(page: Page) -> None:
        read.extend(each.position for each in page.events)

    store.before["follow"] = note
    async with compose(store, views=[totals]) as app:
        await app.caught_up(totals)
    checkpoint = await store.load_checkpoint("view_totals")
    assert (5, last.events[0].id) == (checkpoint.position, checkpoint.event_id)
    assert [] == read


async def test_an_unstorable_value_parks_one_key_of_an_event_only() -> None:
    """The other keys of the same event and of the same batch go on."""

    def grow(value: str, recorded: Recorded[Opened | Deposited], key: str) -> str:
        return "\ud800" if key == "poison" else f"{value}x"

    def keys(recorded: Recorded[Opened | Deposited]) -> list[str]:
        return ["poison", "good"]

    names = View(name="names", initial="", key=keys, evolve=grow)
    store = MemoryStore()
    async with compose(store) as app:
        await app.dispatch(Script(aggregate_id="a", decide=always(Deposited(1), Deposited(2))))
    async with compose(store, views=[names]) as app:
        await app.caught_up(names)
        assert "xx" == await app.view(names, "good")
        assert ["poison"] == [each.key for each in await app.parked(names)]


def test_a_view_and_a_process_tell_the_keys_of_an_event_once() -> None:
    moved = recorded(Deposited(1), stream=StreamId("Account", "a"))
    notes = Process(name="notes", initial=0, key=both, evolve=evolve, react=react)
    assert ("a", "bank") == totals.keys(moved) == notes.keys(moved)
