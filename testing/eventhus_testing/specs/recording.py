"""What the specs of one test did, written down while it runs: for its report, and for one check.

The kit's pytest plugin opens a notebook around each test. Without one, nothing is written down.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from attrs import define, field, frozen


@frozen
class Check:
    """One ``then``.

    Attributes:
        method: The method's name: ``then_rejected``.
        arguments: What it was given, as it should be read: values without the fields that do not
            count (see ``mask_fields``), classes, texts.
        failure: The text of its failure; ``None`` where it held.
    """

    method: str
    arguments: tuple[object, ...] = ()
    failure: str | None = None


@define(eq=False)
class Entry:
    """One outcome: a story up to its last ``when``, and what was checked of it.

    Attributes:
        story: A ``Story``, ``ViewStory`` or ``ProcessStory``.
        checks: What was checked, in order.
        goes_on: Whether the story has a next ``when``, and so another entry.
        looked_at: Whether the test read the outcome, to check it by its own means.
        before: The entry of the outcome that this one goes on from, if it does.
    """

    story: Any
    checks: list[Check] = field(factory=list)
    goes_on: bool = False
    looked_at: bool = False
    before: Entry | None = None

    @property
    def is_unchecked(self) -> bool:
        """Whether something was done, and nobody looked at what came of it."""
        return not (self.checks or self.goes_on or self.looked_at)


@define(eq=False)
class Recording:
    """The outcomes of one test, in order."""

    entries: list[Entry] = field(factory=list)

    @property
    def unchecked(self) -> list[Entry]:
        """Those that nobody looked at."""
        return [entry for entry in self.entries if entry.is_unchecked]


# The innermost is last. No context variable: an event loop that tests share keeps the context of
# the first of them, and a thread starts without any.
_open: list[Recording] = []


@contextmanager
def opened() -> Iterator[Recording]:
    """Write down, inside, what specs do."""
    recording = Recording()
    _open.append(recording)
    try:
        yield recording
    finally:
        _open.pop()


def note(story: Any, before: Entry | None = None) -> Entry:
    """Write an outcome down, if a notebook is open.

    Args:
        story: See ``Entry``.
        before: The entry of the outcome that it goes on from.
    """
    if before is not None:
        before.goes_on = True
    entry = Entry(story, before=before)
    if _open:
        _open[-1].entries.append(entry)
    return entry
