"""A recording of the specs of one test, for reports and to find unchecked outcomes.

The pytest plugin opens a recording around each test. Outside of one, nothing is recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from attrs import define, field, frozen


@frozen
class Check:
    """One check of an outcome.

    Attributes:
        method: The name of the method, such as ``then_rejected``.
        arguments: The arguments for reports. Ignored fields are masked (see ``mask_fields``).
        failure: The failure text, or ``None`` if the check passed.
    """

    method: str
    arguments: tuple[object, ...] = ()
    failure: str | None = None


@define(eq=False)
class Entry:
    """One outcome and its checks.

    Attributes:
        story: A ``Story``, ``ViewStory`` or ``ProcessStory``.
        checks: The checks, in order.
        goes_on: True if another ``when`` follows, which has its own entry.
        looked_at: True if the test read the outcome, for example to assert on it directly.
        before: The entry of the outcome that this one continues, or ``None``.
    """

    story: Any
    checks: list[Check] = field(factory=list)
    goes_on: bool = False
    looked_at: bool = False
    before: Entry | None = None

    @property
    def is_unchecked(self) -> bool:
        """Return whether no check, no read and no further ``when`` followed."""
        return not (self.checks or self.goes_on or self.looked_at)


@define(eq=False)
class Recording:
    """The specs of one test.

    Attributes:
        entries: The outcomes, in order.
        given: The specs that have neither a ``when`` nor a check yet, in order.
    """

    entries: list[Entry] = field(factory=list)
    given: dict[Entry, None] = field(factory=dict)

    @property
    def unchecked(self) -> list[Entry]:
        """Return the unchecked entries, then the specs without a ``when``."""
        return [*(entry for entry in self.entries if entry.is_unchecked), *self.given]

    def clear(self) -> None:
        """Forget everything."""
        self.entries.clear()
        self.given.clear()

    @contextmanager
    def forgetting(self, is_forgotten: Callable[[BaseException], bool]) -> Iterator[None]:
        """Forget what is recorded while the context is open if it ends with such an exception."""
        entries, given = len(self.entries), set(self.given)
        try:
            yield
        except BaseException as error:
            if is_forgotten(error):
                del self.entries[entries:]
                self.given = {entry: None for entry in self.given if entry in given}
            raise


# The innermost recording is last. A context variable does not work: an event loop that tests share
# keeps the context of the first test, and a new thread starts with an empty context.
_open: list[Recording] = []


@contextmanager
def opened() -> Iterator[Recording]:
    """Record what specs do while the context is open."""
    recording = Recording()
    _open.append(recording)
    try:
        yield recording
    finally:
        _open.pop()


def note(story: Any, before: Entry | None = None) -> Entry:
    """Add an outcome to the innermost recording, if there is one.

    Args:
        story: See ``Entry``.
        before: The entry of the outcome that this one continues.
    """
    if before is not None:
        before.goes_on = True
    entry = Entry(story, before=before)
    if _open:
        _open[-1].entries.append(entry)
    return entry


def begin(story: Any, before: Entry | None = None) -> Entry:
    """Add a spec without a ``when`` to the innermost recording, if there is one.

    Args:
        story: See ``Entry``.
        before: The entry of the spec that this one continues.
    """
    if before is not None:
        go_on(before)
    entry = Entry(story)
    if _open:
        _open[-1].given[entry] = None
    return entry


def go_on(begun: Entry) -> None:
    """Record that a ``given``, a ``when`` or a check follows a spec."""
    for recording in _open:
        recording.given.pop(begun, None)
