"""Data that cannot be decoded, folded or encoded is named, and large answers are bounded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from attrs import evolve, frozen

from eventhus import Deadline, DeadlineReached, Process, Recorded
from eventhus.errors import CompositionError, DocumentDamaged, InvalidArgument, NotRunning
from eventhus.operations import Operations, states
from eventhus.operations.redaction import Redactable, Redactor
from eventhus.ports import EventData, Message, ViewWrite
from eventhus_memory import MemoryStore
from tests.bank import Account, Deposited, account
from tests.core.finding import orders
from tests.core.operations.cases import A, append, bank, bare
from tests.core.readers import Damaged, balances
from tests.core.support import JsonCodec, add


async def test_a_document_of_another_shape_says_so_and_can_be_read() -> None:
    store = MemoryStore()
    async with bank(store, views=[balances]) as app:
        await add(app, 1)
        await app.caught_up(balances)
    (document,) = (await store.load_documents("view_balances", ["a"])).values()
    other = evolve(document, data={"owner": 5}, revision=1)
    await store.save_documents("view_balances", [ViewWrite(document=other, replaces=1)])
    async with bank(store, views=[balances], work=False) as app:
        (shown,) = (await Operations(app).documents("view", "balances")).documents
        assert {"owner": 5} == shown.data
        assert shown.problem is not None
        assert "raise the version of the view" in shown.problem


async def test_a_damaged_document_says_so_whether_code_declares_its_view_or_not() -> None:
    seen: list[Any] = []
    store = MemoryStore()
    async with bank(store, views=[orders]) as app:
        await add(app, 1)
        await app.caught_up(orders)
    problem = "the stored value of key 'a' of view orders is not plain data"
    for views in ([orders], []):
        async with bank(Damaged(store), views=views, work=False) as app:
            operations = Operations(app, redact=seen.append)
            (in_page,) = (await operations.documents("view", "orders")).documents
            alone = await operations.document("view", "orders", "a")
            assert alone == in_page
            assert alone is not None
            assert alone.data is None
            assert alone.problem is not None
            assert alone.problem.startswith(problem)
    assert [] == seen


async def test_a_page_cannot_begin_at_a_damaged_document() -> None:
    store = MemoryStore()
    async with bank(store, views=[orders]) as app:
        await add(app, 1)
        await app.caught_up(orders)
    async with bank(Damaged(store), views=[orders], work=False) as app:
        operations = Operations(app)
        page = await operations.documents("view", "orders", order_by=["total"], limit=1)
        assert "a" == page.cursor
        with pytest.raises(DocumentDamaged, match="value of key 'a' of view orders"):
            await operations.documents("view", "orders", order_by=["total"], after=page.cursor)


async def test_conditions_need_a_declared_view() -> None:
    store = MemoryStore()
    async with bank(store, views=[orders]) as app:
        await add(app, 1)
        await app.caught_up(orders)
    async with bare(store) as app:
        with pytest.raises(InvalidArgument, match="view orders has no indexes that this applic"):
            await Operations(app).documents("view", "orders", where={"customer": "ann"})


async def test_deadlines_are_listed_earliest_first() -> None:
    def remind(state: int, recorded: Recorded[Deposited | DeadlineReached]) -> Iterable[Deadline]:
        if isinstance(recorded.event, Deposited):
            at = datetime(9000, 1, 1, tzinfo=UTC) + timedelta(days=recorded.event.amount)
            return [Deadline("soon", at=at), Deadline("late", at=at + timedelta(days=10))]
        return []

    waiting: Process[Any, int] = Process(
        name="waiting",
        initial=0,
        key=lambda recorded: recorded.stream.aggregate_id,
        evolve=lambda state, recorded: state,
        react=remind,
        events=[Deposited, DeadlineReached],
        state_type=int,
    )
    async with bank(MemoryStore(), processes=[waiting]) as app:
        await add(app, 2, aggregate_id="b")
        await add(app, 1, aggregate_id="a")
        await app.caught_up(waiting)
        operations = Operations(app)
        found = await operations.deadlines("waiting", limit=3)
        assert [("a", "soon", 2), ("b", "soon", 3), ("a", "late", 12)] == [
            (each.key, each.name, each.due.day) for each in found
        ]
        document = await operations.document("process", "waiting", "a")
        assert document is not None
        assert ["soon", "late"] == [name for name, _ in document.deadlines]


@pytest.mark.parametrize(
    "body", [b"\xff{", b"[NaN]", b'"\\ud800"', b"[" * 100_000, b"1" * 5_000], ids=repr
)
async def test_a_letter_that_is_not_plain_json_is_shown_as_text(body: bytes) -> None:
    store = MemoryStore()
    letter = Message(id="x-1", stream=A, type="Foreign", body=body)
    await store.save_letter("mail", letter)
    async with bank(store) as app:
        (shown,) = await Operations(app).dead_letters("mail")
        assert (body.decode(errors="replace"), "", 0, None) == (
            shown.body,
            shown.error,
            shown.attempts,
            shown.at,
        )


async def test_pages_are_limited() -> None:
    async with bank(MemoryStore(), views=[balances]) as app:
        operations = Operations(app)
        for ask in (
            operations.log(limit=1001),
            operations.log_after(limit=0),
            operations.stream(A, limit=1001),
            operations.streams(limit=1001),
            operations.conversation("c", limit=1001),
            operations.documents("view", "balances", limit=1001),
            operations.parked("view", "balances", limit=0),
            operations.leases(limit=1001),
            operations.dead_letters("anonymous", limit=1001),
        ):
            with pytest.raises(InvalidArgument, match="limit is"):
                await ask


async def test_only_describe_and_doctor_work_before_the_application_is_entered() -> None:
    operations = Operations(bank(MemoryStore(), views=[balances]))
    asks: dict[str, Callable[[], Awaitable[object]]] = {
        "health": operations.health,
        "readers": operations.readers,
        "leases": operations.leases,
        "log": operations.log,
        "log_after": operations.log_after,
        "tail": lambda: anext(operations.tail()),
        "event": lambda: operations.event(0),
        "conversation": lambda: operations.conversation("c"),
        "streams": operations.streams,
        "stream": lambda: operations.stream(A),
        "state": lambda: operations.state(A),
        "documents": lambda: operations.documents("view", "balances"),
        "document": lambda: operations.document("view", "balances", "a"),
        "deadlines": lambda: operations.deadlines("balances"),
        "parked": lambda: operations.parked("view", "balances"),
        "retry": lambda: operations.retry("view", "balances", "a"),
        "skip": lambda: operations.skip("view", "balances", "a", 1, why="a test"),
        "build": lambda: operations.build("balances"),
        "reset": lambda: operations.reset("balances"),
        "prune": operations.prune,
        "dead_letters": lambda: operations.dead_letters("mail"),
        "replay": lambda: operations.replay("mail"),
        "discard": lambda: operations.discard("mail", 1),
        "move": lambda: operations.move("mail", 1),
        "delete_group": lambda: operations.delete_group("mail"),
        "republish": operations.republish,
    }
    public = {name for name in vars(Operations) if not name.startswith("_")}
    assert {"describe", "doctor"} == public - asks.keys()
    for ask in asks.values():
        with pytest.raises(NotRunning):
            await ask()


async def test_a_long_stream_is_not_folded_without_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states, "MOST_FOLDED", 2)
    async with bank(MemoryStore()) as app:
        await add(app, 1, 2, 3, 4)
        operations = Operations(app)
        assert {"owner": None, "balance": 3} == (await operations.state(A, version=2)).data
        problem = "not folded: more than 2 events come before"
        assert problem == (await operations.state(A)).problem
        (step,) = await operations.stream(A, after_version=3)
        assert (4, (), problem) == (step.event.version, step.differences, step.problem)


async def test_a_change_of_very_many_parts_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states, "MOST_DIFFERENCES", 1)
    store = MemoryStore()
    await append(store, A, EventData("Opened", {"owner": "x"}), commit="c1")
    changed = Account(owner="y", balance=1)
    both: Any = evolve(account, evolve=lambda *_: changed)
    async with bank(store, aggregates=[both]) as app:
        (step,) = await Operations(app).stream(A)
        assert (1, True, None) == (len(step.differences), step.is_cut, step.problem)


class Holes(MemoryStore):
    """A store that has lost the first event of every stream."""

    async def history(self, stream: Any, *, after_version: int = 0, limit: int = 1000) -> Any:
        return await super().history(stream, after_version=max(after_version, 1), limit=limit)


async def test_a_gap_in_a_stream_is_named() -> None:
    async with bank(Holes()) as app:
        await add(app, 1, 2)
        state = await Operations(app).state(A)
        assert state.problem is not None
        assert "is at 2 according to the store, but counting its events gives 1" in state.problem


@frozen
class Secret:
    """A state that no codec of these tests encodes."""

    value: object = None


class Picky(JsonCodec):
    """A codec that refuses one class, when it is asked or when it is used."""

    def __init__(self, refuse: str) -> None:
        self._refuse = refuse

    def encoder(self, as_type: Any) -> Callable[[Any], Any]:
        def raises(_: Any) -> Any:
            raise KeyError("secret")

        def odd(value: Any) -> Any:
            return {value}

        if as_type is not Secret:
            return super().encoder(as_type)
        if self._refuse == "type":
            raise CompositionError("no")
        return raises if self._refuse == "value" else odd


@pytest.mark.parametrize(
    ("refuse", "problem"),
    [
        ("type", "the codec cannot encode the states of Account"),
        ("value", "the state cannot be encoded: KeyError was raised"),
        ("plain", "not shown: it is a set and not plain data"),
    ],
)
async def test_a_state_that_has_no_plain_form_says_so(refuse: str, problem: str) -> None:
    bare_account: Any = account
    secret = evolve(
        bare_account, initial=Secret(), state_type=Secret, evolve=lambda state, _: state
    )
    store = MemoryStore()
    await append(store, A, EventData("Deposited", {"amount": 1}), commit="c1")
    async with bank(store, aggregates=[secret], codec=Picky(refuse)) as app:
        operations = Operations(app)
        assert problem == (await operations.state(A)).problem == (await operations.state(A)).problem
        (step,) = await operations.stream(A)
        assert problem == step.problem


async def test_a_tail_ends_when_the_application_is_left() -> None:
    async with bank(MemoryStore()) as app:
        await add(app, 1)
        tail = Operations(app).tail(after=0)
        assert 1 == (await anext(tail)).position
    assert [] == [each async for each in tail]


def test_what_redact_returns_is_shown() -> None:
    datum = Redactable(kind="event", name="E", data={"a": 1})
    assert {"a": 1} == Redactor(None).shown(datum).data
    assert "hidden" == Redactor(lambda _: "hidden").shown(datum).data
    assert Redactor(lambda _: None).shown(datum).problem is None
