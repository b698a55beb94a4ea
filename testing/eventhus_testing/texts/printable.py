"""Escapes text for terminals, files and the transport of pytest-xdist."""

from __future__ import annotations

import re

LONGEST_LINE = 2_000  # characters

_CONTROLS = r"\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029"  # but not the tab and the newline
_BIDIRECTIONAL = r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_SURROGATES = r"\ud800-\udfff"

_UNENCODABLE = re.compile(f"[{_SURROGATES}]")
_UNPRINTABLE = re.compile(f"[{_CONTROLS}{_BIDIRECTIONAL}{_SURROGATES}]")


def encodable(text: str) -> str:
    """Return a text with lone surrogates escaped, so that it can be encoded as UTF-8."""
    return _UNENCODABLE.sub(_escaped, text)


def printable(text: str) -> str:
    r"""Return a text with unprintable characters escaped as in Python source.

    These are control characters other than tabs and newlines, bidirectional marks, which can
    reorder a line on screen, and lone surrogates, which cannot be encoded.

    >>> printable("\x1b[2J")
    '\\x1b[2J'
    """
    return _UNPRINTABLE.sub(_escaped, text)


def printable_lines(text: str, longest: int = LONGEST_LINE) -> str:
    """Return a text escaped as by ``printable``, with overlong lines cut."""
    return "\n".join(_cut(line, longest) for line in printable(text).split("\n"))


def _cut(line: str, longest: int) -> str:
    if len(line) <= longest:
        return line
    return f"{line[:longest]} … ({len(line) - longest:,} more characters)"


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")
