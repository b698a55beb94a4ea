"""The texts of failures of whole applications: what was done, and where it went elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from attrs import define, field, frozen

from eventhus import Command, Committed, Rejected, StreamId
from eventhus_testing.matching.difference import differences
from eventhus_testing.matching.matchers import text_of
from eventhus_testing.specs.expectations import Miss, outcome_texts
from eventhus_testing.texts.page import ACTUAL, EXPECTED, NOTE, SAME, Line, Passage, mark, page


@frozen(kw_only=True)
class Dispatched:
    """The commands of one ``when``, and what came of them.

    Attributes:
        commands: The commands, at least one.
        commits: The answers to those that were accepted, in order.
        refusal: What the last one was refused with, if it was; none behind it was dispatched.
        after: The position of the log before them.
    """

    commands: Sequence[Command]
    commits: Sequence[Committed]
    refusal: Rejected | None
    after: int

    @property
    def causes(self) -> Sequence[Command]:
        """Those that were dispatched, up to one that was refused."""
        return self.commands[: len(self.commits) + (self.refusal is not None)]

    @property
    def events(self) -> tuple[Any, ...]:
        """What they made happen, in order."""
        return tuple(recorded.event for each in self.commits for recorded in each.events)


@define
class ScenarioLog:
    """What a scenario did so far.

    Attributes:
        application: Its name.
        last: The last ``when``; ``None`` before the first, and where it raised what is no outcome.
    """

    application: str
    last: Dispatched | None = None
    _passages: list[Passage] = field(factory=list)

    def given(self, stream: StreamId, events: Sequence[object]) -> None:
        """These events have happened."""
        self._passages.append(("given", mark(SAME, (f"{stream}: {event!r}" for event in events))))

    def when(self, dispatched: Dispatched, error: Exception | None = None) -> None:
        """Commands were dispatched.

        Args:
            dispatched: They, and what came of them.
            error: What one of them raised, where it is no outcome.
        """
        if self.last is not None:
            self._passages.append(
                ("then", mark(SAME, outcome_texts(self.last.events, self.last.refusal)))
            )
        self._passages.append(("when", mark(SAME, map(repr, dispatched.commands))))
        self.last = dispatched
        if error is not None:
            result = [*map(repr, dispatched.events), f"raised {type(error).__qualname__}: {error}"]
            self._passages.append(("then", mark(SAME, result)))
            self.last = None

    def otherwise(self, miss: Miss) -> str:
        """Something was expected of the last ``when``, and did not come."""
        if self.last is None:
            return page(f"{self.application}: {miss.happened}", self._passages)
        command = type(self.last.commands[-1]).__qualname__
        headline = f"{self.application}: {command} {miss.happened} (- expected, + actual)"
        return page(headline, [*self._passages, *miss.passages])

    def not_caught_up(self, patience_s: float) -> str:
        """Views or processes have not seen the whole log."""
        text = f"the views and processes did not see the whole log within {patience_s:g} s"
        if self.last is None:
            return self.otherwise(Miss(text, ()))
        result: list[Line] = mark(SAME, outcome_texts(self.last.events, self.last.refusal))
        return self.otherwise(Miss("is not seen by all", [("then", [*result, (NOTE, text)])]))


def not_committed(done: Dispatched) -> Miss:
    """A commit was expected, and a refusal came."""
    lines = [(EXPECTED, "committed"), *mark(ACTUAL, outcome_texts(done.events, done.refusal))]
    return Miss("was refused instead of accepted", [("then", lines)])


def elsewhere(
    done: Dispatched,
    what: str,
    expected: object,
    actual: object,
    ignoring: Collection[str] = (),
) -> Miss:
    """Something else than the events, or a state, is not as expected."""
    lines = [(EXPECTED, f"{what}: {text_of(expected)}"), (ACTUAL, f"{what}: {actual!r}")]
    notes = mark(NOTE, differences(expected, actual, ignoring=ignoring))
    result = mark(SAME, outcome_texts(done.events, done.refusal))
    return Miss("led elsewhere than expected", [("then", [*result, *lines, *notes])])


def not_published(events: int, patience_s: float) -> Miss:
    """Events of the log did not come over the bus."""
    text = f"{events} of the events did not come over the bus within {patience_s:g} s"
    return Miss("published too little", [("bus", [(NOTE, text)])])


def unchecked(done: Dispatched) -> Miss:
    """Nobody looked at what came of a command."""
    note = "nothing was said of what came of it; put a then behind each when"
    return Miss(
        "was not looked at",
        [("then", [*mark(SAME, outcome_texts(done.events, done.refusal)), (NOTE, note)])],
    )
