"""A command's envelope checks what its caller put on it."""

from typing import Any

import pytest
from attrs import frozen

from eventhus import Command, Committed, Loaded, Metadata, StreamId
from eventhus.errors import InvalidArgument
from eventhus.middleware import Envelope


@frozen(kw_only=True)
class Open(Command):
    pass


def test_an_envelope_says_no_more_than_it_must() -> None:
    """Without a word from the caller there is no expectation, no id and no metadata."""
    envelope = Envelope(command=Open(aggregate_id="a1"))
    assert (None, None, Metadata()) == (
        envelope.expected_version,
        envelope.command_id,
        envelope.metadata,
    )


@pytest.mark.parametrize("command_id", ["k", " ", "$", "🔑", "x" * 10_000])
def test_any_text_is_a_command_id(command_id: str) -> None:
    """Callers bring keys of all kinds."""
    envelope = Envelope(command=Open(aggregate_id="a1"), command_id=command_id)
    assert command_id == envelope.command_id


@pytest.mark.parametrize("command_id", ["", 5, b"k", "\ud800"])
def test_a_command_id_must_be_text(command_id: Any) -> None:
    """An empty key would make all such commands one."""
    with pytest.raises(InvalidArgument, match="command_id must be a non-empty str"):
        Envelope(command=Open(aggregate_id="a1"), command_id=command_id)


def test_answers_are_values() -> None:
    """They can be compared and put in a set."""
    stream = StreamId("Door", "a1")
    committed = Committed(stream=stream, version=0, position=0, events=())
    assert {committed} == {committed, Committed(stream=stream, version=0, position=0, events=())}
    assert Loaded(state=1, version=0, position=0) == Loaded(state=1, version=0, position=0)
