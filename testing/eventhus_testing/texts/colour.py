"""Colours for failure texts in the terminal.

The report data stays uncoloured, and so do logs and result files. This relies on two facts about
pytest: its terminal reporter keeps the reports, and it writes each report line by line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

# A line of a failure page after pytest's E: an optional word and a mark.
_LINE = re.compile(r"E {3,}(?:given|when|then|state|but|) +(?P<mark>[-+? ]) (?=\S)")
_OURS = ("(- expected, + actual)", "is broken (rules=Rules(")

_MARKUP: dict[str, dict[str, bool]] = {
    "-": {"red": True},
    "+": {"green": True},
    "?": {"yellow": True, "bold": True},
}


@contextmanager
def coloured(reports: Sequence[Any]) -> Iterator[None]:
    """Show the spec failures among some reports in colours while the context is open."""
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
    """A report's representation that is written in colours."""

    def __init__(self, plain: Any) -> None:
        self.plain = plain

    def __str__(self) -> str:
        return str(self.plain)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.plain, name)

    def toterminal(self, writer: Any) -> None:
        """Write the report line by line."""
        self.plain.toterminal(_ColouringWriter(writer))


class _ColouringWriter:
    """A terminal writer that colours the lines of a failure page."""

    def __init__(self, writer: Any) -> None:
        self._writer = writer
        self._markup: dict[str, bool] = {}  # of the last line with a mark
        self._column = 0  # where the text of that line starts

    def __getattr__(self, name: str) -> Any:
        return getattr(self._writer, name)

    def line(self, text: str = "", **markup: bool) -> None:
        """Write a line."""
        is_headline = any(words in text for words in _OURS)
        found = None if is_headline else _LINE.match(text)
        if found is not None and not self._continues(text):
            self._markup, self._column = _MARKUP.get(found["mark"], {}), found.end()
        elif found is None and not self._continues(text):
            self._markup, self._column = markup, 0
        self._writer.line(text, **self._markup)

    def _continues(self, text: str) -> bool:
        """Return whether a line belongs to the wrapped value that began on an earlier line."""
        margin, rest = text[1 : self._column], text[self._column :]
        return margin.isspace() and (rest.startswith(" ") or rest in (")", "]", "}"))
