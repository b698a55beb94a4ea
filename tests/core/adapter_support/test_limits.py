"""The checks of lengths."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from attrs import evolve

from eventhus import Metadata, Recorded, StreamId
from eventhus.adapter_support import (
    check_command_id,
    check_keys,
    check_letter,
    check_messages,
    check_reader,
    check_stream,
)
from eventhus.adapter_support.limits import (
    HEADERS_BYTES,
    METADATA_BYTES,
    VALUE_BYTES,
    check_commit_names,
)
from eventhus.errors import InvalidArgument
from eventhus.ports import EventData, Message
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
        event=EventData("Opened", {}, 2**63),
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
