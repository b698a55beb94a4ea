"""What the specs of one test did, written down while it runs: for its report, and for one check.

The kit's pytest plugin opens a notebook around each test. Without one, nothing is written down.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
    given: dict[Entry, None] = field(factory=dict)
    """Specs without a ``when`` and without a check so far, in order."""

    @property
    def unchecked(self) -> list[Entry]:
        """The outcomes that nobody looked at, then the specs in which nothing was done."""
        return [*(entry for entry in self.entries if entry.is_unchecked), *self.given]

    def clear(self) -> None:
        """Forget everything."""
        self.entries.clear()
        self.given.clear()

    @contextmanager
    def forgetting(self, is_forgotten: Callable[[BaseException], bool]) -> Iterator[None]:
        """Forget what is written down inside if it raises one of these exceptions."""
        entries, given = len(self.entries), set(self.given)
        try:
            yield
        except BaseException as error:
            if is_forgotten(error):
                del self.entries[entries:]
                self.given = {entry: None for entry in self.given if entry in given}
            raise


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


def begin(story: Any, before: Entry | None = None) -> Entry:
    """Write down, if a recording is open, that a spec has begun in which nothing is done yet.

    Args:
        story: See ``Entry``.
        before: The entry of the spec that it goes on from.
    """
    if before is not None:
        go_on(before)
    entry = Entry(story)
    if _open:
        _open[-1].given[entry] = None
    return entry


def go_on(begun: Entry) -> None:
    """Write down that something is done or checked after what was given."""
    for recording in _open:
        recording.given.pop(begun, None)
