"""Writes an exported log to a file. Blocking: callers run it in a thread."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import mkstemp
from types import TracebackType
from typing import IO, Any, Self

from attrs import asdict

from eventhus.portable.compression import zstd_for
from eventhus.portable.progress import LogSummary
from eventhus.portable.tally import Entry

HEADER = b'{"format":"eventhus.log","version":1}\n'


def footer(summary: LogSummary) -> bytes:
    """Return the last line of a file."""
    return f"{json.dumps(asdict(summary), separators=(',', ':'))}\n".encode()


class LogWriter:
    """A file that takes its name once it is whole.

    Until then it stands beside, under a name that ends in ``.part``. Leaving without ``finish``
    deletes it.

    Raises:
        CompositionError: The name ends in ``.zst``, and no module for Zstandard is installed.
        OSError: The file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        zstd = zstd_for(path)
        handle, part = mkstemp(".part", f"{path.name}.", path.parent)
        self._part = Path(part)
        with ExitStack() as closing:
            closing.callback(self._part.unlink, missing_ok=True)
            self._file = closing.enter_context(os.fdopen(handle, "wb"))
            self._lines: IO[bytes] | Any = self._file
            if zstd is not None:
                self._lines = closing.enter_context(zstd.ZstdFile(self._file, "wb"))
            self._lines.write(HEADER)
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

    def write(self, page: Sequence[Entry]) -> None:
        """Write commits."""
        self._lines.writelines(entry.line for entry in page)

    def finish(self, summary: LogSummary) -> None:
        """End the file, have the disk keep it, and give it its name."""
        self._lines.write(footer(summary))
        if self._lines is not self._file:
            self._lines.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._part.replace(self._path)
        _keep_names(self._path.parent)


def _keep_names(folder: Path) -> None:
    """Have the disk keep the names in a folder."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
