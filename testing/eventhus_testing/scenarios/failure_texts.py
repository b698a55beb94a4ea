"""Failure texts of scenarios."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any

from attrs import define, field, frozen

from eventhus import Command, Committed, Rejected, StreamId
from eventhus_testing.matching.difference import differences
from eventhus_testing.matching.excerpts import excerpts, wrapped
from eventhus_testing.specs.expectations import Miss, outcome_texts
from eventhus_testing.texts.page import ACTUAL, EXPECTED, NOTE, SAME, Line, Passage, mark, page


@frozen(kw_only=True)
class Dispatched:
    """The commands of one ``when`` and their outcome.

    Attributes:
        commands: The commands; none if time passed.
        commits: The commits of the accepted commands, in order.
        refusal: The refusal of the last dispatched command, or ``None``.
        after: The head of the log before the commands.
        passed: The time that passed.
    """

    commands: Sequence[Command]
    commits: Sequence[Committed]
    refusal: Rejected | None
    after: int
    passed: timedelta = timedelta()

    @property
    def name(self) -> str:
        """Return what has happened, in a word or two."""
        return type(self.commands[-1]).__qualname__ if self.commands else f"time ({self.passed})"

    @property
    def causes(self) -> Sequence[Command]:
        """Return the commands that were dispatched, up to the first refused one."""
        return self.commands[: len(self.commits) + (self.refusal is not None)]

    @property
    def events(self) -> tuple[Any, ...]:
        """Return the events that the commands produced, in order."""
        return tuple(recorded.event for each in self.commits for recorded in each.events)

    @property
    def outcome(self) -> list[Line]:
        """Return the events and the refusal of the commands, as lines; none if time passed."""
        texts = outcome_texts(self.events, self.refusal) if self.commands else ()
        return mark(SAME, texts)


@define
class ScenarioLog:
    """The steps of a scenario so far, for failure texts.

    Attributes:
        application: The bucket of the application.
        last: The last ``when``; ``None`` before the first one, or if it raised an error other than
            a refusal.
    """

    application: str
    last: Dispatched | None = None
    _passages: list[Passage] = field(factory=list)
    _end_of_last: int = 0  # the place after the last ``when``

    def given(self, stream: StreamId, events: Sequence[object]) -> None:
        """Record given events."""
        self._passages.append(
            ("given", mark(SAME, (f"{stream}: {wrapped(event)}" for event in events)))
        )

    def given_time(self, by: timedelta) -> None:
        """Record time that passed before the next step."""
        self._passages.append(("given", mark(SAME, [f"time passes: {by}"])))

    def when(self, dispatched: Dispatched, error: Exception | None = None) -> None:
        """Record dispatched commands.

        Args:
            dispatched: The commands and their outcome.
            error: The error of the last command, if it is not a refusal.
        """
        if self.last is not None and self.last.outcome:
            # Before what was given since then.
            self._passages.insert(self._end_of_last, ("then", self.last.outcome))
        when = [*map(wrapped, dispatched.commands)] or [f"time passes: {dispatched.passed}"]
        self._passages.append(("when", mark(SAME, when)))
        self._end_of_last = len(self._passages)
        self.last = dispatched
        if error is not None:
            result = [
                *map(wrapped, dispatched.events),
                f"raised {type(error).__qualname__}: {error}",
            ]
            self._passages.append(("then", mark(SAME, result)))
            self.last = None

    def otherwise(self, miss: Miss) -> str:
        """Return the text of a failed check of the last ``when``."""
        if self.last is None:
            return page(f"{self.application}: {miss.happened}", self._passages)
        headline = f"{self.application}: {self.last.name} {miss.happened} (- expected, + actual)"
        return page(headline, [*self._passages, *miss.passages])

    def not_caught_up(self, patience_s: float) -> str:
        """Return the text for views, processes or handlers that did not catch up in time."""
        late = "the views, processes and handlers did not catch up with the log"
        text = f"{late} within {patience_s:g} s"
        if self.last is None:
            return self.otherwise(Miss(text, ()))
        passages = [("then", [*self.last.outcome, (NOTE, text)])]
        return self.otherwise(Miss("was not processed in time", passages))


def not_committed(done: Dispatched) -> Miss:
    """Describe a refusal where a commit was expected."""
    lines = [(EXPECTED, "committed"), *mark(ACTUAL, outcome_texts(done.events, done.refusal))]
    return Miss("was refused instead of accepted", [("then", lines)])


def other_effect(
    done: Dispatched,
    what: str,
    expected: object,
    actual: object,
    ignoring: Collection[str] = (),
) -> Miss:
    """Describe an unexpected value, such as the version, the metadata or a view."""
    wanted, found = excerpts(expected, actual, ignoring)
    lines = [(EXPECTED, f"{what}: {wanted}"), (ACTUAL, f"{what}: {found}")]
    notes = mark(NOTE, differences(expected, actual, ignoring=ignoring))
    return Miss("had another effect than expected", [("then", [*done.outcome, *lines, *notes])])


def not_published(events: int, patience_s: float) -> Miss:
    """Describe events of the log that did not arrive on the bus."""
    plural = "" if events == 1 else "s"
    text = f"{events} event{plural} did not arrive on the bus within {patience_s:g} s"
    return Miss("published fewer events than expected", [("bus", [(NOTE, text)])])


def unchecked(done: Dispatched) -> Miss:
    """Describe a ``when`` whose outcome was not checked."""
    note = "nothing checked the outcome of this when; add a then after each when"
    return Miss("was not checked", [("then", [*done.outcome, (NOTE, note)])])
