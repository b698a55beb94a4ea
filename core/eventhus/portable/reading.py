"""Reads an exported log from a file and checks every line. Blocking: callers run it in a thread."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from eventhus.errors import LogCorrupted, LogFileDamaged
from eventhus.portable.compression import zstd_for
from eventhus.portable.lines import from_line
from eventhus.portable.progress import LogSummary
from eventhus.portable.tally import Entry, Tally
from eventhus.portable.writing import HEADER, footer

PAGE_COMMITS = 1000
PAGE_BYTES = 4_000_000

_FOOTER_START = b'{"commits":'


class LogReader:
    """The commits of an exported file, page by page.

    Raises:
        CompositionError: The name ends in ``.zst``, and no module for Zstandard is installed.
        OSError: The file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        zstd = zstd_for(path)
        self._broken: tuple[type[Exception], ...] = ()
        with ExitStack() as closing:
            # One handle for both passes: another file may take the name in between.
            self._lines: IO[bytes] | Any = closing.enter_context(path.open("rb"))
            if zstd is not None:
                self._lines = closing.enter_context(zstd.ZstdFile(self._lines, "rb"))
                self._broken = (EOFError, zstd.ZstdError)
            self.rewind()
            self._closing = closing.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closing.close()

    @property
    def summary(self) -> LogSummary:
        """The commits that were read so far."""
        return self._tally.summary

    def rewind(self) -> None:
        """Start again before the first commit."""
        self._lines.seek(0)
        self._number = 0
        self._tally = Tally()
        self._is_over = False

    def page(self) -> list[Entry]:
        """Return the next commits, at most 1,000 and about 4 MB; none at the end.

        Raises:
            LogFileDamaged: A line is not what an export writes there.
        """
        entries: list[Entry] = []
        size_bytes = 0
        if self._number == 0:
            self._check_header()
        while not self._is_over and len(entries) < PAGE_COMMITS and size_bytes < PAGE_BYTES:
            line = self._next()
            if line.startswith(_FOOTER_START):
                self._check_footer(line)
            else:
                entries.append(self._entry(line))
                size_bytes += len(line)
        return entries

    def _check_header(self) -> None:
        line = self._next()
        if line != HEADER:
            mark, _, _ = HEADER.partition(b"version")
            raise self._damaged(
                "it is of another format version, which another version of eventhus reads"
                if line.startswith(mark)
                else "it does not begin as an exported log does"
            )

    def _entry(self, line: bytes) -> Entry:
        try:
            entry = Entry(from_line(line), line)
            self._tally.add(entry)
        except LogCorrupted as gap:
            stream = "the log" if gap.stream is None else str(gap.stream)
            raise self._damaged(
                f"it continues {stream} at {gap.actual} instead of {gap.expected}"
            ) from None
        except ValueError as error:
            raise self._damaged(str(error)) from None
        return entry

    def _check_footer(self, line: bytes) -> None:
        expected = self.summary
        if line != footer(expected):
            raise self._damaged(
                f"its last line has another count or digest than that of the "
                f"{expected.commits:,} commits and {expected.events:,} events before it"
            )
        if self._read():
            raise self._damaged("lines follow after the last one of an exported log")
        self._is_over = True

    def _next(self) -> bytes:
        line = self._read()
        if not line.endswith(b"\n"):
            raise self._damaged(
                f"it ends in the middle, after {self._tally.commits:,} whole commits"
            )
        return line

    def _read(self) -> bytes:
        self._number += 1
        try:
            line: bytes = self._lines.readline()
        except self._broken:
            raise self._damaged(
                f"its compressed data breaks off after {self._tally.commits:,} whole commits"
            ) from None
        return line

    def _damaged(self, problem: str) -> LogFileDamaged:
        return LogFileDamaged(str(self._path), self._number, problem)
