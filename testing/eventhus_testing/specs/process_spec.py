"""Given-when-then specs for processes."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, Self, TypeVar

from attrs import frozen

from eventhus import Command, Process, Rejected, StreamId
from eventhus.ports import ArmedDeadline, Codec
from eventhus_testing.matching.ignoring import check_ignoring
from eventhus_testing.matching.matchers import mask_fields, matches
from eventhus_testing.rules.fold_checker import fold_checker
from eventhus_testing.rules.rules import Rules
from eventhus_testing.specs import history
from eventhus_testing.specs.expectations import compare
from eventhus_testing.specs.folds import (
    Checked,
    FoldSpec,
    other_value,
    story_page,
    value_there,
)
from eventhus_testing.specs.process_story import ProcessRun, ProcessStory, all_armed
from eventhus_testing.specs.recording import begin, go_on, note
from eventhus_testing.texts.page import ACTUAL, EXPECTED, NOTE, Line, mark

E = TypeVar("E")
S = TypeVar("S")

OTHER_STATE = "has another state than expected"


@frozen
class ProcessSpec(FoldSpec[E, ProcessStory[E, S]]):
    """The given events of a process. Made by ``spec``."""

    @classmethod
    def of(cls, process: Process[E, S], rules: Rules, codec: Codec | None) -> ProcessSpec[E, S]:
        """Return a spec without given events."""
        story = ProcessStory(process=process, checker=fold_checker(process, rules, codec))
        return cls(story, begin(story))

    def given_passed(
        self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0
    ) -> Self:
        """Let time pass, and let the armed deadlines be reached whose time comes.

        ``at`` also sets the time, but reaches no deadline, as if the process had been down.

        Raises:
            TypeError: The process takes no ``DeadlineReached``, or the time is not above 0.
            RuleBroken: The process breaks a rule.
        """
        __tracebackhide__ = True
        go_on(self._entry)
        return self._with(self._story.with_time(_time(days, hours, minutes, seconds)).going_on())

    def given_refused(self, command: type[Command] | Command, refusal: type[Rejected]) -> Self:
        """Let a command be refused that the process has sent.

        Args:
            command: Its class, or the command itself. The last such command is refused that was not
                refused before.
            refusal: The class of the refusal.

        Raises:
            TypeError: The process takes no ``CommandRefused``, or has sent no such command.
            RuleBroken: The process breaks a rule.
        """
        __tracebackhide__ = True
        go_on(self._entry)
        return self._with(self._story.with_refusal(command, refusal).going_on())

    def when(self, stream: StreamId | str, *events: E) -> ProcessOutcome[E, S]:
        """Handle these events now.

        Args:
            stream: As for ``given``.
            events: As for ``given``.

        Raises the same errors as ``given``.
        """
        __tracebackhide__ = True
        go_on(self._entry)
        history.check_any(stream, events)
        return self._outcome(self._story.with_events(stream, events))

    def when_passed(
        self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0
    ) -> ProcessOutcome[E, S]:
        """Let time pass now, as ``given_passed`` does, and raise what that does."""
        __tracebackhide__ = True
        go_on(self._entry)
        return self._outcome(self._story.with_time(_time(days, hours, minutes, seconds)))

    def when_refused(
        self, command: type[Command] | Command, refusal: type[Rejected]
    ) -> ProcessOutcome[E, S]:
        """Let a command be refused now, as ``given_refused`` does, and raise what that does."""
        __tracebackhide__ = True
        go_on(self._entry)
        return self._outcome(self._story.with_refusal(command, refusal))

    def _outcome(self, story: ProcessStory[E, S]) -> ProcessOutcome[E, S]:
        return ProcessOutcome(story, note(story))


@frozen
class ProcessOutcome(Checked[ProcessStory[E, S]]):
    """The outcome of a process spec. Made by ``when``; every check returns the outcome."""

    @property
    def commands(self) -> tuple[Command, ...]:
        """Return the sent commands, in order."""
        self._entry.looked_at = True
        return self._story.sent

    @property
    def run(self) -> ProcessRun[S]:
        """Return everything that the process has seen and done, for an invariant."""
        self._entry.looked_at = True
        return self._story.run

    def then_commands(self, *commands: Command, ignoring: Collection[str] = ()) -> Self:
        """Check that the process sent exactly these commands, in this order.

        Args:
            commands: The expected commands. Use ``like`` to compare only some fields.
            ignoring: Names of fields to ignore at every level.

        Raises:
            AssertionError: The process sent other commands.
        """
        __tracebackhide__ = True
        return self._commands("then_commands", commands, ignoring)

    def then_nothing(self) -> Self:
        """Check that the process sent no command, and armed and cancelled no deadline.

        Raises:
            AssertionError: The process did one of them.
        """
        __tracebackhide__ = True
        deadlines = _changes(self._story)
        if deadlines and not self._story.sent:
            lines: list[Line] = [(EXPECTED, "nothing"), *mark(ACTUAL, deadlines)]
            text = story_page(self._story, "armed or cancelled a deadline", lines)
            return self._checked("then_nothing", (), text)
        return self._commands("then_nothing", (), ())

    def then_deadline(
        self,
        name: str,
        *,
        after: timedelta | None = None,
        at: datetime | None = None,
        key: str | None = None,
    ) -> Self:
        """Check that the process armed a deadline.

        Args:
            name: Its name.
            after: The expected time from the event that armed it; ``None`` does not check it.
            at: Its expected time; ``None`` does not check it.
            key: The key whose deadline it is; any by default.

        Raises:
            AssertionError: The process armed no such deadline, or one with another time.
        """
        __tracebackhide__ = True
        text = None
        if not any(
            deadline.name == name
            and key in (None, owner)
            and after in (None, _after(self._story, deadline))
            and at in (None, deadline.due)
            for owner, deadline in self._story.newly_armed
        ):
            time = "" if after is None else f" after {after}"
            time += "" if at is None else f" at {at.isoformat()}"
            whose = "" if key is None else f"{key}: "
            lines: list[Line] = [(EXPECTED, f"{whose}deadline {name!r}{time}")]
            lines += mark(ACTUAL, _changes(self._story) or ["no deadline"])
            text = story_page(self._story, "armed no such deadline", lines)
        return self._checked("then_deadline", (name, after, at, key), text)

    def then_cancelled(self, name: str, *, key: str | None = None) -> Self:
        """Check that the process cancelled an armed deadline.

        Args:
            name: The name of the deadline.
            key: The key whose deadline it is; any by default.

        Raises:
            AssertionError: The process did not cancel it, or it was not armed.
        """
        __tracebackhide__ = True
        text = None
        if not any(each == name and key in (None, of) for of, each in self._story.cancelled):
            whose = "" if key is None else f"{key}: "
            lines: list[Line] = [(EXPECTED, f"{whose}deadline {name!r} cancelled")]
            lines += mark(ACTUAL, _changes(self._story) or ["no deadline"])
            armed = [f"{owner}: {each.name!r}" for owner, each in all_armed(self._story)]
            lines.append((NOTE, f"armed now: {', '.join(armed) or 'none'}"))
            text = story_page(self._story, "cancelled no such deadline", lines)
        return self._checked("then_cancelled", (name, key), text)

    def then_state(self, key: str, state: S, *, ignoring: Collection[str] = ()) -> Self:
        """Check the state of a key.

        Args:
            key: The key.
            state: The expected state. Use ``like`` to compare only some fields.
            ignoring: Names of fields to ignore at every level.

        Raises:
            AssertionError: The state differs, or the key has none.
        """
        __tracebackhide__ = True
        self._entry.looked_at = True
        check_ignoring(ignoring, state, self._story.values.get(key))
        state = mask_fields(state, ignoring)
        states = self._story.values
        text = None
        if key not in states or not matches(state, states[key], ignoring):
            text = other_value(self._story, OTHER_STATE, key, state, ignoring)
        return self._checked("then_state", (key, state), text)

    def then_no_state(self, key: str) -> Self:
        """Check that a key has no state because no event mapped to it.

        Raises:
            AssertionError: The key has a state.
        """
        __tracebackhide__ = True
        text = None
        if key in self._story.values:
            text = value_there(self._story, OTHER_STATE, key)
        return self._checked("then_no_state", (key,), text)

    def and_when(self, stream: StreamId | str, *events: E) -> ProcessOutcome[E, S]:
        """Handle further events.

        Args:
            stream: As for ``ProcessSpec.given``.
            events: As for ``ProcessSpec.given``.

        Raises the same errors as ``ProcessSpec.given``.
        """
        __tracebackhide__ = True
        history.check_any(stream, events)
        return self._next(self._story.going_on().with_events(stream, events))

    def and_when_passed(
        self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0
    ) -> ProcessOutcome[E, S]:
        """Let more time pass, as ``ProcessSpec.given_passed`` does, and raise what that does."""
        __tracebackhide__ = True
        by = _time(days, hours, minutes, seconds)
        return self._next(self._story.going_on().with_time(by))

    def and_when_refused(
        self, command: type[Command] | Command, refusal: type[Rejected]
    ) -> ProcessOutcome[E, S]:
        """Let a command be refused, as ``ProcessSpec.given_refused`` does, and raise the same."""
        __tracebackhide__ = True
        return self._next(self._story.going_on().with_refusal(command, refusal))

    def _next(self, story: ProcessStory[E, S]) -> ProcessOutcome[E, S]:
        return ProcessOutcome(story, note(story, self._entry))

    def _commands(
        self, method: str, commands: tuple[Command, ...], ignoring: Collection[str]
    ) -> Self:
        __tracebackhide__ = True
        self._entry.looked_at = True
        if commands:
            check_ignoring(ignoring, *commands, *self._story.sent)
        commands = mask_fields(commands, ignoring)
        text = None
        if not matches(commands, self._story.sent, ignoring):
            lines = compare(commands, self._story.sent, ignoring)
            text = story_page(self._story, "sent other commands than expected", lines)
        return self._checked(method if commands else "then_nothing", commands, text)


def _time(days: float, hours: float, minutes: float, seconds: float) -> timedelta:
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def _after(story: ProcessStory[Any, Any], deadline: ArmedDeadline) -> timedelta:
    return deadline.due - story.history.events[deadline.position - 1].recorded_at


def _changes(story: ProcessStory[Any, Any]) -> list[str]:
    """Return a line for each deadline that was armed or cancelled during the last ``when``."""
    armed = [
        f"{key}: deadline {each.name!r} after {_after(story, each)} at {each.due.isoformat()}"
        for key, each in story.newly_armed
    ]
    return [*armed, *(f"{key}: deadline {name!r} cancelled" for key, name in story.cancelled)]
