"""Between the bus and a handler: decoding, trying again, and dead letters."""

import asyncio
import json
import logging
from collections.abc import Callable, Iterable
from typing import Any

import attrs
import pytest

from eventhus import Aggregate, Delivered, Recorded, StreamId
from eventhus.domain.catalog import Catalog
from eventhus.ports import Codec, DeadLetter, EventData, Message, NotHandledHere
from eventhus.runtime.messaging.subscriber import RETRY, EventHandler, Subscriber
from eventhus.runtime.messaging.wire import to_message
from eventhus.runtime.serializer import EventSerializer
from eventhus_memory import MemoryBus
from tests.bank import Account, Deposited, Opened, account, decide, evolve
from tests.core.support import FakeClock, JsonCodec, recorded
from tests.core.waiting import eventually


class Handler:
    """Keeps what it was given, and fails so many times."""

    def __init__(self, failures: int = 0, error: BaseException | None = None) -> None:
        self.got: list[Delivered[Any]] = []
        self._failures = failures
        self._error = error or RuntimeError("bång\n")

    async def __call__(self, delivered: Delivered[Any]) -> None:
        """Take one event."""
        self.got.append(delivered)
        if len(self.got) <= self._failures:
            raise self._error

    @property
    def attempts(self) -> list[int]:
        """Which attempt each call was."""
        return [each.attempt for each in self.got]


def message(event: EventData | None = None, **changes: Any) -> Message:
    """A message of a deposit, by default."""
    stored = recorded(event or EventData("Deposited", {"amount": 3}))
    return attrs.evolve(to_message(stored), **changes)


def subscriber(
    handler: EventHandler,
    bus: MemoryBus | None = None,
    clock: FakeClock | None = None,
    *,
    types: Iterable[str] | None = None,
    attempts: int = 3,
    aggregate: Aggregate[Any, Any, Any] = account,
    codec: Codec | None = None,
) -> Subscriber:
    return Subscriber(
        handler,
        group="g",
        types=None if types is None else frozenset(types),
        attempts=attempts,
        catalog=(catalog := Catalog([aggregate])),
        serializer=EventSerializer(catalog, codec or JsonCodec()),
        source=bus or MemoryBus(),
        clock=clock or FakeClock(),
    )


async def letters(bus: MemoryBus, group: str = "g") -> list[DeadLetter]:
    return [each async for each in bus.dead_letters(group)]


async def test_an_event_is_decoded() -> None:
    """The handler gets what was recorded, and that it is the first attempt."""
    handler = Handler()
    await subscriber(handler)(message())
    assert [recorded(Deposited(3))] == handler.got
    assert [1] == handler.attempts


async def test_a_redelivery_is_marked() -> None:
    """An attempt above 1 warns of effects that there may have been."""
    handler = Handler()
    await subscriber(handler)(message(attempt=2))
    assert [2] == handler.attempts


async def test_a_handler_that_fails_is_tried_again() -> None:
    """After pauses that double up to a cap, until it succeeds."""
    handler, clock, bus = Handler(failures=11), FakeClock(), MemoryBus()
    await subscriber(handler, bus, clock, attempts=12)(message())
    assert [*range(1, 13)] == handler.attempts
    pauses = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, RETRY.cap_s]
    assert pytest.approx(pauses) == clock.sleeps_s
    assert [] == await letters(bus)


async def test_the_last_attempt_makes_a_dead_letter() -> None:
    """The message as it was, with what went wrong in its headers."""
    handler, bus = Handler(failures=9), MemoryBus()
    given = message()
    await subscriber(handler, bus)(given)
    assert [1, 2, 3] == handler.attempts
    [letter] = await letters(bus)
    added = dict(letter.message.headers.items() - given.headers.items())
    assert "2026-01-02T03:04:06.678901+00:00" == added.pop("Eventhus-Failed-At")
    assert {
        "Eventhus-Error-Type": "builtins.RuntimeError",
        "Eventhus-Error": '"b\\u00e5ng\\n"',
        "Eventhus-Error-Attempts": "3",
    } == added
    assert given == attrs.evolve(letter.message, headers=given.headers)


async def test_the_error_in_a_header_is_short() -> None:
    """A thousand characters say enough, and fit."""
    handler, bus = Handler(failures=9, error=ValueError("x" * 5000)), MemoryBus()
    await subscriber(handler, bus, attempts=1)(message())
    [letter] = await letters(bus)
    assert "x" * 1000 == json.loads(letter.message.headers["Eventhus-Error"])


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(message(body=b"hello"), id="no JSON"),
        pytest.param(message(EventData("Deposited", {"other": 3})), id="other fields"),
    ],
)
async def test_an_undecodable_message_is_a_dead_letter_at_once(
    bad: Message, caplog: pytest.LogCaptureFixture
) -> None:
    """Trying again would change nothing; the log tells of it."""
    handler, clock, bus = Handler(), FakeClock(), MemoryBus()
    await subscriber(handler, bus, clock)(bad)
    [letter] = await letters(bus)
    assert "eventhus.errors.CodecError" == letter.message.headers["Eventhus-Error-Type"]
    assert ([], []) == (handler.got, clock.sleeps_s)
    assert [logging.ERROR] == [each.levelno for each in caplog.records]


async def test_an_upcaster_that_raises() -> None:
    """Is one more reason not to be decodable."""

    def never(data: dict[str, Any]) -> dict[str, Any]:
        raise ZeroDivisionError

    fussy: Aggregate[Any, Any, Any] = Aggregate(
        name="Account",
        initial=Account(),
        decide=decide,
        evolve=evolve,
        upcasters={Deposited: [never]},
    )
    handler, bus = Handler(), MemoryBus()
    await subscriber(handler, bus, aggregate=fussy)(message())
    assert (1, []) == (len(await letters(bus)), handler.got)


async def test_a_codec_that_raises_something_else() -> None:
    """The message becomes a dead letter, so the bus does not deliver it for ever."""

    class Fussy(JsonCodec):
        def decoder(self, as_type: Any) -> Callable[[Any], Any]:
            def decode(data: Any) -> Any:
                raise ZeroDivisionError

            return decode

    handler, bus = Handler(), MemoryBus()
    handle = subscriber(handler, bus, codec=Fussy())
    await handle(message())
    [letter] = await letters(bus)
    assert "eventhus.errors.CodecError" == letter.message.headers["Eventhus-Error-Type"]
    assert "the codec raised ZeroDivisionError" in letter.message.headers["Eventhus-Error"]
    outcome = await handle.replay()
    assert (0, 1, []) == (outcome.handled, outcome.failed, handler.got)


async def test_other_types_are_passed_over() -> None:
    """They need not be readable, and other aggregates need not be known."""
    handler, bus = Handler(), MemoryBus()
    handle = subscriber(handler, bus, types=["Opened"])
    foreign = to_message(recorded(EventData("Unknown", {}), stream=StreamId("Elsewhere", "x")))
    for given in (
        message(),
        message(EventData("Deposited", {})),
        foreign,
    ):
        await handle(given)
    await handle(message(EventData("Opened", {"owner": "Ada"})))
    assert [Opened("Ada")] == [each.event for each in handler.got]
    assert [] == await letters(bus)


@pytest.mark.parametrize("types", [None, ["Opened"]], ids=["all types", "some types"])
@pytest.mark.parametrize(
    "newer",
    [EventData("Unknown", {"card": "s3cret"}), EventData("Deposited", {"card": "s3cret"}, 7)],
)
async def test_an_event_of_a_newer_version_goes_back_to_the_bus(
    newer: EventData, types: list[str] | None, caplog: pytest.LogCaptureFixture
) -> None:
    """Its name or its schema is not known yet, as while a deployment rolls out."""
    handler, bus = Handler(), MemoryBus()
    with pytest.raises(NotHandledHere, match=r"a-1, version 2, was written by a newer version"):
        await subscriber(handler, bus, types=types)(message(newer))
    assert ([], []) == (handler.got, await letters(bus))
    assert "group g cannot handle event c-1" in caplog.text
    assert "s3cret" not in caplog.text


async def test_a_message_that_was_delivered_often(caplog: pytest.LogCaptureFixture) -> None:
    """An earlier process may never have begun it: it gets its attempts, and a warning names it."""
    handler, bus = Handler(failures=2), MemoryBus()
    await subscriber(handler, bus, attempts=3)(message(attempt=9))
    assert [9, 10, 11] == handler.attempts
    assert [] == await letters(bus)
    assert "was delivered 9 times" in caplog.text


async def test_a_message_that_was_delivered_often_and_fails() -> None:
    """Its letter tells of the attempts that there were."""
    handler, bus = Handler(failures=9), MemoryBus()
    await subscriber(handler, bus, attempts=2)(message(attempt=9))
    [letter] = await letters(bus)
    assert [9, 10] == handler.attempts
    assert "2" == letter.message.headers["Eventhus-Error-Attempts"]
    assert '"b\\u00e5ng\\n"' == letter.message.headers["Eventhus-Error"]


async def test_a_stopping_subscriber_does_not_pause() -> None:
    """A pause ends, and the error goes to the bus, which delivers the message again."""
    handler, clock = Handler(failures=9), FakeClock()
    waiting = asyncio.Event()

    async def for_ever(_: float) -> None:
        waiting.set()
        await asyncio.Event().wait()

    clock.before_waking = for_ever
    handle = subscriber(handler, clock=clock, attempts=5)
    handling = asyncio.create_task(handle(message()))
    await waiting.wait()
    handle.stop_retrying()
    with pytest.raises(RuntimeError, match="bång"):
        await handling
    assert [1, 2] == handler.attempts


async def test_a_cancellation_that_is_the_handlers_own() -> None:
    """Is a failure like any other."""
    handler = Handler(failures=1, error=asyncio.CancelledError())
    await subscriber(handler)(message())
    assert [1, 2] == handler.attempts


async def test_a_handler_that_raises_no_subclass_of_exception() -> None:
    """It has failed as well, unless it ends the process."""
    handler = Handler(failures=1, error=pytest.fail.Exception("no Exception"))
    await subscriber(handler)(message())
    assert [1, 2] == handler.attempts
    with pytest.raises(SystemExit):
        await subscriber(Handler(failures=1, error=SystemExit()))(message())


async def test_an_error_that_is_false_is_a_failure() -> None:
    class Problems(Exception):
        def __len__(self) -> int:
            return 0

    calls: list[int] = []

    async def fail(delivered: Delivered[Any]) -> None:
        calls.append(delivered.attempt)
        raise Problems

    bus = MemoryBus()
    await subscriber(fail, bus, attempts=2)(message())
    assert [1, 2] == calls
    assert 1 == len(await letters(bus))


async def test_a_cancelled_caller_is_cancelled() -> None:
    """A handler's task that is being cancelled does not try again."""
    begun = asyncio.Event()
    calls: list[Any] = []

    async def hang(delivered: Delivered[Any]) -> None:
        calls.append(delivered)
        begun.set()
        await asyncio.Event().wait()

    handling = asyncio.create_task(subscriber(hang)(message()))
    await begun.wait()
    handling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await handling
    assert 1 == len(calls)


class Full(MemoryBus):
    """A bus that has no room for the first dead letters."""

    def __init__(self, failures: int) -> None:
        super().__init__()
        self.failures = failures

    async def bury(self, message: Message, group: str) -> None:
        if self.failures:
            self.failures -= 1
            raise ConnectionError("full")
        await super().bury(message, group)


async def test_a_letter_that_cannot_be_buried() -> None:
    """Only that is tried again: the handler has had its attempts, and the reason is kept."""
    handler, bus, clock = Handler(failures=9), Full(2), FakeClock()
    await subscriber(handler, bus, clock, attempts=1)(message())
    [letter] = await letters(bus)
    assert [1] == handler.attempts
    assert "builtins.RuntimeError" == letter.message.headers["Eventhus-Error-Type"]
    assert pytest.approx([0.1, 0.2]) == clock.sleeps_s


async def test_a_letter_that_cannot_be_buried_at_the_end() -> None:
    """The bus keeps the message then, and delivers it again."""
    handle = subscriber(Handler(failures=9), Full(9), attempts=1)
    handle.stop_retrying()
    with pytest.raises(ConnectionError):
        await handle(message())


def test_a_delivered_event_is_what_was_recorded() -> None:
    """It equals the same event read from the log, whichever attempt it is."""
    plain: Recorded[Any] = recorded(Deposited(3))
    first, second = (
        Delivered(**attrs.asdict(plain, recurse=False), attempt=attempt) for attempt in (1, 2)
    )
    other = recorded(Deposited(4))
    assert first == plain
    assert plain == first
    assert first == second
    assert first != other
    assert other != first
    assert first != "event"
    assert {first} == {second, plain}


async def buried(bus: MemoryBus) -> None:
    """Three letters of one aggregate and one of another, then one that cannot be decoded."""
    for number, aggregate_id in enumerate(["a", "a", "b", "a"], start=1):
        await bus.bury(
            message(
                EventData("Deposited", {"amount": number}),
                id=f"{aggregate_id}-{number}",
                stream=StreamId("Account", aggregate_id),
            ),
            "g",
        )
    await bus.bury(message(body=b"?", id="c-5", stream=StreamId("Account", "c")), "g")


async def test_replaying() -> None:
    """Each letter is handled once, in order, and then no longer a dead letter."""
    bus, handler = MemoryBus(), Handler()
    await buried(bus)
    outcome = await subscriber(handler, bus).replay()
    assert (4, 1) == (outcome.handled, outcome.failed)
    assert [1, 2, 3, 4] == [each.event.amount for each in handler.got]
    assert ["c-5"] == [each.message.id for each in await letters(bus)]


async def test_replaying_what_fails_again() -> None:
    """It stays, and so do the later ones of its aggregate."""
    bus, handler = MemoryBus(), Handler(failures=1)
    await buried(bus)
    outcome = await subscriber(handler, bus).replay()
    assert (1, 4) == (outcome.handled, outcome.failed)
    assert [1, 3] == [each.event.amount for each in handler.got]
    assert ["a-1", "a-2", "a-4", "c-5"] == [each.message.id for each in await letters(bus)]


async def test_nothing_to_replay() -> None:
    """Is nothing to do."""
    outcome = await subscriber(Handler()).replay()
    assert (0, 0) == (outcome.handled, outcome.failed)
    await eventually(lambda: True)
