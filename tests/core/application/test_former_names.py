"""Aggregates that were renamed: their streams stay, and are never taken for empty ones."""

from collections.abc import Iterable
from typing import Any

import pytest
from attrs import evolve, frozen

from eventhus import Aggregate, Command, Decision, Process, Query, Recorded, StreamId
from eventhus.domain.catalog import Catalog
from eventhus.errors import CompositionError, InvalidArgument
from eventhus_memory import MemoryStore
from tests.bank import Account, Deposit, Deposited, Open, Opened, account, note
from tests.core.support import Proxy, add, compose

konto = evolve(account, name="Konto")
renamed = evolve(account, former_names=["Konto"])
KONTO = StreamId("Konto", "a")


async def konto_store() -> MemoryStore:
    """A store with a deposit of 5 from before the rename."""
    store = MemoryStore()
    async with compose(store, aggregates=[konto]) as app:
        await app.dispatch(Open(aggregate_id="a"))
        await add(app, 5)
    return store


async def test_streams_stay_under_the_oldest_name() -> None:
    store = await konto_store()
    async with compose(store, aggregates=[evolve(account, former_names=("Konto", "Acc"))]) as app:
        committed = await app.dispatch(Deposit(aggregate_id="a", amount=2))
        assert (KONTO, 3) == (committed.stream, committed.version)
        new = await app.dispatch(Open(aggregate_id="b"))
        assert StreamId("Konto", "b") == new.stream
    async with compose(store, aggregates=[renamed]) as app:
        assert Account("Ada", 7) == await app.state(renamed, "a")
        assert Account("Ada", 5) == await app.state_at(renamed, "a", version=2)
        assert [KONTO] * 3 == [each.stream for each in await app.history(renamed, "a")]
    async with compose(store, aggregates=[konto]) as app:  # the older code still works
        assert Account("Ada", 7) == await app.state(konto, "a")


@frozen(kw_only=True)
class Welcome(Command):
    pass


def decide(command: Welcome, balance: int) -> Iterable[Deposited]:
    if not balance:
        yield Deposited(100)


def count(balance: int, event: Deposited) -> int:
    return balance + event.amount


async def test_decisions_add_to_the_streams_of_a_renamed_aggregate() -> None:
    def boundary(command: Welcome) -> Query:
        return Query.of(Deposited, tags={"none"})

    welcome = Decision(
        name="Welcome",
        aggregate_type="Account",
        initial=0,
        boundary=boundary,
        decide=decide,
        evolve=count,
    )
    store = await konto_store()
    async with compose(store, aggregates=[renamed], decisions=[welcome]) as app:
        committed = await app.dispatch(Welcome(aggregate_id="a"))
        assert (KONTO, 3) == (committed.stream, committed.version)


async def test_a_rename_without_the_former_name_is_refused() -> None:
    """Otherwise the next command would begin the aggregate anew."""
    store = await konto_store()
    expected = r"Account/a has no events, and Konto/a has events of Account; .* former_names="
    async with compose(store) as app:
        for _ in range(2):
            with pytest.raises(CompositionError, match=expected):
                await app.dispatch(Open(aggregate_id="a"))
            with pytest.raises(CompositionError, match=expected):
                await app.state(account, "a")
        await app.dispatch(Open(aggregate_id="new"))
    assert 3 == await store.head()
    async with compose(store, aggregates=[renamed]) as app:  # too late for the new one
        with pytest.raises(CompositionError, match="Konto/new has no events, and Account/new has"):
            await app.state(renamed, "new")


async def test_looking_for_streams_of_former_names_costs_one_read() -> None:
    store = Proxy()
    async with compose(store) as app:
        for each in "abc":
            await app.dispatch(Open(aggregate_id=each))
    assert 1 == store.calls["read"]
    assert 0 == store.calls["version_of"]


async def test_an_aggregate_without_events_has_no_former_streams() -> None:
    store = await konto_store()
    nothing: Any = Aggregate(
        name="Nothing",
        initial=0,
        decide=lambda *_: [],
        evolve=lambda *_: 0,
        commands=[Welcome],
        events=[],
    )
    async with compose(store, aggregates=[nothing]) as app:
        await app.dispatch(Welcome(aggregate_id="a"))


@pytest.mark.parametrize(
    "former",
    [("Account",), ("Konto", "Konto"), ("",), (5,)],
    ids=["its own", "twice", "empty", "a number"],
)
def test_former_names_are_different_text(former: Any) -> None:
    with pytest.raises(CompositionError, match="former_names of Account must be different"):
        evolve(account, former_names=former)
    assert ("Konto",) == evolve(account, former_names="Konto").former_names


@pytest.mark.parametrize("name", ["Konto", "Note"])
def test_two_aggregates_cannot_have_had_the_same_name(name: str) -> None:
    other = note if name == "Note" else evolve(note, former_names=["x", name])
    aggregates: list[Any] = [evolve(account, former_names=[name]), other]
    with pytest.raises(CompositionError, match=f"'{name}' is a name or a former name of two"):
        Catalog(aggregates)


async def test_a_stream_is_read_by_every_name_of_its_aggregate() -> None:
    store = await konto_store()
    async with compose(store, aggregates=[evolve(account, former_names=("Konto", "Acc"))]) as app:
        for name in ("Account", "Acc", "Konto"):
            events = [each async for each in app.events(stream=StreamId(name, "a"))]
            assert [KONTO, KONTO] == [each.stream for each in events]


async def test_a_stream_of_an_undeclared_type_is_not_silently_empty() -> None:
    store = await konto_store()

    def keep(state: int, recorded: Recorded[Opened]) -> int:
        return state

    process = Process(name="p", initial=0, key=lambda _: "a", evolve=keep, react=lambda *_: [])
    async with compose(store, processes=[process]) as app:
        with pytest.raises(InvalidArgument, match="Acount/a has no events, and Acount is not an"):
            [each async for each in app.events(stream=StreamId("Acount", "a"))]
        assert 2 == len([each async for each in app.events(stream=KONTO)])
        for empty in ("Account", "eventhus:process/p"):
            assert [] == [each async for each in app.events(stream=StreamId(empty, "z"))]
