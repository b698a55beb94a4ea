"""The checks of lengths and numbers."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from attrs import evolve

from eventhus import Metadata, Query, Recorded, StreamId
from eventhus.adapter_support import (
    check_command_id,
    check_keys,
    check_letter,
    check_messages,
    check_query,
    check_reader,
    check_stream,
)
from eventhus.adapter_support.limits import (
    EVENT_TAGS_BYTES,
    HEADERS_BYTES,
    METADATA_BYTES,
    VALUE_BYTES,
    check_commit_names,
    check_tags,
)
from eventhus.errors import InvalidArgument
from eventhus.ports import EventData, Message, QueryItem
from eventhus.runtime.messaging.wire import to_message

ACCOUNT = StreamId("Account", "a1")


@pytest.mark.parametrize(
    "text", ["x" * 1024, "ü" * 512, "🏦" * 256], ids=["one byte", "two bytes", "four bytes"]
)
def test_lengths_are_counted_in_bytes(text: str) -> None:
    check_command_id(text)
    check_keys([text])
    with pytest.raises(InvalidArgument) as caught:
        check_command_id(text + "x")
    assert "the command_id has 1,025 bytes in UTF-8; the limit is 1,024" == str(caught.value)
    with pytest.raises(InvalidArgument, match="document key has 1,025"):
        check_keys(["a", text + "x"])


def test_each_part_of_a_stream_has_its_limit() -> None:
    check_stream(StreamId("t" * 255, "a" * 1024))
    for stream, part in (
        (StreamId("t" * 256, "a"), "aggregate_type has 256"),
        (StreamId("t", "a" * 1025), "aggregate_id has 1,025"),
    ):
        with pytest.raises(InvalidArgument, match=part):
            check_stream(stream)


def test_names_and_owners_have_the_same_limit() -> None:
    check_reader("n" * 255, "o" * 255)
    for name, owner, part in (("n" * 256, "o", "name has 256"), ("n", "o" * 256, "owner has 256")):
        with pytest.raises(InvalidArgument, match=part):
            check_reader(name, owner)


def with_tags(*tags: object) -> EventData:
    chosen: Any = frozenset(tags)
    return EventData("Deposited", {}, tags=chosen)


def test_the_tags_of_a_commit_are_counted_over_all_of_its_events() -> None:
    full = [with_tags(*(f"t{number}" for number in range(100)))] * 100
    check_tags([*full, with_tags()])
    with pytest.raises(InvalidArgument) as caught:
        check_tags([*full, with_tags("one")])
    assert "the events of the commit have 10,001 tags; the limit is 10,000" == str(caught.value)


def test_the_tags_of_an_event_fit_the_header_of_a_message() -> None:
    most = [f"{number:0246}" for number in range(16)]
    assert EVENT_TAGS_BYTES == len(json.dumps(most))
    check_tags([with_tags(*most)])
    with pytest.raises(InvalidArgument) as caught:
        check_tags([with_tags(*most[1:], "x" * 247)])
    expected = "the JSON of the tags of Deposited has 4,001 bytes; the limit is 4,000"
    assert expected == str(caught.value)


def test_a_tag_may_be_as_long_as_a_name() -> None:
    check_tags([with_tags("ü" * 127 + "x")])
    with pytest.raises(InvalidArgument, match="the tag has 256 bytes"):
        check_tags([with_tags("short", "ü" * 128)])


@pytest.mark.parametrize("tag", ["", 7, None, "\ud800"])
def test_a_tag_that_is_not_text_is_refused(tag: object) -> None:
    with pytest.raises(InvalidArgument, match="a tag must be a non-empty str"):
        check_tags([with_tags(tag)])


def test_tags_given_as_one_text_are_refused() -> None:
    one: Any = "course:c1"
    with pytest.raises(InvalidArgument, match="found one str"):
        check_tags([EventData("Deposited", {}, tags=one)])


def test_a_query_has_limits() -> None:
    item = QueryItem(
        [f"A{number}" for number in range(600)],
        [f"t{number}" for number in range(100)],
        [f"B{number}" for number in range(400)],
    )
    check_query(Query([item] * 100))
    for query, message in (
        (Query([item] * 101), "the query has 101 items; the limit is 100"),
        (
            Query.of(*(f"A{number}" for number in range(1001))),
            "an item of the query has 1,001 types; the limit is 1,000",
        ),
        (
            Query([QueryItem(other_than=[f"A{number}" for number in range(1001)])]),
            "an item of the query has 1,001 types; the limit is 1,000",
        ),
        (
            Query.of(tags=[f"t{number}" for number in range(101)]),
            "an item of the query has 101 tags; the limit is 100",
        ),
        (Query.of("x" * 256), "the event type has 256 bytes in UTF-8; the limit is 255"),
        (Query.of(tags=["x" * 256]), "the tag has 256 bytes in UTF-8; the limit is 255"),
    ):
        with pytest.raises(InvalidArgument) as caught:
            check_query(query)
        assert message == str(caught.value)


@pytest.mark.parametrize("query", [Query.of(EventData), Query([QueryItem(other_than=[EventData])])])
def test_a_store_takes_no_classes(query: Query) -> None:
    with pytest.raises(InvalidArgument) as caught:
        check_query(query)
    assert (
        "a store finds events by their stored names, and the query has the class EventData; "
        "query through the application, or give the name" == str(caught.value)
    )


def test_half_of_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="the command_id is not a str of whole Unicode"):
        check_command_id("\ud800")


@pytest.mark.parametrize("command_id", [7, b"a"])
def test_an_id_of_another_class_is_refused(command_id: Any) -> None:
    with pytest.raises(InvalidArgument, match="the command_id is not a str"):
        check_command_id(command_id)


def test_the_headers_of_the_largest_metadata_fit_a_message() -> None:
    """JSON turns each of these characters into six, and tracing has headers of its own."""
    trace = {"traceparent": "x" * VALUE_BYTES, "tracestate": "x" * VALUE_BYTES}
    used = len(json.dumps({**trace, "a": ""}))
    values = {**trace, "a": "\0" * ((METADATA_BYTES - used) // 6)}
    metadata = Metadata("\0" * 1024, "\0" * 1024, values)
    check_commit_names("c" * 255, ["Opened"], metadata)
    stored = Recorded(
        stream=ACCOUNT,
        version=1,
        position=2**63,
        id=f"{'c' * 255}-100000",
        event=EventData("Opened", {}, 2**63, frozenset(f"{number:0246}" for number in range(16))),
        recorded_at=datetime(2026, 1, 1, microsecond=1, tzinfo=UTC),
        metadata=metadata,
    )
    check_messages([to_message(stored)])


def test_headers_are_counted_together() -> None:
    size = HEADERS_BYTES - len("a: \r\nb: \r\n")
    check_messages([Message(id="1", stream=ACCOUNT, body=b"", headers={"a": "", "b": "x" * size})])
    with pytest.raises(InvalidArgument, match="the headers of message '1' have 60,001 bytes"):
        check_messages(
            [Message(id="1", stream=ACCOUNT, body=b"", headers={"a": "x", "b": "x" * size})]
        )


@pytest.mark.parametrize("given", [{"id": ""}, {"id": "\ud800"}, {"headers": {"a": "\ud800"}}])
def test_a_letter_that_is_not_text_is_refused(given: dict[str, Any]) -> None:
    large = Message(id="x" * 9999, stream=ACCOUNT, body=b"", headers={"é": "\n" * 99_999})
    check_letter(large)
    with pytest.raises(InvalidArgument, match="is not a str of whole Unicode"):
        check_letter(evolve(large, **given))
