"""What is stored is what is read: data, names, times and metadata, all as they were given."""

import math
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventhus import EventData, InvalidCommit, Metadata, StreamId
from eventhus.ports import Storage
from tests.memory.support import ACCOUNT, NOW, answer, commit, data, of_data

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**63), max_value=2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # the log may go on growing
@given(st.dictionaries(st.text(), PLAIN))
async def test_plain_data_comes_back_as_it_went_in(
    store: Storage, given_data: dict[str, Any]
) -> None:
    """To the last bit and type, whichever way it is read."""
    before = await store.head()
    stored = await store.append(of_data(given_data))
    expected = repr([given_data])  # tells 1 from 1.0 and True, and 0.0 from -0.0
    assert expected == repr(data(stored.recorded()))
    assert expected == repr(data(await store.read(after=before)))
    assert expected == repr(data(await store.history(ACCOUNT, after_version=stored.version - 1)))
    loaded = await store.load(ACCOUNT, after_version=stored.version - 1)
    assert expected == repr([event.data for event in loaded.events])


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(2**63 - 1, id="largest int"),
        pytest.param(-(2**63), id="smallest int"),
        pytest.param(2**53 + 1, id="int that is no float"),
        pytest.param(1.0, id="float that is whole"),
        pytest.param(-0.0, id="negative zero"),
        pytest.param(5e-324, id="smallest float"),
        pytest.param(0.1 + 0.2, id="float of 17 digits"),
        pytest.param(1.7976931348623157e308, id="largest float"),
        pytest.param("", id="empty text"),
        pytest.param("a\0b\r\n\t\x7f\u2028", id="control characters"),
        pytest.param("🏦 ü \uffff", id="Unicode"),
        pytest.param("2024-02-29T12:30:15.123456+00:00", id="text like a time"),
        pytest.param("x" * 1_000_000, id="long text"),
        pytest.param({"$set": {"a.b": 1}, "": None, "_id": 0}, id="keys a database may love"),
        pytest.param({"type": "x", "data": {}, "schema": 2, "_id": 1}, id="keys of the envelope"),
        pytest.param([[], {}, [[]], {"a": {}}], id="empty lists and dicts"),
        pytest.param({"b": 1, "a": 2}, id="order of keys"),
    ],
)
async def test_data_at_the_edge(store: Storage, value: object) -> None:
    """What JSON can say is kept exactly."""
    await store.append(of_data({"value": value}))
    assert repr([{"value": value}]) == repr(data(await store.read()))


def circular() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


def deep() -> list[Any]:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    return value


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: math.nan, id="NaN"),
        pytest.param(lambda: math.inf, id="infinity"),
        pytest.param(lambda: -math.inf, id="negative infinity"),
        pytest.param(lambda: 2**63, id="int beyond 64 bits"),
        pytest.param(lambda: -(2**63) - 1, id="negative int beyond 64 bits"),
        pytest.param(lambda: {"secret"}, id="set"),
        pytest.param(lambda: b"secret", id="bytes"),
        pytest.param(lambda: ("secret",), id="tuple"),
        pytest.param(lambda: Decimal("1.5"), id="Decimal"),
        pytest.param(lambda: NOW, id="datetime"),
        pytest.param(object, id="object"),
        pytest.param(lambda: "secret \ud800", id="half a character"),
        pytest.param(lambda: {"secret \ud800": 1}, id="key with half a character"),
        pytest.param(lambda: {1: "secret"}, id="int key"),
        pytest.param(lambda: {None: "secret"}, id="None key"),
        pytest.param(lambda: {True: "secret"}, id="bool key"),
        pytest.param(lambda: {1.5: "secret"}, id="float key"),
        pytest.param(lambda: {b"secret": 1}, id="bytes key"),
        pytest.param(circular, id="circular"),
        pytest.param(deep, id="too deep"),
    ],
)
async def test_data_that_no_store_could_keep(store: Storage, make: Callable[[], object]) -> None:
    """It is refused, never changed in silence; the message names the event, not its data."""
    with pytest.raises(InvalidCommit) as caught:
        await store.append(of_data({"value": make()}))
    message = str(caught.value)
    assert "Deposited" in message
    assert str(ACCOUNT) in message
    assert "secret" not in message
    assert 0 == await store.head()


async def test_the_log_does_not_change_with_the_data_that_it_was_given(store: Storage) -> None:
    """A writer may go on using its lists and dicts."""
    given_data: dict[str, Any] = {"seats": [{"row": 1}]}
    await store.append(commit(events=[EventData("Reserved", given_data)], command_id="k"))
    given_data["seats"][0]["row"] = 2
    given_data["seats"].append({"row": 3})
    assert [{"seats": [{"row": 1}]}] == data(await store.read())
    found = await store.find("k")
    assert found is not None
    assert [{"seats": [{"row": 1}]}] == data(found.recorded())


async def test_the_log_does_not_change_with_the_metadata_that_it_was_given(store: Storage) -> None:
    """A caller may fill the same dict for its next command."""
    values = {"user": "u1"}
    await store.append(commit(metadata=Metadata(values=values)))
    values["user"] = "u2"
    assert [{"user": "u1"}] == [recorded.metadata.values for recorded in await store.read()]


async def test_the_log_does_not_change_with_the_events_that_it_was_given(store: Storage) -> None:
    """A caller may go on using its list of events."""
    events = [EventData("Reserved", {}, schema=3)]
    await store.append(commit(events=events))
    events[0] = EventData("Cancelled", {})
    events.append(EventData("Cancelled", {}))
    assert [EventData("Reserved", {}, 3)] == [recorded.event for recorded in await store.read()]


async def test_the_log_does_not_change_with_the_metadata_that_it_gave(store: Storage) -> None:
    """Whether it can be changed at all or not, the next reader gets the original."""
    await store.append(commit(metadata=Metadata(values={"user": "u1"})))
    (recorded,) = await store.read()
    with suppress(TypeError):
        recorded.metadata.values["user"] = "u2"  # type: ignore[index]
    assert [{"user": "u1"}] == [recorded.metadata.values for recorded in await store.read()]


async def test_the_log_survives_a_caller_that_empties_its_list(store: Storage) -> None:
    """Whatever happens to the list afterwards, the events are in the log."""
    events = [EventData("Reserved", {"seats": []})]
    stored = await store.append(commit(events=events, command_id="k"))
    events.clear()
    assert [{"seats": []}] == data(await store.read())
    assert stored.position == await store.head()
    assert 2 == (await store.append(commit())).version


async def test_the_log_does_not_change_with_what_it_gave(store: Storage) -> None:
    """A reader may do what it likes with what it gets; the next one gets the original."""
    given_data = {"seats": [{"row": 1}]}
    given = commit(events=[EventData("Reserved", given_data)], command_id="k")
    await store.append(given)

    async def all_ways() -> list[Any]:
        batches = store.follow()
        found = await store.find("k")
        assert found is not None
        ways = [
            *data(await store.read()),
            *data(await store.history(ACCOUNT)),
            *(event.data for event in (await store.load(ACCOUNT)).events),
            *data(found.recorded()),
            *data((await store.append(evolve(given, events=given.events))).recorded()),
            *data(await anext(batches)),
        ]
        await batches.aclose()
        return ways

    for each in await all_ways():
        each["seats"][0]["row"] = 2
        each["seats"].append("mine")
    assert [{"seats": [{"row": 1}]}] * 6 == await all_ways()


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("$", id="dollar"),
        pytest.param("..", id="dots"),
        pytest.param("a.b", id="dot within"),
        pytest.param("a\0b", id="NUL"),
        pytest.param("a\nb", id="newline"),
        pytest.param(" ", id="space"),
        pytest.param("a/b\\c", id="slashes"),
        pytest.param("*>", id="wildcards"),
        pytest.param("'\"`;--", id="quotes"),
        pytest.param("x" * 10_000, id="long"),
        pytest.param("üñ🏦\u202e", id="Unicode"),
    ],
)
async def test_any_text_is_a_name(store: Storage, text: str) -> None:
    """Ids, types and keys are text; none of it means anything to a store."""
    stream = StreamId(text, text)
    stored = await store.append(
        commit(
            stream,
            id=text,
            events=[EventData(text, {text: text})],
            expected_version=0,
            metadata=Metadata(text, text, {text: text}),
            command_id=text,
        )
    )
    await store.append(commit(expected_version=0))
    assert stored.recorded() == list(await store.history(stream))
    assert answer(stored) == answer(await store.find(text))
    assert f"{text}-1" == (await store.read())[0].id
    assert 2 == await store.head()


@pytest.mark.parametrize("microsecond", [0, 1, 999, 1000, 123_456, 999_999])
async def test_times_are_kept_to_the_microsecond(store: Storage, microsecond: int) -> None:
    """They come back aware and in UTC."""
    recorded_at = datetime(2024, 2, 29, 23, 59, 59, microsecond, UTC)
    await store.append(commit(recorded_at=recorded_at))
    (recorded,) = await store.history(ACCOUNT)
    assert recorded_at == recorded.recorded_at
    assert UTC.utcoffset(None) == recorded.recorded_at.utcoffset()


async def test_times_do_not_order_the_log(store: Storage) -> None:
    """A writer whose clock is behind still comes after what was there."""
    await store.append(commit(recorded_at=datetime(2024, 1, 2, tzinfo=UTC)))
    await store.append(commit(recorded_at=datetime(2024, 1, 1, tzinfo=UTC)))
    assert [2, 1] == [recorded.recorded_at.day for recorded in await store.read()]


@pytest.mark.parametrize(
    "metadata",
    [
        Metadata(),
        Metadata(correlation_id="talk"),
        Metadata(causation_id="cause"),
        Metadata("talk", "cause", {"user": "ü", "": "", "a.b": "$c"}),
    ],
)
async def test_metadata_is_kept(store: Storage, metadata: Metadata) -> None:
    """Every event of the commit carries it; what was left out stays left out."""
    stored = await store.append(commit(size=2, metadata=metadata, command_id="k"))
    assert [metadata] * 2 == [recorded.metadata for recorded in await store.read()]
    assert answer(stored) == answer(await store.find("k"))


async def test_every_event_has_an_id_of_its_own(store: Storage) -> None:
    """Made from the commit's id, it is the same at every reading."""
    await store.append(commit(id="c1", size=2))
    await store.append(commit(id="c2", size=11))
    ids = [recorded.id for recorded in await store.read()]
    assert ["c1-1", "c1-2", *(f"c2-{number}" for number in range(1, 12))] == ids
    assert ids == [recorded.id for recorded in await store.history(ACCOUNT)]


async def test_the_type_and_the_schema_are_kept(store: Storage) -> None:
    """A commit may hold events of several types and schemas."""
    events = [EventData("A", {}, 1), EventData("B", {}, 7), EventData("A", {}, 2)]
    await store.append(commit(events=events))
    assert events == [recorded.event for recorded in await store.history(ACCOUNT)]
    assert events == list((await store.load(ACCOUNT)).events)
