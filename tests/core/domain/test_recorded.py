"""Stream ids, metadata and envelopes."""

import copy
import pickle
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from attrs import asdict, evolve
from attrs.exceptions import FrozenInstanceError

from eventhus import Delivered, Metadata, Recorded, StreamId
from eventhus.errors import InvalidArgument
from eventhus.ports import EventData

STREAM = StreamId("Account", "a1")
RECORDED: Recorded[str] = Recorded(
    stream=STREAM,
    version=3,
    position=7,
    id="commit-1",
    event="opened",
    recorded_at=datetime(2024, 2, 29, 12, 30, 15, 123456, UTC),
    metadata=Metadata(correlation_id="talk", causation_id="cause", values={"user": "u1"}),
)


class Person:
    """A value that a caller may pass in place of an id."""

    def __repr__(self) -> str:
        return "Person(name='secret')"


def test_streams_differ_by_type_and_id() -> None:
    assert "Account/a1" == str(STREAM)
    assert StreamId("Account", "a1") == STREAM
    assert {STREAM} == {STREAM, StreamId("Account", "a1")}
    assert StreamId("Customer", "a1") != STREAM
    assert StreamId("Account", "a2") != STREAM


@pytest.mark.parametrize(
    "part", ["a", " ", "0", "$", "a/b", "..", "a\0b", "a\nb", "ü", "🏦", "x" * 10_000]
)
def test_any_non_empty_text_can_be_part_of_a_stream_id(part: str) -> None:
    assert (part, part) == (
        StreamId(part, "a1").aggregate_type,
        StreamId("Account", part).aggregate_id,
    )


NO_TEXT = [
    pytest.param(5, id="int"),
    pytest.param(b"a1", id="bytes"),
    pytest.param(["a1"], id="list"),
    pytest.param(Person(), id="object"),
    pytest.param("\ud800", id="half a character"),
    pytest.param("a\udfffb", id="half a character within"),
]


@pytest.mark.parametrize("part", ["", None, *NO_TEXT])
def test_stream_ids_refuse_other_values_without_quoting_them(part: Any) -> None:
    """The value may be a whole object passed for its id. No database can store a lone surrogate."""
    found = "an empty one" if part == "" else type(part).__name__
    for name, parts in (("type", (part, "a1")), ("id", ("Account", part))):
        with pytest.raises(InvalidArgument) as caught:
            StreamId(*parts)
        assert (
            f"an aggregate's {name} must be a non-empty str of whole Unicode characters, "
            f"found {found}"
        ) == str(caught.value)


def test_metadata_is_empty_by_default() -> None:
    assert Metadata(correlation_id=None, causation_id=None, values={}) == Metadata()


def test_metadata_compares_and_hashes_by_value() -> None:
    metadata = Metadata("talk", "cause", {"user": "u1"})
    assert Metadata("talk", "cause", {"user": "u1"}) == metadata
    assert Metadata("talk", "cause", {"user": "u2"}) != metadata
    assert {metadata} == {metadata, Metadata("talk", "cause", {"user": "u1"})}


@pytest.mark.parametrize("message_id", ["", *NO_TEXT])
def test_message_ids_must_be_text(message_id: Any) -> None:
    for ids in ({"correlation_id": message_id}, {"causation_id": message_id}):
        with pytest.raises(InvalidArgument, match="must be a non-empty str") as caught:
            Metadata(**ids)
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize("value", [None, *NO_TEXT])
def test_metadata_values_must_be_text(value: Any) -> None:
    """The message names the key and the class of the value, never the value."""
    with pytest.raises(InvalidArgument) as caught:
        Metadata(values={"ok": "ok", "user": value})
    assert str(caught.value).startswith("metadata values must be pairs of str")
    assert str(caught.value).endswith(f"found 'user': {type(value).__name__}")


@pytest.mark.parametrize("key", [None, 5, b"user", "\ud800"])
def test_metadata_keys_must_be_text(key: Any) -> None:
    with pytest.raises(InvalidArgument, match="metadata values must be pairs of str"):
        Metadata(values={key: "u1"})


@pytest.mark.parametrize("values", [{"": ""}, {"a\0": "$\n"}, {"ü": "🏦" * 1000}])
def test_metadata_accepts_any_text(values: dict[str, str]) -> None:
    assert values == Metadata(values=values).values


def test_metadata_is_immutable() -> None:
    """Also through the dict that it was made from."""
    values = {"user": "u1"}
    metadata = Metadata(values=values)
    values["user"] = "u2"
    with pytest.raises(TypeError):
        metadata.values["user"] = "u3"  # type: ignore[index]
    assert {"user": "u1"} == metadata.values


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))]
)
def test_an_envelope_can_be_copied_and_pickled(copied: Callable[[object], object]) -> None:
    assert RECORDED == copied(RECORDED)
    assert RECORDED.metadata == copied(RECORDED.metadata)


def test_event_data_has_schema_one_by_default() -> None:
    data = EventData("Opened", {"owner": "x"})
    assert EventData("Opened", {"owner": "x"}, schema=1) == data
    assert EventData("Opened", {"owner": "y"}) != data
    assert EventData("Opened", {"owner": "x"}, schema=2) != data
    assert hash(EventData("Opened", {"owner": "y"})) == hash(data)
    with pytest.raises(FrozenInstanceError):
        data.type = "Closed"  # type: ignore[misc]


def test_caused_metadata_has_the_conversation_and_the_event_as_cause() -> None:
    assert ("talk", "commit-1") == (
        RECORDED.caused().correlation_id,
        RECORDED.caused().causation_id,
    )


def test_caused_metadata_carries_the_callers_pairs_on() -> None:
    """The caller may add to them, or replace one."""
    assert {"user": "u1"} == RECORDED.caused().values
    assert {"user": "u1", "via": "web"} == RECORDED.caused({"via": "web"}).values
    assert {"user": "u2"} == RECORDED.caused({"user": "u2"}).values
    assert {"user": "u1"} == RECORDED.metadata.values


def test_an_envelope_compares_by_value_and_is_immutable() -> None:
    assert {RECORDED} == {RECORDED, Recorded(**{name: getattr(RECORDED, name) for name in FIELDS})}
    with pytest.raises(FrozenInstanceError):
        RECORDED.version = 4  # type: ignore[misc]


FIELDS = ("stream", "version", "position", "id", "event", "recorded_at", "metadata")


def test_with_event_changes_only_the_event() -> None:
    assert RECORDED == RECORDED.with_event("opened")
    assert evolve(RECORDED, event="closed") == RECORDED.with_event("closed")


def test_with_event_of_a_delivery_forgets_the_delivery() -> None:
    """Attempts belong to the delivery of an event, so the result is a plain Recorded."""
    delivered = Delivered(**asdict(RECORDED, recurse=False), attempt=2)
    assert Recorded is type(delivered.with_event(1))
