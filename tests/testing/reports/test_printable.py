"""Tests that texts are printable and encodable."""

import pytest

from eventhus_testing.texts.page import SAME, mark, page
from eventhus_testing.texts.printable import encodable, printable, printable_lines

ESCAPED = {
    "a lone surrogate": ("a\ud800", "a\\ud800"),
    "an escape sequence": ("\x1b[2J", "\\x1b[2J"),
    "a mark that reverses text": ("a\u202eb\u2066", "a\\u202eb\\u2066"),
    "a carriage return": ("a\rb", "a\\rb"),
    "a line separator": ("a\u2028b", "a\\u2028b"),
}


@pytest.mark.parametrize(("text", "expected"), ESCAPED.values(), ids=ESCAPED.keys())
def test_unprintable_characters_are_escaped(text: str, expected: str) -> None:
    assert expected == printable(text)


def test_printable_characters_are_not_escaped() -> None:
    text = "Größe\t日本 🎟\n\\x1b"
    assert text == printable(text)


def test_encodable_escapes_only_lone_surrogates() -> None:
    assert "\x1b[1m\\udfff🎟" == encodable("\x1b[1m\udfff🎟")


def test_a_long_line_is_cut_and_the_rest_counted() -> None:
    assert "abc … (2 more characters)\nab" == printable_lines("abcde\nab", 3)


def test_a_failure_text_is_printable() -> None:
    text = page("Bad \x1b[2J", [("when", mark(SAME, ["\ud800", "x" * 5_000]))])
    assert all(line.isprintable() for line in text.splitlines())
    assert max(map(len, text.splitlines())) < 2_100
