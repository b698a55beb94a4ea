"""One commit as one line: nothing is lost, and there is only one way to write it."""

from __future__ import annotations

from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventhus import Metadata
from eventhus.portable.lines import from_line, to_line
from eventhus.ports import Commit, EventData, StoredCommit
from tests.core.portable.support import ACCOUNT, CUSTOMER, commit, logs, part

LINE = (
    '{"position":3,"commit_id":"c1","command_id":"k1",'
    '"recorded_at":"2024-02-29T12:30:15.123456Z","correlation_id":null,"causation_id":null,'
    '"metadata":{"app":"bank","user":"ü"},"parts":[{"aggregate_type":"Account",'
    '"aggregate_id":"a1","version":2,"events":[{"type":"Deposited","schema":1,'
    '"tags":["a","b"],"data":{"z":-0.0,"a":9223372036854775807}}]}]}\n'
)
SECRET = "4111111111111111"


def stored(of: Commit, position: int = 3) -> StoredCommit:
    return StoredCommit(commit=of, versions=[2] * len(of.parts), position=position)


def test_the_form_is_fixed() -> None:
    """Files of released versions must stay readable."""
    event = EventData("Deposited", {"z": -0.0, "a": 2**63 - 1}, 1, frozenset({"b", "a"}))
    metadata = Metadata(values={"user": "ü", "app": "bank"})
    made = commit("c1", part(ACCOUNT, event), command_id="k1", metadata=metadata)
    assert LINE.encode() == to_line(stored(made))
    assert stored(made) == from_line(LINE.encode())


@given(log=logs())
def test_lines_are_read_as_they_were_written(log: list[Commit]) -> None:
    for each in log:
        line = to_line(stored(each))
        assert stored(each) == from_line(line)
        assert line == to_line(from_line(line))
        assert line.count(b"\n") == 1


@given(values=st.dictionaries(st.text("abc", min_size=1), st.just("x")), data=st.data())
def test_the_order_of_metadata_does_not_show(values: dict[str, str], data: st.DataObject) -> None:
    shuffled = dict(data.draw(st.permutations(list(values.items()))))
    one, other = (commit("c1", metadata=Metadata(values=each)) for each in (values, shuffled))
    assert to_line(stored(one)) == to_line(stored(other))


def test_the_order_of_keys_in_data_is_kept() -> None:
    line = to_line(stored(commit("c1", part(CUSTOMER, EventData("Noted", {"b": 1, "a": 2})))))
    assert ["b", "a"] == list(from_line(line).commit.events[0].data)


def changed(old: str, new: str) -> bytes:
    assert old in LINE
    return LINE.replace(old, new).encode()


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"[]\n",
        b"null\n",
        b"\xff\n",
        LINE.encode()[:-20],
        changed(":3", ": 3"),
        changed(":3", ':3,"more":1'),
        changed('"position":3', '"position":3,"position":3'),
        changed('"position":3', '"position":true'),
        changed('"position":3', '"position":"3"'),
        changed('"position":3', '"position":3.0'),
        changed('"position":3', '"position":0'),
        changed('"version":2', '"version":true'),
        changed('"schema":1', '"schema":0'),
        changed('"c1"', "1"),
        changed('"c1"', '""'),
        changed('"k1"', '""'),
        changed('"command_id":"k1",', ""),
        changed("Z", "+00:00"),
        changed("Z", "+01:00"),
        changed("Z", ""),
        changed("15.123456Z", "15Z"),
        changed('"2024-02-29T12:30:15.123456Z"', "5"),
        changed('["a","b"]', '["b","a"]'),
        changed('["a","b"]', '["a","a"]'),
        changed('["a","b"]', '"ab"'),
        changed('["a","b"]', "[1]"),
        changed('"app":"bank"', '"app":1'),
        changed('{"z":-0.0,"a":9223372036854775807}', "[]"),
        changed("9223372036854775807", "9223372036854775808"),
        changed("9223372036854775807", "NaN"),
        changed("9223372036854775807", "1e999"),
        changed("9223372036854775807", "1" * 5000),
        changed("9223372036854775807", '"\\ud800"'),
        changed("9223372036854775807", "[" * 91 + "]" * 91),
        changed("9223372036854775807", "[" * 100_000 + "]" * 100_000),
        changed('"type":"Deposited"', f'"type":"{"x" * 256}"'),
        changed('"a1"', '""'),
    ],
    ids=map(str, count()),
)
def test_lines_in_another_form_are_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        from_line(line)


def test_errors_hold_nothing_of_the_line() -> None:
    for line in (
        changed("9223372036854775807", f'"{SECRET}'),
        changed("9223372036854775807", f'"{SECRET}" '),
        changed("9223372036854775807", f'["{SECRET}",1e999]'),
        changed("9223372036854775807", f'{{"{SECRET}":"\\ud800"}}'),
    ):
        with pytest.raises(ValueError, match="commit") as caught:
            from_line(line)
        error: BaseException | None = caught.value
        while error is not None:
            assert SECRET not in f"{error!r}{vars(error)}"
            error = error.__cause__ or error.__context__
