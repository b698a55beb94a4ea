"""Bad input and bugs never half-apply: the log and the state stay, the next command works."""

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any

import attrs
import pytest

from eventhus import Command, Committed, Metadata, StreamId
from eventhus.errors import CodecError, InvalidArgument, InvalidCommit, UndeclaredEvent
from eventhus_memory import MemoryStore
from tests.bank import (
    Account,
    Deposit,
    Deposited,
    Indigestible,
    Open,
    Opened,
    Scribble,
    Script,
    Undeclared,
    account,
    always,
)
from tests.core.hooks import at, fail_with
from tests.core.support import JsonCodec, Proxy, compose


def undeclared(_: Account) -> Iterable[Any]:
    """An event of no aggregate, behind one that is."""
    return [Deposited(1), Undeclared()]


def undeclared_subclass(_: Account) -> Iterable[Any]:
    """An event whose base is declared: its own name is not, so it could not be read again."""

    class Special(Deposited):
        pass

    return [Special(1)]


def bug_in_decide(_: Account) -> Iterator[Any]:
    """Fails half-way."""
    yield Deposited(1)
    raise ZeroDivisionError


def bug_in_evolve(_: Account) -> Iterable[Any]:
    """The second event cannot be folded."""
    return [Deposited(1), Indigestible()]


def not_encodable(_: Account) -> Iterable[Any]:
    """The second event cannot be stored."""
    amount: Any = object()
    return [Deposited(1), Deposited(amount)]


def not_iterable(_: Account) -> Any:
    """A function that forgot to return."""


FAULTS = [
    pytest.param(undeclared, UndeclaredEvent, id="undeclared"),
    pytest.param(undeclared_subclass, UndeclaredEvent, id="undeclared subclass"),
    pytest.param(bug_in_decide, ZeroDivisionError, id="decide"),
    pytest.param(bug_in_evolve, ZeroDivisionError, id="evolve"),
    pytest.param(not_encodable, CodecError, id="codec"),
    pytest.param(not_iterable, TypeError, id="no iterable"),
]


@pytest.mark.parametrize("warm", [True, False])
@pytest.mark.parametrize(("script", "error"), FAULTS)
async def test_a_fault_changes_nothing(script: Any, error: type[Exception], warm: bool) -> None:
    """Log, cache and state are as before, the lane is free, and the next command works."""
    store = Proxy()
    async with compose(store, cache_size=10 if warm else 0) as app:
        await app.dispatch(Open(aggregate_id="a"))
        before = await app.load(account, "a")
        store.calls.clear()
        with pytest.raises(error):
            await app.dispatch(Script(aggregate_id="a", decide=script), command_id="k")
        assert 0 == store.calls["append"]
        assert before == await app.load(account, "a")
        committed = await app.dispatch(Deposit(aggregate_id="a"), command_id="k")
        assert 2 == committed.version
        assert Account("Ada", 1) == await app.state(account, "a")


@pytest.mark.parametrize(("script", "error"), FAULTS)
async def test_a_fault_on_a_new_aggregate_changes_nothing(
    script: Any, error: type[Exception]
) -> None:
    """It stays new."""
    store = MemoryStore()
    async with compose(store) as app:
        with pytest.raises(error):
            await app.dispatch(Script(aggregate_id="a", decide=script))
        assert 0 == await store.head()
        assert 1 == (await app.dispatch(Open(aggregate_id="a"))).version


async def test_a_bug_does_not_stop_those_behind_it() -> None:
    """The lane goes to the next in line, and every caller gets its own outcome."""
    async with compose() as app:
        await app.dispatch(Open(aggregate_id="a"))
        commands: list[Command] = [
            Deposit(aggregate_id="a"),
            Script(aggregate_id="a", decide=bug_in_decide),
            Deposit(aggregate_id="a"),
            Script(aggregate_id="a", decide=bug_in_evolve),
            Deposit(aggregate_id="a"),
        ]
        outcomes = await asyncio.gather(
            *(app.dispatch(each) for each in commands), return_exceptions=True
        )
        assert [2, ZeroDivisionError, 3, ZeroDivisionError, 4] == [
            each.version if isinstance(each, Committed) else type(each) for each in outcomes
        ]


@pytest.mark.parametrize("method", ["load", "append"])
async def test_a_store_that_fails_fails_the_command_alone(method: str) -> None:
    """Its error travels, and the next command goes to the store again."""
    store = Proxy()
    async with compose(store, cache_size=0) as app:
        await app.dispatch(Open(aggregate_id="a"))
        store.before[method] = at([1], fail_with(ConnectionError("gone")))
        with pytest.raises(ConnectionError):
            await app.dispatch(Deposit(aggregate_id="a"))
        assert 2 == (await app.dispatch(Deposit(aggregate_id="a"))).version


async def test_an_append_that_landed_before_its_error_is_not_forgotten() -> None:
    """The cache does not know it; the next command finds it in the store."""
    store = Proxy()
    async with compose(store) as app:
        await app.dispatch(Open(aggregate_id="a"))
        store.after["append"] = at([1], fail_with(ConnectionError("no answer")))
        with pytest.raises(ConnectionError):
            await app.dispatch(Deposit(aggregate_id="a", amount=5))
        assert 3 == (await app.dispatch(Deposit(aggregate_id="a", amount=1))).version
        assert Account("Ada", 6) == await app.state(account, "a")


class Careless(JsonCodec):
    """A codec whose data is not plain."""

    def encoder(self, as_type: Any) -> Any:
        """See ``Codec.encoder``."""
        return lambda value: {"value": object()}


async def test_a_store_that_refuses_the_data_leaves_no_trace() -> None:
    """A codec that breaks its promise is found out by the store."""
    store = MemoryStore()
    async with compose(store, codec=Careless()) as app:
        with pytest.raises(InvalidCommit):
            await app.dispatch(Open(aggregate_id="a"))
        assert Account() == await app.state(account, "a")
    assert 0 == await store.head()


async def test_a_stored_event_that_cannot_be_read_fails_its_own_aggregate_alone() -> None:
    """The error names the stream and the version; nothing of the stream reaches the cache."""
    store = MemoryStore()
    async with compose(store) as app:
        await app.dispatch(Open(aggregate_id="a"))
        await app.dispatch(Script(aggregate_id="a", decide=lambda _: [Opened("Bob")]))
        await app.dispatch(Open(aggregate_id="b"))

    class Stricter(JsonCodec):
        def decoder(self, as_type: Any) -> Any:
            decode = super().decoder(as_type)

            def strict(data: Any) -> Any:
                if data == {"owner": "Bob"}:
                    raise CodecError(as_type.__name__, "owner", "no such owner")
                return decode(data)

            return strict

    async with compose(store, codec=Stricter()) as app:
        for _ in range(2):
            with pytest.raises(CodecError) as caught:
                await app.dispatch(Deposit(aggregate_id="a"))
            assert (StreamId("Account", "a"), 2) == (caught.value.stream, caught.value.version)
        assert 2 == (await app.dispatch(Deposit(aggregate_id="b"))).version
    assert 4 == await store.head()


@pytest.mark.parametrize("aggregate_id", ["", 7, None])
async def test_an_aggregate_id_that_is_not_text_is_refused(aggregate_id: Any) -> None:
    """Before anything is read or written, and the application goes on."""
    store = Proxy()
    async with compose(store) as app:
        store.calls.clear()
        with pytest.raises(InvalidArgument):
            await app.dispatch(Open(aggregate_id=aggregate_id))
        assert {} == store.calls
        await app.dispatch(Open(aggregate_id="a"))


@pytest.mark.parametrize("aggregate_id", ["\ud800", "a\udfffb"])
async def test_an_aggregate_id_that_is_not_unicode_is_refused(aggregate_id: str) -> None:
    r"""Half of a surrogate pair, as JSON's "\ud800" gives: no store or bus could carry it."""
    store = MemoryStore()
    async with compose(store) as app:
        with pytest.raises(InvalidArgument):
            await app.dispatch(Open(aggregate_id=aggregate_id))
    assert 0 == await store.head()


@pytest.mark.parametrize(
    "aggregate_id", [" ", "a/b", "a.b", "$a", "*", ">", "\n", "\0", "é", "🏦", "x" * 1024]
)
async def test_any_other_text_is_an_aggregate_id(aggregate_id: str) -> None:
    """Ids are the domain's; none has a meaning to the runtime."""
    store = MemoryStore()
    async with compose(store) as app:
        await app.dispatch(Open(aggregate_id=aggregate_id))
        await app.dispatch(Scribble(aggregate_id=aggregate_id))
    async with compose(store) as app:
        assert Account("Ada") == await app.state(account, aggregate_id)


@pytest.mark.parametrize(
    ("aggregate_id", "options"),
    [
        pytest.param("x" * 1025, {}, id="aggregate_id"),
        pytest.param("a", {"command_id": "x" * 1025}, id="command_id"),
        pytest.param("a", {"metadata": Metadata(values={"a": "x" * 8193})}, id="metadata"),
    ],
)
async def test_ids_and_metadata_beyond_the_limits_are_refused(
    aggregate_id: str, options: dict[str, Any]
) -> None:
    store = MemoryStore()
    async with compose(store) as app:
        with pytest.raises(InvalidArgument, match="limit"):
            await app.dispatch(Open(aggregate_id=aggregate_id), **options)
    assert 0 == await store.head()


@pytest.mark.parametrize(
    ("decided", "found"),
    [
        pytest.param(None, "NoneType", id="forgot to yield"),
        pytest.param(Deposited(1), "Deposited", id="one event, in no list"),
    ],
)
async def test_decided_values_that_are_not_a_collection_of_events(decided: Any, found: str) -> None:
    """The message names the aggregate, what came and what to do."""
    careless: Any = attrs.evolve(account, decide=lambda *_: decided)
    async with compose(aggregates=[careless]) as app:
        with pytest.raises(TypeError, match=f"decide of Account returned {found} instead of"):
            await app.dispatch(Open(aggregate_id="a"))
        assert [] == await app.history(careless, "a")


@pytest.mark.parametrize("aggregate_id", ["a", "b"])
async def test_an_id_that_comes_twice_is_an_error(aggregate_id: str) -> None:
    """A source of ids that repeats itself must not answer one command with another's events."""
    async with compose(new_id=lambda: "same") as app:
        await app.dispatch(Open(aggregate_id="a"))
        with pytest.raises(InvalidCommit, match=r"commit id same .* unique for ever"):
            await app.dispatch(Script(aggregate_id=aggregate_id, decide=always(Deposited(1))))
        assert 1 == len(await app.history(account, "a"))
        assert [] == await app.history(account, "b")
