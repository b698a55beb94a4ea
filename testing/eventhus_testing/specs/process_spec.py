"""Given-when-then specs for processes."""

from __future__ import annotations

from collections.abc import Collection
from typing import Self, TypeVar

from attrs import evolve, frozen

from eventhus import Command, Process, Recorded, StreamId
from eventhus.ports import Codec
from eventhus_testing.matching.ignoring import check_ignoring
from eventhus_testing.matching.matchers import mask_fields, matches
from eventhus_testing.rules.fold_checker import fold_checker
from eventhus_testing.rules.rules import Rules, call_checked
from eventhus_testing.specs import history
from eventhus_testing.specs.expectations import compare
from eventhus_testing.specs.folds import (
    Checked,
    FoldSpec,
    FoldStory,
    other_value,
    story_page,
    value_there,
)
from eventhus_testing.specs.recording import begin, go_on, note

E = TypeVar("E")
S = TypeVar("S")

OTHER_STATE = "has another state than expected"


@frozen(kw_only=True)
class ProcessStory(FoldStory[E, S]):
    """The events of a process spec and the commands that the process sent.

    Attributes:
        process: The process.
        sent: The commands sent during the last ``when``, in order.
    """

    process: Process[E, S]
    sent: tuple[Command, ...] = ()

    def going_on(self) -> Self:
        """Return the story with all its events as given events, and no sent commands."""
        return evolve(super().going_on(), sent=())

    def _with(self, key: str, recorded: Recorded[E]) -> Self:
        __tracebackhide__ = True
        story = super()._with(key, recorded)
        answers = call_checked(
            self.checker.rules,
            "react",
            lambda state, event: self.process.reacted(key, state, evolve(recorded, event=event)),
            state=story.values[key],
            event=recorded.event,
        )
        commands = [each for each in answers if isinstance(each, Command)]
        return evolve(story, sent=(*self.sent, *commands))


@frozen
class ProcessSpec(FoldSpec[E, ProcessStory[E, S]]):
    """The given events of a process. Made by ``spec``."""

    @classmethod
    def of(cls, process: Process[E, S], rules: Rules, codec: Codec | None) -> ProcessSpec[E, S]:
        """Return a spec without given events."""
        story = ProcessStory(process=process, checker=fold_checker(process, rules, codec))
        return cls(story, begin(story))

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
        story = self._story.with_events(stream, events)
        return ProcessOutcome(story, note(story))


@frozen
class ProcessOutcome(Checked[ProcessStory[E, S]]):
    """The outcome of a process spec. Made by ``when``; every check returns the outcome."""

    @property
    def commands(self) -> tuple[Command, ...]:
        """Return the sent commands, in order."""
        self._entry.looked_at = True
        return self._story.sent

    def then_commands(self, *commands: Command, ignoring: Collection[str] = ()) -> Self:
        """Check that the process sent exactly these commands, in this order.

        Args:
            commands: The expected commands. Use ``like`` to compare only some fields.
            ignoring: Names of fields to ignore at every level.

        Raises:
            AssertionError: The process sent other commands.
        """
        __tracebackhide__ = True
        self._entry.looked_at = True
        if commands:
            check_ignoring(ignoring, *commands, *self._story.sent)
        commands = mask_fields(commands, ignoring)
        text = None
        if not matches(commands, self._story.sent, ignoring):
            lines = compare(commands, self._story.sent, ignoring)
            text = story_page(self._story, "sent other commands than expected", lines)
        return self._checked("then_commands" if commands else "then_nothing", commands, text)

    def then_nothing(self) -> Self:
        """Check that the process sent no command.

        Raises:
            AssertionError: The process sent a command.
        """
        __tracebackhide__ = True
        return self.then_commands()

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
        story = self._story.going_on().with_events(stream, events)
        return ProcessOutcome(story, note(story, self._entry))
