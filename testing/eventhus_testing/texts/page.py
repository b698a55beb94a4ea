"""The common layout of failure texts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from eventhus_testing.texts.printable import printable_lines

Line: TypeAlias = tuple[str, str]
"""A mark and a text. Marks follow difflib: ``-`` expected, ``+`` actual, ``?`` note."""
SAME, EXPECTED, ACTUAL, NOTE = " ", "-", "+", "?"

Passage: TypeAlias = tuple[str, Sequence[Line]]
"""A word, such as "given", and its lines."""


def mark(sign: str, texts: Iterable[str]) -> list[Line]:
    """Return lines that all have the same mark."""
    return [(sign, text) for text in texts]


def page(headline: str, passages: Iterable[Passage]) -> str:
    """Return a headline and passages, each word before its first line.

    Unprintable characters are escaped and overlong lines are cut: refusals may quote any input.
    """
    lines = [headline, ""]
    for word, marked in passages:
        for index, (sign, text) in enumerate(marked):
            margin = f"{'' if index else word:<6} {sign} "
            lines.append(margin + text.replace("\n", "\n" + " " * len(margin)))
    return printable_lines("\n".join(lines))
