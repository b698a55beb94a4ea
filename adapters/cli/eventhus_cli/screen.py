"""Writes answers: as tables and lines for people, or as JSON."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from eventhus_cli.plain import plain
from eventhus_cli.texts import escaped

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

UNLIMITED = 100_000  # columns of a line that nobody sees on a terminal
NARROW = 72  # columns, below which the parts of a line are put below each other


def _width() -> int | None:
    """Return the width of the terminal; ``None`` if the answer goes elsewhere."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns):
        return int(columns)
    return os.get_terminal_size(sys.stdout.fileno()).columns if sys.stdout.isatty() else None


@frozen
class Screen:
    """Standard output.

    Attributes:
        is_json: True if answers are written as JSON.
        width: The number of columns; ``None`` if lines may be as long as they like.
    """

    is_json: bool
    width: int | None = field(factory=_width)

    @property
    def is_narrow(self) -> bool:
        """True if a line of several parts does not fit."""
        return self.width is not None and self.width < NARROW

    def json(self, **answer: Any) -> None:
        """Write an answer as one JSON object."""
        print(json.dumps(plain(answer), indent=2))

    def json_line(self, value: Any) -> None:
        """Write a value as one line of JSON, at once."""
        print(json.dumps(plain(value)), flush=True)

    def line(self, text: str = "") -> None:
        """Write text as it is. What comes from outside must be escaped before."""
        print(text)

    def cropped(self, text: str) -> None:
        """Write a line at once, and only as much of it as fits."""
        from rich.cells import cell_len, set_cell_size

        if self.width is not None and cell_len(text) > self.width:
            text = set_cell_size(text, self.width - 1).rstrip() + "…"
        print(text, flush=True)

    def wrapped(self, text: str, indent: str = "") -> None:
        """Write text over as many lines as it needs."""
        self._table([[indent, text]] if indent else [[text]], ())

    def fields(self, fields: Sequence[tuple[str, object]]) -> None:
        """Write the names and values of fields, one below the other."""
        self._table([[_cell(name), _cell(value)] for name, value in fields], ())

    def more(self, option: str) -> None:
        """Tell how to get the next page."""
        self.line(f"more: {escaped(option)}")

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Write a table. Where it does not fit, write the fields of each row below each other."""
        cells = [[_cell(value) for value in row] for row in rows]
        if self.width is not None and self._natural_width(columns, cells) > self.width:
            self._cards(columns, cells)
        else:
            self._table(cells, columns)

    def _cards(self, columns: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
        for index, row in enumerate(cells):
            if index:
                self.line()
            self._table(
                [
                    [name.lower(), value]
                    for name, value in zip(columns, row, strict=True)
                    if value != ""
                ],
                (),
            )

    def _natural_width(self, columns: Sequence[str], cells: Sequence[Sequence[str]]) -> int:
        console, table = self._console(UNLIMITED), _rich_table(cells, columns)
        return console.measure(table).maximum

    def _table(self, cells: Sequence[Sequence[str]], columns: Sequence[str]) -> None:
        console = self._console(self.width or UNLIMITED)
        table = _rich_table(cells, columns)
        with console.capture() as captured:
            console.print(table)
        for line in captured.get().splitlines():
            print(line.rstrip())

    def _console(self, width: int) -> Console:
        from rich.console import Console

        # Not on standard output itself: rich would flush it, and exit with 1 if nobody reads it.
        return Console(
            file=StringIO(),
            force_terminal=sys.stdout.isatty() or None,
            width=width,
            markup=False,
            highlight=False,
            emoji=False,
            soft_wrap=False,
        )


def _rich_table(cells: Sequence[Sequence[str]], columns: Sequence[str]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=bool(columns), padding=(0, 2, 0, 0))
    for name in columns or cells[0] if cells else columns:
        right = name in _NUMBERS
        table.add_column(
            Text(name if columns else "", style="bold"),
            justify="right" if right else "left",
            overflow="fold",
        )
    for row in cells:
        table.add_row(*map(Text, row))
    return table


_NUMBERS = {"POSITION", "VERSION", "WAITING", "PARKED", "DEAD", "NUMBER", "ATTEMPTS"}


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case datetime():
            return moment(value)
        case int():
            return str(value)
        case _:
            return escaped(str(value))


def moment(at: datetime) -> str:
    """Return a time for people: UTC, to the second."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"


def age(since: datetime | None, now: datetime) -> str:
    """Return the age of a time, such as ``3 min``; empty without one."""
    if since is None:
        return ""
    seconds = max(0, round((now - since) / timedelta(seconds=1)))
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
