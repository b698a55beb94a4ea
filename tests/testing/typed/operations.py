"""Type inference of operations. Nothing here runs, as in ``kernel.py``."""

from collections.abc import AsyncGenerator, Sequence
from typing import assert_type

from eventhus import Application, ParkedKey, Query, Replayed, StreamId, ViewVersion
from eventhus.operations import (
    Conversation,
    DocumentPage,
    Health,
    LoggedEvent,
    LogPage,
    Operations,
    ReaderStatus,
    Redact,
    Redactable,
    ShownDocument,
    ShownLetter,
    StateAt,
    Step,
)
from eventhus.ports import DamagedLease, HeldLease, StreamEnd


def hide(datum: Redactable) -> object:
    return {**datum.data, "email": "***"}


def of_text(datum: str) -> object:
    return datum


redact: Redact = hide


async def use(app: Application, stream: StreamId) -> None:
    operations = Operations(app, redact=hide, stalled_after_s=60)
    assert_type(await operations.health(), Health)
    assert_type(await operations.readers(), Sequence[ReaderStatus])
    assert_type(await operations.leases(), Sequence[HeldLease | DamagedLease])
    assert_type(await operations.log(Query.of("Paid"), before=9), LogPage)
    assert_type(operations.tail(after=3), AsyncGenerator[LoggedEvent, None])
    assert_type(await operations.event("c1-1"), LoggedEvent | None)
    assert_type(await operations.event(7), LoggedEvent | None)
    assert_type(await operations.conversation("c1"), Conversation)
    assert_type(await operations.streams(stream_type="Order"), Sequence[StreamEnd])
    assert_type(await operations.stream(stream), Sequence[Step])
    assert_type(await operations.state(stream, version=3), StateAt)
    assert_type(await operations.documents("view", "orders", where={"total": "3"}), DocumentPage)
    assert_type(await operations.document("process", "shipping", "o1"), ShownDocument | None)
    assert_type(await operations.parked("view", "orders"), Sequence[ParkedKey])
    assert_type(await operations.prune("orders"), Sequence[ViewVersion])
    assert_type(await operations.dead_letters("mail"), Sequence[ShownLetter])
    assert_type(await operations.replay("mail"), Replayed)


async def misuse(app: Application) -> None:
    operations = Operations(app)
    Operations(app, redact=of_text)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await operations.documents("table", "orders")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await operations.skip("view", "orders", "o1", 3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await operations.move("mail", "end")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
