"""Given-when-then for processes: events happen, and commands are sent."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

from attrs import evolve, field, frozen

from eventhus import Command, Metadata, Process, Recorded, StreamId
from eventhus.ports import Codec
from eventhus_testing import history
from eventhus_testing.comparing import before_it_changes, own, same
from eventhus_testing.difference import differences
from eventhus_testing.failures import compare, missing_when
from eventhus_testing.history import History
from eventhus_testing.matching import agrees, left_open, text_of
from eventhus_testing.notebook import Check, Entry, note
from eventhus_testing.page import ACTUAL, EXPECTED, NOTE, Line, mark, page
from eventhus_testing.rules import (
    Coders,
    RuleBroken,
    Rules,
    check_round_trip,
    check_unchanged,
    coders,
)

E = TypeVar("E")
S = TypeVar("S")


@frozen(kw_only=True)
class ProcessStory(Generic[E, S]):
    """What happened, and what a process sent because of it.

    Attributes:
        process: The process.
        history: All events so far.
        given: How many of them had happened before.
        states: The state of each key that had an event.
        sent: The commands of the last ``when``, in order.
    """

    process: Process[E, S]
    rules: Rules = field(repr=False)
    coders: Coders | None = field(repr=False)
    history: History[E] = field(factory=History)
    given: int = 0
    states: Mapping[str, S] = field(factory=dict[str, S])
    sent: tuple[Command, ...] = ()

    @property
    def seen(self) -> tuple[Recorded[E], ...]:
        """The events of the last ``when``."""
        return self.history.events[self.given :]

    def with_events(self, stream: StreamId | str, events: Collection[E]) -> ProcessStory[E, S]:
        """The story with more events.

        Raises:
            TypeError: The process is not shown one of them.
            RuleBroken: The process does not keep its rules.
        """
        __tracebackhide__ = True
        history.check_shown(f"process {self.process.name}", self.process.events, events)
        longer = self.history.with_events(stream, events)
        states = dict(self.states)
        sent: list[Command] = []
        with history.told(self.process.name, self, self.history, stream, events):
            for recorded in longer.events[len(self.history.events) :]:
                key = self.process.key(recorded)
                if key is None:
                    continue
                states[key] = self._next(states.get(key, own(self.process.initial)), recorded)
                sent += self._reaction(states[key], recorded)
        return evolve(self, history=longer, states=states, sent=tuple(sent))

    def _next(self, state: S, recorded: Recorded[E]) -> S:
        __tracebackhide__ = True
        state_before = before_it_changes(state) if self.rules.unchanged else None
        event_before = before_it_changes(recorded.event) if self.rules.unchanged else None
        after = self.process.evolve(state, recorded)
        check_unchanged("evolve", "state", state_before, state)
        check_unchanged("evolve", "event", event_before, recorded.event)
        if self.rules.repeatable and not same(after, again := self.process.evolve(state, recorded)):
            raise RuleBroken(
                "repeatable",
                "evolve gave two states for the same event; take what it depends on from the event",
                differences(after, again, words=("first", "then"))
                or [f"first {after!r}", f"then {again!r}"],
            )
        if self.coders is not None:
            encode, decode = self.coders
            check_round_trip("stored", after, lambda s: decode(encode(s)))
        return after

    def _reaction(self, state: S, recorded: Recorded[E]) -> tuple[Command, ...]:
        __tracebackhide__ = True
        state_before = before_it_changes(state) if self.rules.unchanged else None
        event_before = before_it_changes(recorded.event) if self.rules.unchanged else None
        commands = self.process.reacted(state, recorded)
        check_unchanged("react", "state", state_before, state)
        check_unchanged("react", "event", event_before, recorded.event)
        if self.rules.repeatable:
            again = self.process.reacted(state, recorded)
            if not same(commands, again):
                raise RuleBroken(
                    "repeatable",
                    "react gave two answers to the same event; take what it depends on from the "
                    "event",
                    [f"first {_texts(commands)}", f"then {_texts(again)}"],
                )
        return commands


def _texts(commands: Collection[Command]) -> str:
    return ", ".join(map(repr, commands)) or "nothing"


@frozen
class ProcessSpec(Generic[E, S]):
    """What has happened before. Made by ``spec``."""

    _story: ProcessStory[E, S]

    @classmethod
    def of(cls, process: Process[E, S], rules: Rules, codec: Codec | None) -> ProcessSpec[E, S]:
        """Start to specify a process."""
        return cls(
            ProcessStory(
                process=process,
                rules=rules,
                coders=coders("stored", process.name, process.state_type, codec)
                if rules.stored
                else None,
            )
        )

    def at(self, moment: datetime) -> ProcessSpec[E, S]:
        """Let what follows be recorded at this moment.

        Args:
            moment: Aware.

        Raises:
            TypeError: It is naive.
        """
        return ProcessSpec(
            evolve(self._story, history=evolve(self._story.history, at=history.aware(moment)))
        )

    def caused_by(self, metadata: Metadata) -> ProcessSpec[E, S]:
        """Let what follows carry this metadata."""
        log = evolve(self._story.history, metadata=metadata)
        return ProcessSpec(evolve(self._story, history=log))

    def given(self, stream: StreamId | str, *events: E) -> ProcessSpec[E, S]:
        """Let these events have happened to one aggregate; what was sent for them does not matter.

        Args:
            stream: The aggregate; its id alone where the type does not matter.
            events: What happened to it, oldest first, after what happened before.

        Raises:
            TypeError: The process is not shown one of them.
            RuleBroken: The process does not keep its rules.
        """
        __tracebackhide__ = True
        story = self._story.with_events(stream, events)
        return ProcessSpec(evolve(story, given=len(story.history.events), sent=()))

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

    if not TYPE_CHECKING:  # as for Spec

        def __getattr__(self, name: str) -> NoReturn:
            raise AttributeError(missing_when(name))


@frozen
class ProcessOutcome(Generic[E, S]):
    """What a process did about some events. Made by ``when``; every check returns it again."""

    _story: ProcessStory[E, S]
    _entry: Entry

    @property
    def commands(self) -> tuple[Command, ...]:
        """What was sent, in order."""
        self._entry.looked_at = True
        return self._story.sent

    def then_commands(
        self, *commands: Command, ignoring: Collection[str] = ()
    ) -> ProcessOutcome[E, S]:
        """Exactly these commands must have been sent, in this order.

        Args:
            commands: The commands; ``like`` stands for one of which only some fields matter.
            ignoring: The names of fields that do not count.

        Raises:
            AssertionError: Others were.
        """
        __tracebackhide__ = True
        commands = left_open(commands, ignoring)
        text = None
        if not agrees(commands, self._story.sent, ignoring):
            lines = compare(commands, self._story.sent, ignoring)
            text = _page(self._story, "sent other commands than expected", lines)
        return self._checked("then_commands" if commands else "then_nothing", commands, text)

    def then_nothing(self) -> ProcessOutcome[E, S]:
        """No command must have been sent.

        Raises:
            AssertionError: One was.
        """
        __tracebackhide__ = True
        return self.then_commands()

    def then_state(
        self, key: str, state: S, *, ignoring: Collection[str] = ()
    ) -> ProcessOutcome[E, S]:
        """The state of a key must now equal this one.

        Args:
            key: The key.
            state: The state; ``like`` stands for one of which only some fields matter.
            ignoring: The names of fields that do not count.

        Raises:
            AssertionError: It does not.
        """
        __tracebackhide__ = True
        state = left_open(state, ignoring)
        actual = self._story.states.get(key, self._story.process.initial)
        text = None
        if not agrees(state, actual, ignoring):
            lines: list[Line] = [
                (EXPECTED, f"{key}: {text_of(state)}"),
                (ACTUAL, f"{key}: {actual!r}"),
                *mark(NOTE, differences(state, actual, ignoring=ignoring)),
            ]
            text = _page(self._story, "came to another state than expected", lines)
        return self._checked("then_state", (key, state), text)

    def and_when(self, stream: StreamId | str, *events: E) -> ProcessOutcome[E, S]:
        """Let further events happen.

        Args:
            stream: As for ``ProcessSpec.given``.
            events: As for ``ProcessSpec.given``.

        Raises what ``ProcessSpec.given`` does.
        """
        __tracebackhide__ = True
        history.check_any(stream, events)
        before = evolve(self._story, given=len(self._story.history.events), sent=())
        story = before.with_events(stream, events)
        return ProcessOutcome(story, note(story, self._entry))

    def _checked(
        self, method: str, arguments: tuple[object, ...], failure: str | None
    ) -> ProcessOutcome[E, S]:
        __tracebackhide__ = True
        self._entry.checks.append(Check(method, arguments, failure))
        if failure is not None:
            raise AssertionError(failure)
        return self


AnyStory = ProcessStory[Any, Any]


def _page(story: AnyStory, happened: str, then: Collection[Line]) -> str:
    return page(
        f"{story.process.name}: the process {happened} (- expected, + actual)",
        [
            history.passage("given", story.history.events[: story.given]),
            history.passage("when", story.seen),
            ("then", [*then]),
        ],
    )
