"""Colours for the texts of failures, put on where they are shown and nowhere else.

The data of reports stays plain, so logs and files of results do too. What is used of pytest: the
reports that its terminal reporter keeps, and that whatever shows one writes it line by line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

# Behind the E of pytest, a line of a page: a word or none, and a mark.
_LINE = re.compile(r"E {3,}(?:given|when|then|state|but|) +(?P<mark>[-+? ]) (?=\S)")
_OURS = ("(- expected, + actual)", "is broken (rules=Rules(")

_MARKUP: dict[str, dict[str, bool]] = {
    "-": {"red": True},
    "+": {"green": True},
    "?": {"yellow": True, "bold": True},
}


@contextmanager
def coloured(reports: Sequence[Any]) -> Iterator[None]:
    """Let the failures of specs among some reports be shown in colours, inside."""
    ours = [report for report in reports if _is_ours(report.longrepr)]
    for report in ours:
        report.longrepr = _InColours(report.longrepr)
    try:
        yield
    finally:
        for report in ours:
            report.longrepr = report.longrepr.plain


def _is_ours(longrepr: Any) -> bool:
    crash = getattr(longrepr, "reprcrash", None)
    message = getattr(crash, "message", "")
    return any(words in message.partition("\n\n")[0] for words in _OURS)


class _InColours:
    """What a report shows, written by another pen."""

    def __init__(self, plain: Any) -> None:
        self.plain = plain

    def __str__(self) -> str:
        return str(self.plain)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.plain, name)

    def toterminal(self, writer: Any) -> None:
        """Write it, line by line."""
        self.plain.toterminal(_Pen(writer))


class _Pen:
    """A terminal writer that chooses other colours for the lines of a page."""

    def __init__(self, writer: Any) -> None:
        self._writer = writer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._writer, name)

    def line(self, text: str = "", **markup: bool) -> None:
        """Write a line."""
        is_headline = any(words in text for words in _OURS)
        found = None if is_headline else _LINE.match(text)
        self._writer.line(text, **(markup if found is None else _MARKUP.get(found["mark"], {})))
