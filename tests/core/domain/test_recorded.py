"""The values around an event: the stream's name, its metadata, and its place in the log."""

import copy
import pickle
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from attrs.exceptions import FrozenInstanceError

from eventhus import EventData, InvalidArgument, Metadata, Recorded, StreamId

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
    """What a caller may pass where an id is wanted."""

    def __repr__(self) -> str:
        return "Person(name='secret')"


def test_a_stream_is_named_by_type_and_id() -> None:
    """The same id under another type is another stream."""
    assert "Account/a1" == str(STREAM)
    assert StreamId("Account", "a1") == STREAM
    assert {STREAM} == {STREAM, StreamId("Account", "a1")}
    assert StreamId("Customer", "a1") != STREAM
    assert StreamId("Account", "a2") != STREAM


@pytest.mark.parametrize(
    "part", ["a", " ", "0", "$", "a/b", "..", "a\0b", "a\nb", "ü", "🏦", "x" * 10_000]
)
def test_any_text_names_a_stream(part: str) -> None:
    """Nothing but emptiness is wrong with a text."""
    assert (part, part) == (
        StreamId(part, "a1").aggregate_type,
        StreamId("Account", part).aggregate_id,
    )


@pytest.mark.parametrize("part", ["", None, 5, b"a1", ["a1"]])
def test_what_is_no_text_names_no_stream(part: Any) -> None:
    """Either part is refused when it is empty or not a str."""
    with pytest.raises(InvalidArgument, match="non-empty str"):
        StreamId(part, "a1")
    with pytest.raises(InvalidArgument, match="non-empty str"):
        StreamId("Account", part)


@pytest.mark.parametrize("part", ["\ud800", "a\udfffb"])
def test_half_a_character_names_no_stream(part: str) -> None:
    """A lone surrogate is not text: no database, file or message could hold the name."""
    with pytest.raises(InvalidArgument):
        StreamId(part, "a1")
    with pytest.raises(InvalidArgument):
        StreamId("Account", part)


def test_a_wrong_id_is_not_quoted() -> None:
    """A whole value passed where its id was meant may hold what no log may show."""
    with pytest.raises(InvalidArgument) as caught:
        StreamId("Account", Person())  # type: ignore[arg-type]
    assert "secret" not in str(caught.value)


def test_metadata_starts_empty() -> None:
    """Nothing is made up."""
    assert Metadata(correlation_id=None, causation_id=None, values={}) == Metadata()


def test_metadata_compares_and_hashes_as_a_value() -> None:
    """Equal metadata is equal, its pairs included, and can be put in a set."""
    metadata = Metadata("talk", "cause", {"user": "u1"})
    assert Metadata("talk", "cause", {"user": "u1"}) == metadata
    assert Metadata("talk", "cause", {"user": "u2"}) != metadata
    assert {metadata} == {metadata, Metadata("talk", "cause", {"user": "u1"})}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"user": 5}, "metadata is made of str pairs, found 'user': int"),
        ({"user": None}, "metadata is made of str pairs, found 'user': NoneType"),
        ({"user": Person()}, "metadata is made of str pairs, found 'user': Person"),
        ({"ok": "ok", 5: "five"}, "metadata is made of str pairs, found 5: str"),
    ],
)
def test_metadata_is_made_of_text(values: Any, expected: str) -> None:
    """The message names the key and what is wrong with its value, never the value."""
    with pytest.raises(InvalidArgument) as caught:
        Metadata(values=values)
    assert expected == str(caught.value)


@pytest.mark.parametrize("values", [{"user": "\ud800"}, {"\ud800": "user"}])
def test_metadata_is_made_of_whole_characters(values: dict[str, str]) -> None:
    """A lone surrogate is not text: no database or message could hold it."""
    with pytest.raises(InvalidArgument):
        Metadata(values=values)


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))]
)
def test_an_envelope_can_be_copied(copied: Callable[[object], object]) -> None:
    """Events travel to worker processes, and tests take copies."""
    assert RECORDED == copied(RECORDED)
    assert RECORDED.metadata == copied(RECORDED.metadata)


def test_plain_data_has_schema_one_unless_said() -> None:
    """Data compares by value, hashes by its name and schema, and cannot be set anew."""
    data = EventData("Opened", {"owner": "x"})
    assert EventData("Opened", {"owner": "x"}, schema=1) == data
    assert EventData("Opened", {"owner": "y"}) != data
    assert EventData("Opened", {"owner": "x"}, schema=2) != data
    assert hash(EventData("Opened", {"owner": "y"})) == hash(data)
    with pytest.raises(FrozenInstanceError):
        data.type = "Closed"  # type: ignore[misc]


def test_what_an_event_causes() -> None:
    """A command sent because of an event joins its conversation and names it as the cause."""
    assert Metadata(correlation_id="talk", causation_id="commit-1") == RECORDED.caused()
    assert Metadata("talk", "commit-1", {"user": "u2"}) == RECORDED.caused({"user": "u2"})


def test_an_envelope_is_a_value() -> None:
    """It compares and hashes by value and cannot be changed."""
    assert {RECORDED} == {RECORDED, Recorded(**{name: getattr(RECORDED, name) for name in FIELDS})}
    with pytest.raises(FrozenInstanceError):
        RECORDED.version = 4  # type: ignore[misc]


FIELDS = ("stream", "version", "position", "id", "event", "recorded_at", "metadata")
