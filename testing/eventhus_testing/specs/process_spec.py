"""Given-when-then for processes: events happen, and commands are sent."""

from __future__ import annotations

from collections.abc import Collection
from typing import Self, TypeVar

from attrs import evolve, frozen

from eventhus import Command, Process, Recorded, StreamId
from eventhus.ports import Codec
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
from eventhus_testing.specs.recording import note

E = TypeVar("E")
S = TypeVar("S")

OTHER_STATE = "came to another state than expected"


@frozen(kw_only=True)
class ProcessStory(FoldStory[E, S]):
    """What happened, and what a process sent because of it.

    Attributes:
        process: The process.
        sent: The commands of the last ``when``, in order.
    """

    process: Process[E, S]
    sent: tuple[Command, ...] = ()

    def going_on(self) -> Self:
        """The story before its next outcome: nothing was sent because of that yet."""
        return evolve(super().going_on(), sent=())

    def _with(self, key: str, recorded: Recorded[E]) -> Self:
        __tracebackhide__ = True
        story = super()._with(key, recorded)
        commands = call_checked(
            self.checker.rules,
            "react",
            lambda state, event: self.process.reacted(state, evolve(recorded, event=event)),
            state=story.values[key],
            event=recorded.event,
        )
        return evolve(story, sent=(*self.sent, *commands))


@frozen
class ProcessSpec(FoldSpec[E, ProcessStory[E, S]]):
    """What has happened before. Made by ``spec``."""

    @classmethod
    def of(cls, process: Process[E, S], rules: Rules, codec: Codec | None) -> ProcessSpec[E, S]:
        """Start to specify a process."""
        return cls(ProcessStory(process=process, checker=fold_checker(process, rules, codec)))

    def when(self, stream: StreamId | str, *events: E) -> ProcessOutcome[E, S]:
        """Let these events happen now.

        Args:
            stream: As for ``given``.
            events: As for ``given``.

        Raises what ``given`` does.
        """
        __tracebackhide__ = True
        history.check_any(stream, events)
        story = self._story.with_events(stream, events)
        return ProcessOutcome(story, note(story))


@frozen
class ProcessOutcome(Checked[ProcessStory[E, S]]):
    """What a process did about some events. Made by ``when``; every check returns it again."""

    @property
    def commands(self) -> tuple[Command, ...]:
        """What was sent, in order."""
        self._entry.looked_at = True
        return self._story.sent

    def then_commands(self, *commands: Command, ignoring: Collection[str] = ()) -> Self:
        """Exactly these commands must have been sent, in this order.

        Args:
            commands: The commands; ``like`` stands for one of which only some fields matter.
            ignoring: The names of fields that do not count.

        Raises:
            AssertionError: Others were.
        """
        __tracebackhide__ = True
        commands = mask_fields(commands, ignoring)
        text = None
        if not matches(commands, self._story.sent, ignoring):
            lines = compare(commands, self._story.sent, ignoring)
            text = story_page(self._story, "sent other commands than expected", lines)
        return self._checked("then_commands" if commands else "then_nothing", commands, text)

    def then_nothing(self) -> Self:
        """No command must have been sent.

        Raises:
            AssertionError: One was.
        """
        __tracebackhide__ = True
        return self.then_commands()

    def then_state(self, key: str, state: S, *, ignoring: Collection[str] = ()) -> Self:
        """The state of a key must now equal this one.

        Args:
            key: The key.
            state: The state; ``like`` stands for one of which only some fields matter.
            ignoring: The names of fields that do not count.

        Raises:
            AssertionError: It does not, or no event has concerned the key.
        """
        __tracebackhide__ = True
        state = mask_fields(state, ignoring)
        states = self._story.values
        text = None
        if key not in states or not matches(state, states[key], ignoring):
            text = other_value(self._story, OTHER_STATE, key, state, ignoring)
        return self._checked("then_state", (key, state), text)

    def then_no_state(self, key: str) -> Self:
        """The key must have no state: no event has concerned it.

        Raises:
            AssertionError: One has.
        """
        __tracebackhide__ = True
        text = None
        if key in self._story.values:
            text = value_there(self._story, OTHER_STATE, key)
        return self._checked("then_no_state", (key,), text)

    def and_when(self, stream: StreamId | str, *events: E) -> ProcessOutcome[E, S]:
        """Let further events happen.

        Args:
            stream: As for ``ProcessSpec.given``.
            events: As for ``ProcessSpec.given``.

        Raises what ``ProcessSpec.given`` does.
        """
        __tracebackhide__ = True
        history.check_any(stream, events)
        story = self._story.going_on().with_events(stream, events)
        return ProcessOutcome(story, note(story, self._entry))
