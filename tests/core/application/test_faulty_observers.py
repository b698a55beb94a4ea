"""An observer that raises or has another form harms nobody."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import pytest

from eventhus import (
    Delivered,
    Metadata,
    Rejected,
)
from eventhus.adapter_support.limits import METADATA_BYTES
from eventhus.errors import CompositionError
from eventhus.ports import (
    Ended,
    Fact,
    Observation,
    Observer,
    Operation,
    ReaderLeft,
)
from eventhus.runtime.observing import Observing
from eventhus_memory import MemoryStore
from tests.bank import Open, Withdraw
from tests.core.observing import HERE, Recorder, broken
from tests.core.readers import balances, bank, caught_up, welcome
from tests.core.support import add, compose, stored_events
from tests.core.waiting import eventually


@pytest.mark.parametrize(
    "values",
    [{"traceparent": 7}, {"tracestate": "x" * METADATA_BYTES}, ["traceparent"]],
    ids=["not text", "too large", "not a mapping"],
)
async def test_values_that_cannot_be_stored_are_left_out(
    values: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async with compose(observer=Recorder(values)) as app:
        committed = await app.dispatch(Open(aggregate_id="a"), metadata=Metadata("talk"))
    assert Metadata("talk") == committed.events[0].metadata
    [line] = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert "bucket bank: the observer failed on Dispatching: " in line.getMessage()


async def test_an_observation_of_the_wrong_form_harms_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Wrong:
        def begin(self, operation: Operation) -> Any:
            return "begun"

        def note(self, fact: Fact) -> None:
            pass

    async with compose(observer=Wrong()) as app:
        committed = await app.dispatch(Open(aggregate_id="a"))
    assert 1 == committed.version
    assert 3 == len([each for each in caplog.records if each.levelno == logging.ERROR])


async def test_an_observer_need_not_follow_an_operation() -> None:
    class Indifferent:
        def begin(self, operation: Operation) -> Observation | None:
            return None

        def note(self, fact: Fact) -> None:
            pass

    async with compose(observer=Indifferent()) as app:
        committed = await app.dispatch(Open(aggregate_id="a"))
    assert {} == committed.events[0].metadata.values


class Harmful:
    """Raises wherever it is called, or only at the end of operations."""

    def __init__(self, error: BaseException, *, only_at_the_end: bool = False) -> None:
        self._error = error
        self._only_at_the_end = only_at_the_end
        self.calls = 0

    def begin(self, operation: Operation) -> Observation | None:
        """See ``Observer.begin``."""
        if self._only_at_the_end:
            return self
        self._raise()
        return None

    @property
    def values(self) -> Mapping[str, str]:
        """See ``Observation.values``."""
        self._raise()
        return {}

    def finish(self, ended: Ended) -> None:
        """See ``Observation.finish``."""
        self._raise()

    def note(self, fact: Fact) -> None:
        """See ``Observer.note``."""
        self._raise()

    def _raise(self) -> None:
        self.calls += 1
        raise self._error


class Unusual(BaseException):
    """Derived from neither ``Exception`` nor anything that ends a process."""


KINDS = {
    *("Dispatching", "Deciding", "Appending", "Handling", "Projecting", "Reacting"),
    *("EventBuried", "EventParked", "ReaderProgress", "ReaderLeft"),
}


@pytest.mark.parametrize("only_at_the_end", [False, True])
@pytest.mark.parametrize(
    "error",
    [ValueError("s3cret"), asyncio.CancelledError(), Unusual(), RecursionError()],
    ids=lambda error: type(error).__name__,
)
async def test_an_observer_that_raises_harms_nobody(
    error: BaseException, only_at_the_end: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Everything has the result that it has without an observer, and each kind is logged once."""

    async def everything(observer: Observer | None) -> list[object]:
        store, handled = MemoryStore(), list[Any]()
        readers = {"views": [balances, broken], "processes": [welcome]}
        async with bank(store, observer=observer, **readers) as app:

            async def handle(delivered: Delivered[Any]) -> None:
                handled.append(delivered.event)
                raise KeyError

            await app.subscribe(handle, group="mailer", attempts=2)
            await app.dispatch(Open(aggregate_id="a"))
            await add(app, 1, 2)
            with pytest.raises(Rejected):
                await app.dispatch(Withdraw(aggregate_id="a", amount=999))
            await caught_up(app, welcome)
            await app.caught_up(balances)
            await eventually(lambda: len(handled) == 8)
            letters = await app.dead_letters(group="mailer")
            return [
                [(each.event.type, each.event.data) for each in await stored_events(store)],
                await app.view(balances, "a"),
                await app.parked(broken) != [],
                [each.type for each in letters],
                handled,
            ]

    expected = await everything(None)
    caplog.clear()
    observer = Harmful(error, only_at_the_end=only_at_the_end)
    assert expected == await everything(observer)
    lines = [
        each.getMessage() for each in caplog.records if each.name == "eventhus.runtime.observing"
    ]
    told = [line.partition("failed on ")[2].partition(":")[0] for line in lines]
    assert sorted(KINDS) == sorted(told)
    assert observer.calls > len(lines)
    assert not [line for line in lines if "s3cret" in line]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_ends_the_process_goes_through_an_observer(error: type[BaseException]) -> None:
    observing = Observing(Harmful(error()), HERE)
    with pytest.raises(error):
        observing.note(ReaderLeft(application=HERE, reader="relay"))


class Asynchronous:
    """Nobody awaits it."""

    def begin(self, operation: Operation) -> None:
        """See ``Observer.begin``."""

    async def note(self, fact: Fact) -> None:
        """Never runs."""


@pytest.mark.parametrize(
    ("observer", "message"),
    [
        (Recorder, "observer must be an instance of an observer, found class Recorder"),
        ("otel", "observer must be an instance of an observer, found 'otel'"),
        (Asynchronous(), "observer: note is async, and nobody awaits it; make it a plain def"),
    ],
    ids=["a class", "a text", "asynchronous"],
)
def test_anything_but_an_observer_is_refused(observer: Any, message: str) -> None:
    with pytest.raises(CompositionError) as caught:
        compose(observer=observer)
    assert message == str(caught.value)
