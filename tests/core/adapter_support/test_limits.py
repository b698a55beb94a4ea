"""The checks of lengths."""

import pytest

from eventhus import StreamId
from eventhus.adapter_support import check_command_id, check_keys, check_reader, check_stream
from eventhus.errors import InvalidArgument


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


def test_half_of_a_surrogate_pair_is_left_to_other_checks() -> None:
    check_command_id("\ud800" * 300)
    with pytest.raises(InvalidArgument, match="1,200"):
        check_command_id("\ud800" * 400)
