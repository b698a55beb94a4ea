"""Events of today and of the past, between the domain's classes and stored data."""

from datetime import UTC, datetime
from typing import Any

import attrs
import pytest

from eventhus import Aggregate, StreamId
from eventhus.errors import CodecError
from eventhus.ports import (
    Commit,
    EventData,
    Part,
    Storage,
)
from eventhus_memory import MemoryStore
from tests.bank import Account, Deposited, Opened, Renamed, Script, account, always
from tests.core.support import compose, stored_events

A = StreamId("Account", "a")


def renamed_fields(data: dict[str, Any]) -> dict[str, Any]:
    """From the first schema, which said ``cents``."""
    data["amount"] = data.pop("cents")
    return data


def in_euros(data: dict[str, Any]) -> dict[str, Any]:
    """From the second schema, which counted cents."""
    return {"amount": data["amount"] // 100}


grown: Aggregate[Any, Any, Account] = attrs.evolve(
    account,
    upcasters={Deposited: [renamed_fields, in_euros]},
    aliases={"AccountOpened": Opened},
    names={Renamed: "OwnerChanged"},
)


async def store_of(*events: EventData) -> Storage:
    """A store with these events of one account, as an earlier program has left it."""
    store = MemoryStore()
    await store.append(
        Commit(
            id="c",
            parts=[Part(stream=A, events=events, expected_version=0)],
            recorded_at=datetime.now(UTC),
        )
    )
    return store


async def test_an_event_is_stored_under_its_name_and_in_todays_schema() -> None:
    """The name that was chosen, or that of the class; one more than there are upcasters."""
    store = MemoryStore()
    async with compose(store, aggregates=[grown]) as app:
        await app.dispatch(
            Script(aggregate_id="a", decide=always(Opened("Ada"), Deposited(1), Renamed("Bob")))
        )
    assert [
        EventData("Opened", {"owner": "Ada"}, 1),
        EventData("Deposited", {"amount": 1}, 3),
        EventData("OwnerChanged", {"owner": "Bob"}, 1),
    ] == [each.event for each in await stored_events(store)]


async def test_events_of_the_past_are_read_as_those_of_today() -> None:
    """Of every schema and of every name that there was, wherever events are read."""
    store = await store_of(
        EventData("AccountOpened", {"owner": "Ada"}, 1),
        EventData("Deposited", {"cents": 500}, 1),
        EventData("Deposited", {"amount": 300}, 2),
        EventData("Deposited", {"amount": 1}, 3),
    )
    async with compose(store, aggregates=[grown]) as app:
        assert Account("Ada", 9) == await app.state(grown, "a")
        assert [Opened("Ada"), Deposited(5), Deposited(3), Deposited(1)] == [
            each.event for each in await app.history(grown, "a")
        ]
        assert Opened("Ada") == (await anext(app.follow())).event
        events = await stored_events(store)
    assert {"cents": 500} == events[1].event.data


@pytest.mark.parametrize(
    ("stranger", "problem"),
    [
        pytest.param(EventData("Closed", {}, 1), "declare it", id="unknown name"),
        pytest.param(EventData("Deposited", {"amount": 1}, 4), "stored with schema 4", id="future"),
        pytest.param(EventData("Deposited", {}, 1), "upcaster from schema 1 to 2", id="upcaster"),
        pytest.param(EventData("Deposited", {"s3cret": 1}, 3), "other fields", id="other fields"),
    ],
)
async def test_an_event_that_cannot_be_read_is_named_wherever_it_is_met(
    stranger: EventData, problem: str
) -> None:
    """With its stream and version, and without its data."""
    store = await store_of(EventData("Opened", {"owner": "Ada"}, 1), stranger)
    async with compose(store, aggregates=[grown]) as app:
        events = app.follow(after=1)
        for read in (
            app.state(grown, "a"),
            app.history(grown, "a"),
            app.dispatch(Script(aggregate_id="a", decide=always(Deposited(1)))),
            anext(events),
        ):
            with pytest.raises(CodecError, match=problem) as caught:
                await read
            assert (A, 2) == (caught.value.stream, caught.value.version)
            assert "s3cret" not in str(caught.value)
        assert 2 == await store.head()
