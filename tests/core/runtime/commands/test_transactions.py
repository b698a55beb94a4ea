"""Transactions: several aggregates change together, or none of them."""

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest
from attrs import evolve as change

from eventhus import Application, Command, Committed, Metadata, Rejected, StreamId, Transaction
from eventhus.errors import (
    CommandIdReused,
    ConcurrencyError,
    InvalidArgument,
    StoreUnavailable,
    TooManyConflicts,
    UndeclaredEvent,
)
from eventhus.ports import Commit, EventData, Part
from eventhus_memory import MemoryStore
from tests.bank import (
    Deposit,
    Deposited,
    InsufficientFunds,
    NotOpen,
    Open,
    Rename,
    Script,
    Undeclared,
    Withdrawn,
    account,
    always,
)
from tests.core.support import Proxy, compose, stored_events
from tests.transfers import Transfer, transfer

A, B = StreamId("Account", "a"), StreamId("Account", "b")


def bank(store: Any = None, **options: Any) -> Application:
    return compose(store, **{"transactions": [transfer], **options})


def splitting(*commands: Command) -> Transaction[Any]:
    """Return the transfer with other commands."""
    return change(transfer, split=lambda _: commands)


def move(amount: int = 1, source: str = "a", to: str = "b") -> Transfer:
    return Transfer(aggregate_id=source, to=to, amount=amount)


async def open_accounts(app: Application, *ids: str, balance: int = 100) -> None:
    for aggregate_id in ids:
        await app.dispatch(Open(aggregate_id=aggregate_id))
        await app.dispatch(Deposit(aggregate_id=aggregate_id, amount=balance))


async def balances(app: Application, *ids: str) -> list[int]:
    return [(await app.state(account, aggregate_id)).balance for aggregate_id in ids]


async def test_all_aggregates_change_in_one_commit() -> None:
    store = MemoryStore()
    async with bank(store) as app:
        await open_accounts(app, "a", "b")
        committed = await app.dispatch(move(30))
        assert [70, 130] == await balances(app, "a", "b")
    assert (A, 3, 6) == (committed.stream, committed.version, committed.position)
    assert [(A, 3, Withdrawn(30)), (B, 3, Deposited(30))] == [
        (each.stream, each.version, each.event) for each in committed.events
    ]
    assert 1 == len({each.id.rpartition("-")[0] for each in committed.events})
    assert committed.events[1].metadata == committed.events[0].metadata


@pytest.mark.parametrize(
    ("command", "refusal"), [(move(101), InsufficientFunds), (move(1, to="nobody"), NotOpen)]
)
async def test_one_refusal_refuses_everything(command: Transfer, refusal: type[Rejected]) -> None:
    store = MemoryStore()
    async with bank(store) as app:
        await open_accounts(app, "a")
        before = await stored_events(store)
        with pytest.raises(refusal):
            await app.dispatch(command)
        assert before == await stored_events(store)
        assert [100, 0] == await balances(app, "a", "nobody")


async def test_split_may_refuse() -> None:
    class Closed(Rejected):
        """The bank is closed."""

    def refuse(_: Transfer) -> Iterable[Command]:
        raise Closed

    async with bank(transactions=[change(transfer, split=refuse)]) as app:
        with pytest.raises(Closed):
            await app.dispatch(move())


@pytest.mark.parametrize("cache_size", [0, 100])
async def test_rivals_in_opposite_directions_neither_block_nor_lose_money(cache_size: int) -> None:
    store = MemoryStore()
    async with bank(store, cache_size=cache_size) as one, bank(store) as other:
        await open_accounts(one, "a", "b", "c")
        await asyncio.gather(
            *[
                app.dispatch(move(1, source, to))
                for _ in range(10)
                for source, to in ("ab", "ba", "bc", "ca")
                for app in (one, other)
            ]
        )
        assert 300 == sum(await balances(one, "a", "b", "c"))
        assert [120, 80, 100] == await balances(other, "a", "b", "c")


async def test_commands_for_one_aggregate_are_decided_one_after_another() -> None:
    deposits = [Deposit(aggregate_id="a", amount=1), Deposit(aggregate_id="a", amount=2)]
    both = splitting(Open(aggregate_id="a"), Deposit(aggregate_id="b", amount=5), *deposits)
    async with bank(transactions=[both]) as app:
        await open_accounts(app, "b")
        committed = await app.dispatch(move())
        assert [("a", 1), ("a", 2), ("a", 3), ("b", 3)] == [
            (each.stream.aggregate_id, each.version) for each in committed.events
        ]
        assert [3, 105] == await balances(app, "a", "b")


async def test_an_aggregate_with_nothing_to_change_is_not_in_the_commit() -> None:
    renames = splitting(Rename(aggregate_id="a", owner="Ada"), Deposit(aggregate_id="b", amount=1))
    async with bank(transactions=[renames]) as app:
        await open_accounts(app, "a", "b")
        committed = await app.dispatch(move(), command_id="t1")
        assert (B, 3) == (committed.stream, committed.version)
        assert committed == await app.dispatch(move(), command_id="t1")


async def test_nothing_to_change_is_an_answer() -> None:
    unchanged = splitting(*[Rename(aggregate_id=each, owner="Ada") for each in "ab"])
    async with bank(transactions=[unchanged]) as app:
        await open_accounts(app, "a", "b")
        answer = await app.dispatch(move())
        assert Committed(stream=A, version=2, position=2, events=()) == answer


async def test_a_repeated_command_changes_nothing() -> None:
    async with bank() as app:
        await open_accounts(app, "a", "b", "c", "d")
        first = await app.dispatch(move(1), command_id="t1")
        assert first == await app.dispatch(move(1), command_id="t1")
        with pytest.raises(CommandIdReused):
            await app.dispatch(move(1, "c", "d"), command_id="t1")
        assert [99, 101, 100, 100] == await balances(app, "a", "b", "c", "d")


async def test_the_expected_version_is_that_of_the_first_aggregate() -> None:
    async with bank() as app:
        await open_accounts(app, "a", "b")
        await app.dispatch(Deposit(aggregate_id="b"))
        with pytest.raises(ConcurrencyError) as caught:
            await app.dispatch(move(), expected_version=1)
        assert A == caught.value.stream
        assert 3 == (await app.dispatch(move(), expected_version=2)).version


async def rival(store: Proxy, stream: StreamId, number: int) -> None:
    """Append to a stream behind the back of the application."""
    event = EventData("Deposited", {"amount": 1})
    part = Part(stream=stream, events=[event], expected_version=None)
    at = (await stored_events(store.inner))[0].recorded_at
    await store.inner.append(Commit(id=f"rival-{number}", parts=[part], recorded_at=at))


@pytest.mark.parametrize("stream", [A, B])
async def test_a_lost_race_for_any_aggregate_is_decided_again(stream: StreamId) -> None:
    store = Proxy()
    async with bank(store) as app:
        await open_accounts(app, "a", "b")

        async def get_in_between(_: Commit) -> None:
            del store.before["append"]
            await rival(store, stream, 1)

        store.before["append"] = get_in_between
        await app.dispatch(move(30))
        assert 201 == sum(await balances(app, "a", "b"))


async def test_a_rival_of_the_second_aggregate_does_not_refuse_an_expected_version() -> None:
    store = Proxy()
    async with bank(store) as app:
        await open_accounts(app, "a", "b")

        async def get_in_between(_: Commit) -> None:
            del store.before["append"]
            await rival(store, B, 1)

        store.before["append"] = get_in_between
        assert 3 == (await app.dispatch(move(30), expected_version=2)).version


async def test_endless_rivals_are_reported() -> None:
    store = Proxy()
    async with bank(store) as app:
        await open_accounts(app, "a", "b")
        numbers = iter(range(1_000))

        async def get_in_between(_: Commit) -> None:
            await rival(store, B, next(numbers))

        store.before["append"] = get_in_between
        with pytest.raises(TooManyConflicts):
            await app.dispatch(move(30))
        del store.before["append"]
        assert 100 == (await balances(app, "a"))[0]


async def test_the_first_failure_of_loading_is_the_error() -> None:
    store = Proxy()

    async def fail(*_: object) -> None:
        raise StoreUnavailable("bank", "the test says so")

    async with bank(store) as app:
        await open_accounts(app, "a", "b")
        store.before["load"] = fail
        with pytest.raises(StoreUnavailable):
            await app.dispatch(move(1, "x", "y"))


async def test_a_bug_in_one_aggregate_changes_none() -> None:
    store = MemoryStore()
    broken = splitting(
        Deposit(aggregate_id="a", amount=1), Script(aggregate_id="b", decide=always(Undeclared()))
    )
    async with bank(store, transactions=[broken]) as app:
        await open_accounts(app, "a", "b")
        with pytest.raises(UndeclaredEvent):
            await app.dispatch(move())
        assert 4 == await store.head()


async def test_a_split_without_commands_is_a_bug() -> None:
    async with bank(transactions=[splitting()]) as app:
        with pytest.raises(TypeError, match="returned no commands"):
            await app.dispatch(move())


async def test_an_id_that_is_none_is_refused() -> None:
    async with bank() as app:
        with pytest.raises(InvalidArgument):
            await app.dispatch(move(1, to=""))


async def test_metadata_is_on_every_event() -> None:
    async with bank() as app:
        await open_accounts(app, "a", "b")
        committed = await app.dispatch(move(), metadata=Metadata(values={"user": "u1"}))
        assert ["u1", "u1"] == [each.metadata.values["user"] for each in committed.events]
