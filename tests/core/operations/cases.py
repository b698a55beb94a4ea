"""Cases of the log, states and documents that run on every store."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any, TypeAlias

import pytest

from eventhus import Application, Metadata, Query, StreamId, View, in_range, one_of
from eventhus.errors import InvalidArgument, UndeclaredIndex
from eventhus.operations import Difference, LoggedEvent, Operations, Redactable
from eventhus.ports import Commit, EventData, HeldLease, Part, Storage
from tests.bank import (
    Deposit,
    Deposited,
    Open,
    Scribble,
    Script,
    Withdraw,
    account,
    always,
    note,
)
from tests.core.finding import fill, orders
from tests.core.readers import CODEC, balances, odd, welcome
from tests.core.support import add

Case: TypeAlias = Callable[[Storage], Awaitable[None]]

CASES: list[Case] = []
A, B = StreamId("Account", "a"), StreamId("Account", "b")


def case(function: Case) -> Case:
    """Add a case to the list."""
    CASES.append(function)
    return function


def bank(store: Storage, **options: Any) -> Application:
    """Return the bank on the clock of the machine."""
    options = {"aggregates": [account, note], "codec": CODEC, **options}
    return Application(bucket="bank", store=store, **options)


async def leases_of(operations: Operations) -> list[HeldLease]:
    """Return the leases that are held."""
    return [each for each in await operations.leases() if isinstance(each, HeldLease)]


def bare(store: Storage) -> Application:
    """Return an application that has only a bucket and a store."""
    return bank(store, aggregates=[])


async def append(
    store: Storage,
    stream: StreamId,
    *events: EventData,
    commit: str,
    correlation_id: str | None = None,
    causation_id: str | None = None,
) -> None:
    """Append plain events, as other code would."""
    await store.append(
        Commit(
            id=commit,
            parts=[Part(stream=stream, events=events, expected_version=None)],
            recorded_at=datetime.now(UTC),
            metadata=Metadata(correlation_id=correlation_id, causation_id=causation_id),
        )
    )


def positions(events: Iterable[LoggedEvent]) -> list[int]:
    """Return the positions of events."""
    return [each.position for each in events]


@case
async def the_log_is_read_in_pages_in_both_directions(store: Storage) -> None:
    async with bank(store) as app:
        await app.dispatch(Open(aggregate_id="a", owner="ann"))
        await add(app, 2, 3, 4)
        operations = Operations(app)
        newest = await operations.log(limit=2)
        assert (positions(newest.events), newest.is_last) == ([4, 3], False)
        oldest = await operations.log(before=newest.position, limit=9)
        assert (positions(oldest.events), oldest.is_last) == ([2, 1], True)
        page = await operations.log_after(after=1, limit=2)
        assert (positions(page.events), page.is_last) == ([2, 3], False)
        page = await operations.log_after(after=page.position)
        assert (positions(page.events), page.is_last) == ([4], True)
        wanted = await operations.log(Query.of("Opened"))
        assert positions(wanted.events) == [1]
        wanted = await operations.log_after(Query.of(Deposited), limit=1)
        assert positions(wanted.events) == [2]


@case
async def an_event_is_shown_as_it_is_stored(store: Storage) -> None:
    async with bank(store) as app:
        metadata = Metadata(correlation_id="talk", causation_id="click", values={"user": "eve"})
        await app.dispatch(Open(aggregate_id="a", owner="ann"), metadata=metadata)
        operations = Operations(app)
        (event,) = (await operations.log()).events
        assert (
            event.stream,
            event.version,
            event.position,
            event.type,
            event.schema,
        ) == (A, 1, 1, "Opened", 1)
        assert event.data == {"owner": "ann"}
        assert (
            event.correlation_id,
            event.causation_id,
            event.metadata,
        ) == ("talk", "click", {"user": "eve"})
        assert event.problem is None
        assert event == await operations.event(1) == await operations.event(event.id)
        assert [await operations.event(each) for each in (0, 2, "nobody-1")] == [None, None, None]


@case
async def everything_of_the_log_works_without_any_class(store: Storage) -> None:
    async with bank(store, views=[orders], processes=[welcome]) as app:
        await fill(app)
        await app.caught_up(welcome)
    async with bare(store) as app:
        operations = Operations(app)
        (event,) = (await operations.log_after(limit=1)).events
        assert (event.type, event.data) == ("Deposited", {"amount": 4})
        assert event.problem is not None
        assert event.problem.startswith("Deposited: no aggregate of this application declares")
        streams = await operations.streams(limit=2)
        assert [StreamId("Account", "1"), StreamId("Account", "2")] == [s.stream for s in streams]
        assert [each.version for each in streams] == [2, 2]
        (step, _) = await operations.stream(streams[0].stream)
        assert (event.type, ()) == (step.event.type, step.differences)
        assert step.problem == "no aggregate of this application has the name Account"
        state = await operations.state(streams[0].stream)
        assert (2, None, step.problem) == (state.version, state.data, state.problem)
        page = await operations.documents("view", "orders", limit=2)
        assert [each.key for each in page.documents] == ["1", "2"]
        assert page.documents[0].data["customer"] == "ann"
        page = await operations.documents("view", "orders", after=page.cursor)
        assert ([each.key for each in page.documents], page.cursor) == (["3", "4", "5"], None)
        document = await operations.document("process", "welcome", "1")
        assert document is not None
        assert (document.data, document.problem) == ({"deposits": 2}, None)


@case
async def an_event_that_does_not_fit_its_class_says_why(store: Storage) -> None:
    await append(store, A, EventData("Opened", {"owner": 7}), commit="c1")
    await append(store, A, EventData("Opened", {"owner": "x"}, schema=5), commit="c2")
    async with bank(store) as app:
        first, second = (await Operations(app).log_after()).events
        assert first.data == {"owner": 7}
        assert first.problem is not None
        assert first.problem.startswith("Opened.owner: ")
        assert second.problem is not None
        assert "stored with schema 5" in second.problem


@case
async def a_stream_tells_what_each_event_changed(store: Storage) -> None:
    async with bank(store) as app:
        await app.dispatch(Open(aggregate_id="a", owner="ann"))
        await app.dispatch(Deposit(aggregate_id="a", amount=5))
        await app.dispatch(Withdraw(aggregate_id="a", amount=2))
        operations = Operations(app)
        steps = await operations.stream(A)
        assert [
            (Difference(path="owner", kind="changed", before=None, after="ann"),),
            (Difference(path="balance", kind="changed", before=0, after=5),),
            (Difference(path="balance", kind="changed", before=5, after=3),),
        ] == [tuple(each.differences) for each in steps]
        assert {(None, False)} == {(each.problem, each.is_cut) for each in steps}
        page = await operations.stream(A, after_version=1, limit=1)
        assert steps[1:2] == [*page]
        assert [*await operations.stream(A, after_version=3)] == []


@case
async def a_state_is_folded_up_to_any_version(store: Storage) -> None:
    async with bank(store) as app:
        await app.dispatch(Open(aggregate_id="a", owner="ann"))
        await add(app, 5)
        operations = Operations(app)
        states = [await operations.state(A, version=each) for each in (0, 1, 2, None)]
        assert [(each.version, each.data) for each in states] == [
            (0, {"owner": None, "balance": 0}),
            (1, {"owner": "ann", "balance": 0}),
            (2, {"owner": "ann", "balance": 5}),
            (2, {"owner": "ann", "balance": 5}),
        ]
        with pytest.raises(InvalidArgument, match="is at version 2, so it has no 3"):
            await operations.state(A, version=3)
        nobody = await operations.state(B)
        assert (nobody.version, nobody.data, nobody.problem) == (0, None, "Account/b has no events")


@case
async def a_state_that_cannot_be_folded_says_why(store: Storage) -> None:
    async with bank(store) as app:
        await add(app, 1)
        later = [EventData("Indigestible", {}), EventData("Renamed", {"owner": "x"})]
        await append(store, A, *later, commit="c0")
        await append(store, B, EventData("Gone", {"secret": 1}), commit="c1")
        operations = Operations(app)
        problem = "evolve of Account raised ZeroDivisionError at Account/a, version 2, position 2"
        steps = await operations.stream(A)
        assert [None, problem, problem] == [each.problem for each in steps]
        assert [each.event.type for each in steps] == ["Deposited", "Indigestible", "Renamed"]
        assert problem == (await operations.state(A)).problem
        assert (await operations.state(A, version=1)).problem is None
        gone = await operations.state(B)
        assert gone.problem is not None
        assert gone.problem.startswith("Account/b, version 1, position 4 cannot be decoded: Gone: ")
        assert "secret" not in gone.problem


@case
async def the_stream_of_a_process_shows_its_events(store: Storage) -> None:
    stream = StreamId("eventhus:process/welcome", "a")
    event = EventData("eventhus:DeadlineReached", {"name": "later"})
    await append(store, stream, event, commit="c1")
    async with bank(store, processes=[odd, welcome]) as app:
        (step,) = await Operations(app).stream(stream)
        assert (step.event.problem, step.event.data) == (None, {"name": "later"})
        assert step.problem is not None
        assert step.problem.startswith("the state of process welcome is not folded from this")


@case
async def a_conversation_is_a_tree_of_causes_and_effects(store: Storage) -> None:
    async with bank(store) as app:
        first = await app.dispatch(Open(aggregate_id="a"), metadata=Metadata(correlation_id="t"))
        (opened,) = [each async for each in app.events()]
        await app.dispatch(Deposit(aggregate_id="a"), metadata=opened.caused())
        await app.dispatch(Scribble(aggregate_id="n"), metadata=opened.caused())
        await app.dispatch(Scribble(aggregate_id="n"), metadata=Metadata(correlation_id="u"))
        await append(store, B, EventData("X", {}), commit="x", correlation_id="t", causation_id="y")
        # It says that it is its own cause, and must be in the tree all the same.
        await append(
            store, B, EventData("X", {}), commit="z", correlation_id="t", causation_id="z-1"
        )
        operations = Operations(app)
        talk = await operations.conversation("t")
        assert [(depth, each.position) for depth, each in talk.walk()] == [
            (0, 1),
            (1, 2),
            (1, 3),
            (0, 5),
            (0, 6),
        ]
        assert (talk.size, talk.is_cut) == (5, False)
        cut = await operations.conversation("t", limit=2)
        assert (positions(e for _, e in cut.walk()), cut.size, cut.is_cut) == ([1, 2], 2, True)
        nothing = await operations.conversation("nobody")
        assert (nothing.roots, nothing.size, nothing.is_cut) == ((), 0, False)
        assert first.position == 1


@case
async def a_tail_yields_new_events_until_the_application_is_left(store: Storage) -> None:
    async with bank(store) as app:
        await add(app, 1, 2)
        operations = Operations(app)
        async with aclosing(operations.tail(after=1)) as old, aclosing(operations.tail()) as new:
            assert (await anext(old)).position == 2
            pending = asyncio.ensure_future(anext(new))
            while not pending.done():  # it begins at the end of the log, whenever that is
                await add(app, 3)
            assert pending.result().position > 2
    async with bank(store) as app:
        tail = Operations(app).tail()
    with pytest.raises(Exception, match="not running"):
        await anext(tail)


@case
async def streams_are_listed_by_type_and_prefix(store: Storage) -> None:
    async with bank(store) as app:
        for each in ("a1", "a2", "b1"):
            await add(app, 1, aggregate_id=each)
        await app.dispatch(Scribble(aggregate_id="a1"))
        operations = Operations(app)
        found = await operations.streams(stream_type="Account", prefix="a")
        assert [str(each.stream) for each in found] == ["Account/a1", "Account/a2"]
        rest = await operations.streams(after=found[-1].stream)
        assert [str(each.stream) for each in rest] == ["Account/b1", "Note/a1"]


WHERE: list[tuple[dict[str, Any], str]] = [
    ({"customer": "ann"}, "134"),
    ({"customer": one_of("cat", "bob")}, "25"),
    ({"total": "1.50"}, "12"),
    ({"total": "null"}, "3"),
    ({"total": one_of("10", None)}, "34"),
    ({"status": "paid", "customer": "ann"}, "31"),
    ({"status": "PAID", "customer": "ann"}, "31"),
    ({"placed_at": "2024-02-29T12:00:00+00:00"}, "125"),
    ({"day": "2024-02-29", "is_gift": "True"}, "1"),
    ({"day": "", "is_gift": "false"}, "2"),
]


@case
async def conditions_are_given_as_text(store: Storage) -> None:
    async with bank(store, views=[orders]) as app:
        await fill(app)
        operations = Operations(app)
        for where, keys in WHERE:
            order = ["placed_at"] if "status" in where else []
            page = await operations.documents("view", "orders", where=where, order_by=order)
            assert keys == "".join(each.key for each in page.documents), where
        range_ = {"total": in_range(at_least="1", below="10")}
        found, after = "", None
        while True:
            page = await operations.documents(
                "view", "orders", where=range_, order_by=["-total"], after=after, limit=2
            )
            found += "".join(each.key for each in page.documents)
            after = page.cursor
            assert after in (None, page.documents[-1].key)  # and no value, which may be redacted
            if after is None:
                break
        assert found == "521"
        with pytest.raises(InvalidArgument, match="key 'gone' of view orders, at which the page"):
            await operations.documents("view", "orders", order_by=["total"], after="gone")
        for where in ({"total": "much"}, {"status": "lost"}, {"is_gift": "maybe"}, {"day": "1"}):
            with pytest.raises(InvalidArgument, match="the text does not stand for a value of"):
                await operations.documents("view", "orders", where=where)
        with pytest.raises(UndeclaredIndex):
            await operations.documents("view", "orders", where={"numbers": "1"})


@case
async def parked_keys_are_shown_retried_and_skipped(store: Storage) -> None:
    async with bank(store, views=[orders]) as app:
        await add(app, 13, 1, aggregate_id="bad")
        await add(app, 13, aggregate_id="worse")
        await add(app, 2, aggregate_id="good")
        await app.caught_up(orders)
        operations = Operations(app)
        parked = await operations.parked("view", "orders")
        assert [(each.key, each.position, each.error) for each in parked] == [
            ("bad", 1, "KeyError"),
            ("worse", 3, "KeyError"),
        ]
        rest = await operations.parked("view", "orders", after="bad", limit=1)
        assert [each.key for each in rest] == ["worse"]
        document = await operations.document("view", "orders", "bad")
        assert document is not None
        assert (
            document.data,
            document.problem,
        ) == (None, "parked at position 1: KeyError was raised")
        await operations.skip("view", "orders", "bad", 1, why="a test")
        document = await operations.document("view", "orders", "bad")
        assert document is not None
        assert (document.data["customer"], document.problem) == ("ann", None)
        assert await operations.document("view", "orders", "nobody") is None
        await app.dispatch(Script(aggregate_id="good", decide=always(Deposited(0))))
        await app.caught_up(orders)
        assert await operations.document("view", "orders", "good") is None
    mended = View(
        name="orders",
        initial=orders.initial,
        key=orders.key,
        evolve=lambda value, recorded: orders.initial,
        events=orders.events,
        view_type=orders.view_type,
        indexes=orders.indexes,
    )
    async with bank(store, views=[mended]) as app:
        operations = Operations(app)
        await operations.retry("view", "orders", "worse")
        assert [*await operations.parked("view", "orders")] == []
        await operations.reset("orders")
        await app.caught_up(mended)
        assert await operations.document("view", "orders", "worse") is not None


@case
async def unknown_names_are_refused_with_those_that_exist(store: Storage) -> None:
    async with bank(store, views=[balances]) as app:
        operations = Operations(app)
        asks: list[Awaitable[object]] = [
            operations.documents("view", "orders"),
            operations.document("view", "orders", "a"),
            operations.parked("view", "orders"),
        ]
        for ask in asks:
            with pytest.raises(InvalidArgument, match=r"no view 'orders'; .* are: balances"):
                await ask
        with pytest.raises(InvalidArgument, match="there is no process 'x'; there are: none"):
            await operations.deadlines("x")
        with pytest.raises(InvalidArgument, match="no version of view balances 3; there are: 1"):
            await operations.documents("view", "balances", version=3)
        with pytest.raises(InvalidArgument, match=r"application 'x'; .*are: balances"):
            await operations.reset("x")
        for kind in (operations.parked, operations.documents):
            with pytest.raises(InvalidArgument, match="kind must be"):
                await kind("table", "balances")  # type: ignore[arg-type]
        with pytest.raises(InvalidArgument, match="kind must be"):
            await operations.retry("table", "balances", "a")  # type: ignore[arg-type]
        with pytest.raises(InvalidArgument, match="group"):
            await operations.dead_letters("nobody")


@case
async def redact_reaches_every_datum(store: Storage) -> None:
    seen: set[tuple[str, str]] = set()

    def hide(datum: Redactable) -> Any:
        seen.add((datum.kind, datum.name))
        return {key: "***" if key == "owner" else value for key, value in datum.data.items()}

    async with bank(store, views=[balances], processes=[welcome]) as app:
        await app.dispatch(Open(aggregate_id="a", owner="ann"))
        await app.caught_up(balances)
        await app.caught_up(welcome)
        operations = Operations(app, redact=hide)
        shown = [
            (await operations.log()).events,
            await operations.event(1),
            await operations.stream(A),
            await operations.state(A),
            await operations.documents("view", "balances"),
            await operations.document("process", "welcome", "a"),
        ]
        assert "ann" not in repr(shown)
        assert {
            ("event", "Opened"),
            ("event", "Deposited"),
            ("state", "Account"),
            ("view", "balances"),
            ("process", "welcome"),
        } == seen


@case
async def data_on_which_redact_fails_is_left_out(store: Storage) -> None:
    def fail(datum: Redactable) -> Any:
        raise KeyError(datum.data)

    async def hide(datum: Redactable) -> Any:
        return datum.data

    async with bank(store, views=[balances]) as app:
        await app.dispatch(Open(aggregate_id="a", owner="ann"))
        await app.caught_up(balances)
        for redact, problem in (
            (fail, "not shown: redact raised KeyError"),
            (hide, "not shown: redact returned a coroutine and not plain data"),
        ):
            operations = Operations(app, redact=redact)
            (event,) = (await operations.log()).events
            assert (None, problem) == (event.data, event.problem)
            (step,) = await operations.stream(A)
            assert ((), problem) == (step.differences, step.problem)
            state = await operations.state(A)
            assert (None, problem) == (state.data, state.problem)
            (document,) = (await operations.documents("view", "balances")).documents
            assert (None, problem) == (document.data, document.problem)
