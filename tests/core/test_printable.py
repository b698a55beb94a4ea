"""Ids and data from outside can neither forge lines of a log nor show up in tracebacks."""

import logging
import traceback
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest

from eventhus import Rejected, StreamId
from eventhus.errors import (
    CodecError,
    ConcurrencyError,
    EventhusError,
    InvalidArgument,
    LogChanged,
    LogCorrupted,
    StoreUnavailable,
)
from eventhus.middleware import log_commands
from eventhus.ports import EventData, Message
from eventhus.printable import printable
from eventhus.runtime.messaging.wire import from_message
from eventhus_memory import MemoryBus
from tests.bank import Deposited, Open, account
from tests.core.runtime.test_serializer import A, store_of
from tests.core.support import FakeClock, JsonCodec, add, compose
from tests.core.waiting import eventually

CARD = "4111 1111 1111 1111"
FORGED = "a\r\nERROR root: the vault is open\x1b[2J\u2028"
SAFE = "a\\r\\nERROR root: the vault is open\\x1b[2J\\u2028"


def test_unprintable_characters_are_escaped() -> None:
    assert SAFE == printable(FORGED)
    assert "Zoë/🏦 \\" == printable("Zoë/🏦 \\")


def test_a_stream_id_is_one_line_of_text() -> None:
    assert f"{SAFE}/{SAFE}" == str(StreamId(FORGED, FORGED))


@pytest.mark.parametrize(
    "error",
    [
        ConcurrencyError(StreamId("Account", FORGED), 1, 2),
        CodecError(FORGED, "", "problem"),
        CodecError("Opened", "", "problem", StreamId("Account", FORGED), 1),
        StoreUnavailable("bank", FORGED),
        InvalidArgument(FORGED),
        LogChanged("view", 1, FORGED, FORGED),
        LogCorrupted(StreamId("Account", FORGED), 1, 2),
    ],
    ids=lambda error: type(error).__name__,
)
def test_the_message_of_an_error_is_one_line(error: EventhusError) -> None:
    assert SAFE in str(error)
    assert str(error).isprintable()


def test_the_message_of_a_refusal_is_left_to_the_domain() -> None:
    class Refused(Rejected):
        pass

    assert "two\nlines" == str(Refused("two\nlines"))


def test_a_long_message_is_cut() -> None:
    assert str(InvalidArgument("x" * 5000)).endswith("x … (1,000 more characters)")


async def test_log_lines_of_commands_cannot_be_forged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    log = log_commands(logging.getLogger("bank"))
    async with compose(middleware=[log]) as app:
        await app.dispatch(Open(aggregate_id=FORGED))
    assert f"Open {SAFE}: version 1" in caplog.messages


@pytest.mark.parametrize("attempt", [1, 99])
async def test_log_lines_of_events_cannot_be_forged(
    attempt: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def refuse(_: object) -> None:
        raise RuntimeError

    bus = MemoryBus()
    async with compose(bus=bus, clock=FakeClock()) as app:
        await app.subscribe(refuse, group="g", attempts=2)
        stream = StreamId("Account", "a")
        body = b'{"aggregate_id":"a","aggregate_type":"Account","version":1,"type":"Deposited",'
        message = Message(
            id=FORGED,
            stream=stream,
            body=body + b'"data":{"amount":1}}',
            published_at=datetime.now(UTC),
        )
        publisher = await bus.publisher()
        await publisher.publish([attrs.evolve(message, attempt=attempt)])
        await eventually(lambda: "dead letter" in caplog.text)
        await app.replay(refuse, group="g")
    assert len(caplog.messages) >= 3
    assert all(each.isprintable() for each in caplog.messages)
    assert SAFE in caplog.messages[0]


def raise_the_data(data: dict[str, Any]) -> dict[str, Any]:
    raise ValueError(data)


class LeakyCodec(JsonCodec):
    """Its errors quote the data, as many libraries' do."""

    def __init__(self, *, typed: bool) -> None:
        self._typed = typed

    def decoder(self, as_type: Any) -> Any:
        def decode(data: Any) -> Any:
            try:
                raise_the_data(data)
            except ValueError as error:
                if self._typed:
                    raise CodecError(as_type.__name__, "amount", "does not fit") from error
                raise

        return decode


leaky_upcaster = attrs.evolve(account, upcasters={Deposited: [raise_the_data]})


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"aggregates": [leaky_upcaster]}, "the upcaster from schema 1 to 2 raised ValueError"),
        ({"codec": LeakyCodec(typed=True)}, "does not fit"),
        ({"codec": LeakyCodec(typed=False)}, "the codec raised ValueError"),
    ],
    ids=["upcaster", "typed error of a codec", "other error of a codec"],
)
async def test_tracebacks_of_unreadable_events_hold_no_data(
    options: dict[str, Any], problem: str
) -> None:
    store = await store_of(EventData("Deposited", {"amount": CARD}, 1))
    aggregate = options.get("aggregates", [account])[0]
    async with compose(store, **options) as app:
        for read in (
            app.state(aggregate, "a"),
            app.history(aggregate, "a"),
            anext(app.follow()),
        ):
            with pytest.raises(CodecError, match=problem) as caught:
                await read
            assert (A, 1) == (caught.value.stream, caught.value.version)
            assert CARD not in "".join(traceback.format_exception(caught.value))


async def test_tracebacks_of_events_that_cannot_be_encoded_hold_no_data() -> None:
    class Leaky(JsonCodec):
        def encoder(self, as_type: Any) -> Any:
            return lambda event: raise_the_data({"amount": CARD})

    async with compose(codec=Leaky()) as app:
        with pytest.raises(CodecError, match="the codec raised ValueError") as caught:
            await add(app, 1)
    assert CARD not in "".join(traceback.format_exception(caught.value))


async def test_a_snapshot_whose_decoder_fails_in_any_way_is_ignored(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with compose(snapshot_every=1, cache_size=0) as app:
        await app.dispatch(Open(aggregate_id="a", owner=CARD))
        store = app._store  # noqa: SLF001

    class Leaky(JsonCodec):
        def decoder(self, as_type: Any) -> Any:
            return raise_the_data if as_type is account.state_type else super().decoder(as_type)

    async with compose(store, snapshot_every=1, codec=Leaky()) as app:
        assert CARD == (await app.state(account, "a")).owner
    assert ["snapshot of Account/a ignored: the codec raised ValueError"] == caplog.messages


@pytest.mark.parametrize(
    "changes",
    [
        {"headers": {"Eventhus-Position": CARD}},
        {"body": f'{{"amount": {CARD}'.encode()},
        {"id": FORGED, "body": b"\xff"},
    ],
    ids=["header", "body", "id"],
)
def test_tracebacks_of_unreadable_messages_hold_no_data(changes: dict[str, Any]) -> None:
    body = b'{"aggregate_id":"a","aggregate_type":"A","version":1,"type":"T","data":{}}'
    message = attrs.evolve(Message(id="m", stream=StreamId("A", "a"), body=body), **changes)
    with pytest.raises(CodecError) as caught:
        from_message(message)
    assert CARD not in "".join(traceback.format_exception(caught.value))
    assert str(caught.value).isprintable()
