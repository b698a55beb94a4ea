"""The texts of failures of whole applications: what was done, and where it went elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import takewhile
from operator import eq
from typing import TypeAlias

from attrs import define, field

from eventhus import Command, Rejected, StreamId
from eventhus_testing.difference import differences

Line: TypeAlias = tuple[str, str]
"""A mark and a text. The marks are those of difflib: expected, actual, and what to note."""
SAME, EXPECTED, ACTUAL, NOTE = " ", "-", "+", "?"
NOTHING = "nothing"


@define
class Story:
    """What a scenario did so far.

    Attributes:
        application: Its name.
    """

    application: str
    _told: list[tuple[str, list[Line]]] = field(factory=list)
    _commands: Sequence[Command] = ()
    _events: Sequence[object] = ()
    _refusal: Rejected | None = None

    def given(self, stream: StreamId, events: Sequence[object]) -> None:
        """These events have happened."""
        self._told.append(("given", _mark(SAME, (f"{stream}: {event!r}" for event in events))))

    def when(
        self, commands: Sequence[Command], events: Sequence[object], refusal: Rejected | None
    ) -> None:
        """These commands were dispatched, and this is what they led to."""
        self._tell_last()
        self._commands, self._events, self._refusal = commands, events, refusal
        self._told.append(("when", _mark(SAME, map(repr, commands))))

    def raised(
        self, commands: Sequence[Command], events: Sequence[object], error: Exception
    ) -> None:
        """These commands were dispatched, and one raised what is no outcome."""
        self._tell_last()
        self._commands = ()
        self._told.append(("when", _mark(SAME, map(repr, commands))))
        came = [*map(repr, events), f"raised {type(error).__qualname__}: {error}"]
        self._told.append(("then", _mark(SAME, came)))

    def _tell_last(self) -> None:
        if self._commands:
            self._told.append(("then", _mark(SAME, self._came())))

    def other_events(self, expected: Sequence[object]) -> str:
        """Events were expected, and others or a refusal came."""
        if self._refusal is None:
            lines = _compare(expected, self._events)
            return self._page("produced other events than expected", "then", lines)
        lines = [*_mark(EXPECTED, _texts(expected)), *_mark(ACTUAL, self._came())]
        return self._page("was refused instead of accepted", "then", lines)

    def other_refusal(self, reason: type[Rejected], match: str | re.Pattern[str] | None) -> str:
        """A refusal was expected, and another or none came."""
        pattern = match.pattern if isinstance(match, re.Pattern) else match
        matching = "" if pattern is None else f", matching {pattern!r}"
        happened = "was accepted instead of refused"
        if isinstance(self._refusal, reason):
            happened = "was refused with another message than expected"
        elif self._refusal is not None:
            happened = "was refused for another reason than expected"
        expected = f"refused with {reason.__qualname__}{matching}"
        return self._page(happened, "then", [(EXPECTED, expected), *_mark(ACTUAL, self._came())])

    def not_committed(self) -> str:
        """A commit was expected, and a refusal came."""
        lines = [(EXPECTED, "committed"), *_mark(ACTUAL, self._came())]
        return self._page("was refused instead of accepted", "then", lines)

    def other(self, what: str, expected: object, actual: object) -> str:
        """Something else than its events is not as expected."""
        lines = [(EXPECTED, f"{what}: {expected!r}"), (ACTUAL, f"{what}: {actual!r}")]
        notes = _mark(NOTE, differences(expected, actual))
        came: list[Line] = _mark(SAME, self._came())
        return self._page("led elsewhere than expected", "then", [*came, *lines, *notes])

    def other_published(self, expected: Sequence[object], actual: Sequence[object]) -> str:
        """Other events are on the bus than expected."""
        return self._page("published other events than expected", "bus", _compare(expected, actual))

    def not_published(self, events: int, patience_s: float) -> str:
        """Events of the log did not come over the bus."""
        text = f"{events} of the events did not come over the bus within {patience_s:g} s"
        return self._page("published too little", "bus", [(NOTE, text)])

    def unchecked(self) -> str:
        """Nobody looked at what came of a command."""
        note = "nothing was said of what came of it; put a then behind each when"
        return self._page("was not looked at", "then", [*_mark(SAME, self._came()), (NOTE, note)])

    def _page(self, happened: str, word: str, lines: Sequence[Line]) -> str:
        headline = f"{self.application}: {type(self._commands[-1]).__qualname__} {happened}"
        page = [f"{headline} (- expected, + actual)", ""]
        for said, marked in [*self._told, (word, lines)]:
            for index, (mark, text) in enumerate(marked):
                margin = f"{'' if index else said:<6} {mark} "
                page.append(margin + text.replace("\n", "\n" + " " * len(margin)))
        return "\n".join(page)

    def _came(self) -> list[str]:
        if self._refusal is None:
            return _texts(self._events)
        name, message = type(self._refusal).__qualname__, str(self._refusal)
        reason = f"refused with {name}: {message}" if message else f"refused with {name}"
        return [*map(repr, self._events), reason]


def _compare(expected: Sequence[object], actual: Sequence[object]) -> list[Line]:
    """Two sequences as one. What both begin or end with is not marked."""
    begin = _shared(expected, actual)
    end = _shared(expected[begin:][::-1], actual[begin:][::-1])
    wanted = expected[begin : len(expected) - end]
    found = actual[begin : len(actual) - end]

    lines = _mark(SAME, map(repr, actual[:begin]))
    if not expected:
        lines.append((EXPECTED, NOTHING))
    for index in range(max(len(wanted), len(found))):
        lines += _mark(EXPECTED, map(repr, wanted[index : index + 1]))
        lines += _mark(ACTUAL, map(repr, found[index : index + 1]))
        if index < min(len(wanted), len(found)):
            lines += _mark(NOTE, differences(wanted[index], found[index]))
    if not actual:
        lines.append((ACTUAL, NOTHING))
    return lines + _mark(SAME, map(repr, actual[len(actual) - end :]))


def _shared(one: Sequence[object], other: Sequence[object]) -> int:
    """How many values two sequences begin with alike."""
    return sum(1 for _ in takewhile(bool, map(eq, one, other)))


def _texts(events: Iterable[object]) -> list[str]:
    return [repr(event) for event in events] or [NOTHING]


def _mark(mark: str, texts: Iterable[str]) -> list[Line]:
    return [(mark, text) for text in texts]
