"""The progress of a build, as it is shown."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from time import monotonic
from typing import TextIO

from eventhus import BuildProgress
from eventhus.runtime.readers.building import OnBuildProgress

LINE_EVERY_S = 5.0  # between two plain lines


@contextmanager
def showing_progress(stream: TextIO | None = None) -> Iterator[OnBuildProgress]:
    """Yield a function for ``Application.build(..., on_progress=...)`` that shows the progress.

    On a terminal, and with the extra ``eventhus[terminal]``, it is a bar with the rate and the time
    that is left. Elsewhere it is a line every five seconds and one at the end.

    Args:
        stream: Where to write; by default standard error.
    """
    target = sys.stderr if stream is None else stream
    if target.isatty() and find_spec("rich") is not None:
        from eventhus_terminal.bar import progress_bar  # noqa: PLC0415 - needs the extra

        with progress_bar(target) as on_progress:
            yield on_progress
    else:
        yield PlainLines(target)


class PlainLines:
    """Writes the progress as lines of text.

    Args:
        stream: Where to write.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._first: tuple[float, int] | None = None  # the time and the position
        self._next_s = 0.0

    def __call__(self, progress: BuildProgress) -> None:
        """Write a line, unless the last one was a moment ago."""
        now = monotonic()
        began, from_ = self._first = self._first or (now, progress.position)
        is_done = progress.position >= progress.head
        if not is_done and now < self._next_s:
            return
        self._next_s = now + LINE_EVERY_S
        done, head, elapsed_s = progress.position, progress.head, now - began
        share = 100 * done // head if head else 100
        rate = f", {(done - from_) / elapsed_s:,.0f} a second" if elapsed_s else ""
        line = f"{progress.label}: {done:,} of {head:,} events ({share} %){rate}"
        print(line, file=self._stream, flush=True)
