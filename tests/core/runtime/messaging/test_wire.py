"""The form of an event on the bus, byte for byte, and back."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventhus import EventhusError, Metadata, StreamId
from eventhus.errors import CodecError
from eventhus.ports import EventData, Message, StoredEvent
from eventhus.runtime.messaging.wire import from_message, to_body, to_message
from tests.bank import Open, Scribble
from tests.core.support import RecordingBus, compose, recorded

GOLDEN = (
    b'{"aggregate_id":"0000XSNJG0N0ZVS3YXM4D7ZZ9Z","aggregate_type":"Account","version":1,'
    b'"type":"AccountCreated","data":{"owner":"mishudark"}}'
)


def stored(data: Any = None, **changes: Any) -> StoredEvent:
    """An event as a store gives it."""
    return recorded(EventData("Deposited", {"amount": 1} if data is None else data, 2), **changes)


def test_the_body_is_the_seeds_json_byte_for_byte() -> None:
    """Five keys in this order, without spaces."""
    event = recorded(
        EventData("AccountCreated", {"owner": "mishudark"}),
        stream=StreamId("Account", "0000XSNJG0N0ZVS3YXM4D7ZZ9Z"),
        version=1,
    )
    assert GOLDEN == to_body(event)
    assert GOLDEN == to_message(event).body


def test_tags_travel_in_a_header() -> None:
    tags = frozenset({"course:c1", "Studentin:ä"})
    event = recorded(EventData("SeatTaken", {}, 1, tags))
    message = to_message(event)
    assert '["Studentin:\\u00e4", "course:c1"]' == message.headers["Eventhus-Tags"]
    assert tags == from_message(message).event.tags
    assert b"course" not in message.body
    assert "Eventhus-Tags" not in to_message(stored()).headers


@pytest.mark.parametrize("tags", ["", "7", '"course:c1"', "[7]", '[""]', "[[]]", "{}"])
def test_tags_that_are_none_are_refused(tags: str) -> None:
    message = to_message(stored())
    broken = attrs.evolve(message, headers={**message.headers, "Eventhus-Tags": tags})
    with pytest.raises(CodecError):
        from_message(broken)


def test_text_is_not_escaped() -> None:
    """UTF-8 as it is, in ids and data; quotes and control characters as JSON has them."""
    event = stored({"owner": 'Zoë "🏦" \n'}, stream=StreamId("Konto", "ä/1"))
    assert (
        '{"aggregate_id":"ä/1","aggregate_type":"Konto","version":2,"type":"Deposited",'
        '"data":{"owner":"Zoë \\"🏦\\" \\n"}}'
    ).encode() == to_body(event)


def test_data_keeps_the_order_of_its_fields() -> None:
    """As the class declares them: nothing is sorted."""
    assert b'"data":{"z":1,"a":[null,true,1.5,{"y":[],"b":{}}]}}' in to_body(
        stored({"z": 1, "a": [None, True, 1.5, {"y": [], "b": {}}]})
    )


async def test_an_application_gives_the_wire_form_of_what_it_recorded() -> None:
    """A subscriber in another language sees it."""
    async with compose() as app:
        committed = await app.dispatch(Open(aggregate_id="a", owner="Zoë"))
        assert (
            '{"aggregate_id":"a","aggregate_type":"Account","version":1,'
            '"type":"Opened","data":{"owner":"Zoë"}}'
        ) == app.wire(committed.events[0]).decode()


def test_everything_else_travels_in_headers() -> None:
    """Named alike, so that no other header is mistaken for them."""
    event = stored(metadata=Metadata("talk", "cause", {"user": "ada"}))
    message = to_message(event)
    assert {
        "Eventhus-Position": "3",
        "Eventhus-Recorded-At": "2026-01-02T03:04:05.678901+00:00",
        "Eventhus-Schema": "2",
        "Eventhus-Correlation-Id": '"talk"',
        "Eventhus-Causation-Id": '"cause"',
        "Eventhus-Metadata": '{"user": "ada"}',
    } == message.headers
    assert ("c-1", StreamId("Account", "a-1"), 1) == (message.id, message.stream, message.attempt)


def test_metadata_that_is_not_there_takes_no_header() -> None:
    """Three headers at least."""
    assert {"Eventhus-Position", "Eventhus-Recorded-At", "Eventhus-Schema"} == set(
        to_message(stored()).headers
    )


HOSTILE = st.text() | st.sampled_from(
    ["", " ", "\r\nEventhus-Position: 1", "\n", "\0", "🏦", "null", '"', "\\", "\x7f"]
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


EVENTS = st.builds(
    recorded,
    st.builds(
        EventData,
        st.just("Deposited"),
        st.dictionaries(st.text(), JSON, max_size=3),
        st.integers(1, 100),
    ),
    metadata=st.builds(
        Metadata,
        st.none() | HOSTILE.filter(len),
        st.none() | HOSTILE.filter(len),
        st.dictionaries(HOSTILE, HOSTILE, max_size=3),
    ),
    stream=st.builds(StreamId, st.text(min_size=1), st.text(min_size=1)),
    recorded_at=st.datetimes(timezones=st.just(UTC)),
    version=st.integers(1, 2**63 - 1),
)


@given(EVENTS)
def test_a_message_decodes_to_the_event_it_was_made_of(event: StoredEvent) -> None:
    """Whatever the ids, the pairs and the data hold; and the headers are one line of ASCII each."""
    message = to_message(event)
    for name, value in message.headers.items():
        assert (name + value).isascii()
        assert not {"\r", "\n", "\0"} & {*value}
    assert event == from_message(message)


def test_the_time_comes_off_the_wire_to_the_microsecond() -> None:
    """Also where there are none, which ISO 8601 leaves out."""
    for microsecond in (0, 1, 999_999):
        at = datetime(2026, 1, 2, 3, 4, 5, microsecond, tzinfo=UTC)
        assert at == from_message(to_message(stored(recorded_at=at))).recorded_at


def test_a_time_of_another_zone_is_the_same_time() -> None:
    """The offset travels with it."""
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=-3, minutes=-30)))
    assert at == from_message(to_message(stored(recorded_at=at))).recorded_at


def body(**changes: Any) -> bytes:
    """A good body, but for the changes; a key that is changed to ``...`` is left out."""
    good = json.loads(to_body(stored()))
    return json.dumps({k: v for k, v in {**good, **changes}.items() if v is not ...}).encode()


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{", id="cut off"),
        pytest.param(b"\xff\xfe\xfa", id="not UTF-8"),
        pytest.param(b"null", id="null"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b'"text"', id="text"),
        pytest.param(b"1", id="a number"),
        pytest.param(b"[" * 100_000, id="deeper than can be read"),
        *(
            pytest.param(body(**{key: ...}), id=f"no {key}")
            for key in ("aggregate_id", "aggregate_type", "version", "type", "data")
        ),
        pytest.param(body(aggregate_id=""), id="empty id"),
        pytest.param(body(aggregate_id=7), id="id no text"),
        pytest.param(body(aggregate_type=None), id="type no text"),
        pytest.param(body(version="2"), id="version as text"),
        pytest.param(body(version=None), id="version null"),
        pytest.param(body(version=0), id="version before the first"),
        pytest.param(body(version=2**63), id="version beyond 64 bits"),
        pytest.param(body(type=7), id="type of event no text"),
        pytest.param(body(data=[1]), id="data a list"),
        pytest.param(body(data=None), id="data null"),
    ],
)
def test_a_body_of_another_form_is_refused(bad: bytes) -> None:
    """The error names the message, and no half-read event is returned."""
    with pytest.raises(CodecError, match="c-1 is not an event on the wire"):
        from_message(attrs.evolve(to_message(stored()), body=bad))


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("Eventhus-Position", "three"),
        ("Eventhus-Position", "-1"),
        ("Eventhus-Position", str(2**63)),
        ("Eventhus-Schema", "0"),
        ("Eventhus-Schema", str(2**63)),
        ("Eventhus-Recorded-At", None),
        ("Eventhus-Recorded-At", "yesterday"),
        ("Eventhus-Recorded-At", "2026-01-02T03:04:05"),  # of which zone?
        ("Eventhus-Schema", ""),
        ("Eventhus-Correlation-Id", "talk"),
        ("Eventhus-Correlation-Id", "7"),
        ("Eventhus-Causation-Id", "[]"),
        ("Eventhus-Metadata", ""),
        ("Eventhus-Metadata", "[]"),
        ("Eventhus-Metadata", "null"),
        ("Eventhus-Metadata", '{"user": 7}'),
    ],
)
def test_a_header_of_another_form_is_refused(name: str, bad: str | None) -> None:
    """Missing where it must be there, or holding something else."""
    message = to_message(stored())
    headers = {key: value for key, value in message.headers.items() if key != name}
    if bad is not None:
        headers[name] = bad
    with pytest.raises(CodecError, match="c-1 is not an event on the wire"):
        from_message(attrs.evolve(message, headers=headers))


def test_the_refusal_quotes_nothing_of_the_message() -> None:
    """It may be personal."""
    message = attrs.evolve(to_message(stored()), body=b'{"owner": "s3cret"')
    with pytest.raises(EventhusError) as caught:
        from_message(message)
    assert "s3cret" not in str(caught.value)


def test_more_keys_than_five_are_no_harm() -> None:
    """A later version of the toolkit may send more."""
    message = attrs.evolve(to_message(stored()), body=body(more=1))
    assert stored() == from_message(message)


async def test_the_body_on_the_bus_is_the_body_that_the_application_gives() -> None:
    """One wire form, wherever it is asked for."""
    bus = RecordingBus()
    async with compose(bus=bus) as app:
        answers = [
            await app.dispatch(Open(aggregate_id="é", owner="Zoë")),
            await app.dispatch(Scribble(aggregate_id="n", text="🏦\n")),
        ]
        bodies = [app.wire(event) for each in answers for event in each.events]
    messages: list[Message] = bus.taken
    assert [each.body for each in messages] == bodies


def test_a_trace_travels_by_itself_too() -> None:
    """Tracers look for it in headers of its own; other pairs stay together."""
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    values = {"traceparent": trace, "tracestate": "a=1,b=2", "user": "Ada"}
    message = to_message(stored(metadata=Metadata(values=values)))
    assert trace == message.headers["traceparent"]
    assert "a=1,b=2" == message.headers["tracestate"]
    assert values == from_message(message).metadata.values


@pytest.mark.parametrize("value", ["", "é", "a\nb", " a"])
def test_a_trace_that_no_header_may_hold(value: str) -> None:
    """It travels with the other pairs only."""
    message = to_message(stored(metadata=Metadata(values={"traceparent": value})))
    assert "traceparent" not in message.headers
    assert value == from_message(message).metadata.values["traceparent"]


def test_a_message_that_somebody_else_published() -> None:
    """The body is all that it takes."""
    at = datetime(2026, 1, 2, tzinfo=UTC)
    message = attrs.evolve(to_message(stored()), headers={}, published_at=at)
    found = from_message(message)
    assert (0, 1, at, Metadata()) == (
        found.position,
        found.event.schema,
        found.recorded_at,
        found.metadata,
    )
    traced = attrs.evolve(message, headers={"traceparent": "00-1", "other": "x"})
    assert {"traceparent": "00-1"} == from_message(traced).metadata.values
