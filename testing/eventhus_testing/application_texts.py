"""The texts of failures of whole applications: what was done, and where it went elsewhere."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

from attrs import define, field

from eventhus import Command, Rejected, StreamId
from eventhus_testing.difference import differences
from eventhus_testing.failures import NOTHING, compare
from eventhus_testing.matching import text_of
from eventhus_testing.page import ACTUAL, EXPECTED, NOTE, SAME, Line, Passage, mark, page


@define
class Story:
    """What a scenario did so far.

    Attributes:
        application: Its name.
    """

    application: str
    _told: list[Passage] = field(factory=list)
    _commands: Sequence[Command] = ()
    _events: Sequence[object] = ()
    _refusal: Rejected | None = None

    def given(self, stream: StreamId, events: Sequence[object]) -> None:
        """These events have happened."""
        self._told.append(("given", mark(SAME, (f"{stream}: {event!r}" for event in events))))

    def when(
        self, commands: Sequence[Command], events: Sequence[object], refusal: Rejected | None
    ) -> None:
        """These commands were dispatched, and this is what they led to."""
        self._tell_last()
        self._commands, self._events, self._refusal = commands, events, refusal
        self._told.append(("when", mark(SAME, map(repr, commands))))

    def raised(
        self, commands: Sequence[Command], events: Sequence[object], error: Exception
    ) -> None:
        """These commands were dispatched, and one raised what is no outcome."""
        self._tell_last()
        self._commands = ()
        self._told.append(("when", mark(SAME, map(repr, commands))))
        came = [*map(repr, events), f"raised {type(error).__qualname__}: {error}"]
        self._told.append(("then", mark(SAME, came)))

    def _tell_last(self) -> None:
        if self._commands:
            self._told.append(("then", mark(SAME, self._came())))

    def other_events(self, expected: Sequence[object], ignoring: Collection[str]) -> str:
        """Events were expected, and others or a refusal came."""
        if self._refusal is None:
            lines = compare(expected, self._events, ignoring)
            return self._page("produced other events than expected", "then", lines)
        lines = [*mark(EXPECTED, _texts(expected)), *mark(ACTUAL, self._came())]
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
        return self._page(happened, "then", [(EXPECTED, expected), *mark(ACTUAL, self._came())])

    def not_committed(self) -> str:
        """A commit was expected, and a refusal came."""
        lines = [(EXPECTED, "committed"), *mark(ACTUAL, self._came())]
        return self._page("was refused instead of accepted", "then", lines)

    def other(
        self, what: str, expected: object, actual: object, ignoring: Collection[str] = ()
    ) -> str:
        """Something else than its events is not as expected."""
        lines = [(EXPECTED, f"{what}: {text_of(expected)}"), (ACTUAL, f"{what}: {actual!r}")]
        notes = mark(NOTE, differences(expected, actual, ignoring=ignoring))
        came: list[Line] = mark(SAME, self._came())
        return self._page("led elsewhere than expected", "then", [*came, *lines, *notes])

    def other_published(
        self, expected: Sequence[object], actual: Sequence[object], ignoring: Collection[str]
    ) -> str:
        """Other events are on the bus than expected."""
        lines = compare(expected, actual, ignoring)
        return self._page("published other events than expected", "bus", lines)

    def other_commands(
        self,
        process: str,
        expected: Sequence[Command],
        actual: Sequence[Command],
        ignoring: Collection[str],
    ) -> str:
        """Other commands follow from what happened than expected."""
        lines = compare(expected, actual, ignoring)
        return self._page(f"made {process} send other commands than expected", "sent", lines)

    def not_caught_up(self, patience_s: float) -> str:
        """Views or processes have not seen the whole log."""
        text = f"the views and processes did not see the whole log within {patience_s:g} s"
        if not self._commands:
            return page(f"{self.application}: {text}", self._told)
        return self._page("is not seen by all", "then", [*mark(SAME, self._came()), (NOTE, text)])

    def not_published(self, events: int, patience_s: float) -> str:
        """Events of the log did not come over the bus."""
        text = f"{events} of the events did not come over the bus within {patience_s:g} s"
        return self._page("published too little", "bus", [(NOTE, text)])

    def unchecked(self) -> str:
        """Nobody looked at what came of a command."""
        note = "nothing was said of what came of it; put a then behind each when"
        return self._page("was not looked at", "then", [*mark(SAME, self._came()), (NOTE, note)])

    def _page(self, happened: str, word: str, lines: Sequence[Line]) -> str:
        headline = f"{self.application}: {type(self._commands[-1]).__qualname__} {happened}"
        return page(f"{headline} (- expected, + actual)", [*self._told, (word, lines)])

    def _came(self) -> list[str]:
        if self._refusal is None:
            return _texts(self._events)
        name, message = type(self._refusal).__qualname__, str(self._refusal)
        reason = f"refused with {name}: {message}" if message else f"refused with {name}"
        return [*map(repr, self._events), reason]


def _texts(events: Iterable[object]) -> list[str]:
    return [text_of(event) for event in events] or [NOTHING]
