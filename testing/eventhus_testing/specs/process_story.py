"""The story of a process spec: events, commands, deadlines that pass, and refusals."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from itertools import chain
from typing import Any, Generic, Self, TypeVar

from attrs import evolve, field, frozen

from eventhus import (
    Cancel,
    Command,
    CommandRefused,
    DeadlineReached,
    Process,
    Recorded,
    Rejected,
    StreamId,
)
from eventhus.domain.deadlines import Armed, rearmed
from eventhus.domain.process_events import PROCESS_EVENTS, own_stream, without_reached
from eventhus.domain.reaction import Answer
from eventhus.ports import ArmedDeadline
from eventhus_testing.rules.rules import RuleBroken, call_checked
from eventhus_testing.specs import history
from eventhus_testing.specs.folds import FoldStory
from eventhus_testing.values.comparing import same

E = TypeVar("E")
S = TypeVar("S")

MOST = 1000
"""Deadlines that may be reached in one step."""


@frozen
class Sent:
    """A command that a process sent.

    Attributes:
        key: The key of the process.
        command: The command.
        cause: The event that it follows from.
        refusal: The name of its refusal; empty if it was not refused.
    """

    key: str
    command: Command
    cause: Recorded[Any]
    refusal: str = ""


@frozen(kw_only=True)
class ProcessRun(Generic[S]):
    """Everything that a process has seen and done, for invariants.

    Attributes:
        events: The events that the process handled, with reached deadlines and refusals, in order.
        commands: The commands that it sent, in order.
        refused: Those that were refused, in the order of their sending.
        states: The states by key.
        deadlines: The armed deadlines by key, earliest first.
    """

    events: tuple[Recorded[Any], ...]
    commands: tuple[Command, ...]
    refused: tuple[Command, ...]
    states: Mapping[str, S]
    deadlines: Mapping[str, tuple[ArmedDeadline, ...]]


@frozen(kw_only=True)
class ProcessStory(FoldStory[E, S]):
    """The events of a process spec and what the process did because of them.

    Attributes:
        process: The process.
        armed: The armed deadlines by key.
        all_sent: The commands that it sent, in order.
        sent_before: The number of them before the last ``when``.
        newly_armed: The deadlines that it armed during the last ``when``, with their keys.
        cancelled: The names of the deadlines that it cancelled then, with their keys.
        passed: The time that passed then, if it is known.
        names: The names of all deadlines that it has armed so far.
    """

    process: Process[E, S]
    armed: Mapping[str, Armed] = field(factory=dict[str, Armed])
    all_sent: tuple[Sent, ...] = ()
    sent_before: int = 0
    newly_armed: tuple[tuple[str, ArmedDeadline], ...] = ()
    cancelled: tuple[tuple[str, str], ...] = ()
    passed: timedelta | None = None
    names: frozenset[str] = frozenset()

    @property
    def sent(self) -> tuple[Command, ...]:
        """Return the commands sent during the last ``when``, in order."""
        return tuple(each.command for each in self.all_sent[self.sent_before :])

    @property
    def done(self) -> list[str]:
        """See ``FoldStory.done``."""
        return (
            super().done if self.passed is None else [f"time passes: {self.passed}", *super().done]
        )

    @property
    def run(self) -> ProcessRun[S]:
        """Return everything that has happened."""
        return ProcessRun(
            events=self.history.events,
            commands=tuple(each.command for each in self.all_sent),
            refused=tuple(each.command for each in self.all_sent if each.refusal),
            states=self.values,
            deadlines=self.armed,
        )

    def going_on(self) -> Self:
        """Return the story with all its events as given events, and nothing sent or armed."""
        return evolve(
            super().going_on(),
            sent_before=len(self.all_sent),
            newly_armed=(),
            cancelled=(),
            passed=None,
        )

    def with_events(self, stream: StreamId | str, events: Collection[E]) -> Self:
        """See ``FoldStory.with_events``. Events of the process's own come from other steps."""
        __tracebackhide__ = True
        for event in events:
            if type(event) in PROCESS_EVENTS:
                step = "passed" if isinstance(event, DeadlineReached) else "refused"
                raise TypeError(
                    f"{event!r} is not an event of {history.stream_of(stream)}: it comes from the "
                    f"process's own stream; use when_{step}(...) or given_{step}(...)"
                )
        return super().with_events(stream, events)

    def with_time(self, by: timedelta) -> Self:
        """Return the story after some time, with the deadlines reached whose time has come.

        Raises:
            TypeError: The process takes no ``DeadlineReached``, or the time is not above 0.
            RuleBroken: The process breaks a rule, or reaches more than ``MOST`` deadlines.
        """
        __tracebackhide__ = True
        self._check_takes(DeadlineReached, "so time changes nothing for it")
        if by <= timedelta():
            raise TypeError(f"a time above 0 passes, found {by!r}")
        end = self.history.at + by
        story = self
        number = 0
        while (due := story._due(end)) is not None:
            number += 1
            if number > MOST and self.checker.rules.ending:
                raise _endless(by)
            key, deadline = due
            cause = story.history.events[deadline.position - 1]
            story = story.at(max(story.history.at, deadline.due))
            story = story.with_own(key, DeadlineReached(deadline.name), cause)
        return evolve(story.at(end), passed=by)

    def with_refusal(self, command: type[Command] | Command, refusal: type[Rejected]) -> Self:
        """Return the story after the refusal of the last such command that was sent.

        Raises:
            TypeError: The process takes no ``CommandRefused``, or sent no such command.
            RuleBroken: The process breaks a rule.
        """
        __tracebackhide__ = True
        self._check_takes(CommandRefused, "so it never learns of a refusal")
        if not (isinstance(refusal, type) and issubclass(refusal, Rejected)):
            raise TypeError(f"a command is refused with a subclass of Rejected, found {refusal!r}")
        for index in reversed(range(len(self.all_sent))):
            sent = self.all_sent[index]
            if sent.refusal or command not in (type(sent.command), sent.command):
                continue
            refused = evolve(sent, refusal=refusal.__name__)
            all_sent = (*self.all_sent[:index], refused, *self.all_sent[index + 1 :])
            event = CommandRefused(
                type(sent.command).__name__, refusal.__name__, sent.command.aggregate_id
            )
            return evolve(self, all_sent=all_sent).with_own(sent.key, event, sent.cause)
        text = command.__qualname__ if isinstance(command, type) else repr(command)
        raise TypeError(f"{self.process.name} sent no {text} that could be refused")

    def _check_takes(self, cls: type, otherwise: str) -> None:
        __tracebackhide__ = True
        if not self.process.takes(cls):
            raise TypeError(
                f"process {self.process.name} takes no {cls.__name__}, {otherwise}; add it to the "
                f"annotation of react, as in Recorded[X | {cls.__name__}]"
            )

    def _due(self, end: datetime) -> tuple[str, ArmedDeadline] | None:
        """Return the earliest armed deadline, unless that is after a time."""
        armed = [(each, key) for key, own in self.armed.items() for each in own]
        if not armed:
            return None
        first, key = min(armed, key=lambda pair: (pair[0].due, pair[1], pair[0].name))
        return (key, first) if first.due <= end else None

    def at(self, moment: datetime) -> Self:
        """Return the story at another time."""
        return evolve(self, history=evolve(self.history, at=moment))

    def with_own(self, key: str, event: Any, cause: Recorded[Any]) -> Self:
        """Return the story with an event of the stream of a key."""
        __tracebackhide__ = True
        stream = own_stream(self.process.name, key)
        before = self.history
        log = evolve(before, metadata=cause.caused())
        longer = log.with_events(stream, [event])
        with history.adding_story(self.process.name, self, log, stream, [event]):
            story = self._with(key, longer.events[-1])
        return evolve(story, history=evolve(longer, metadata=before.metadata))

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
        self._check_restored(key, story.values[key], recorded, answers)
        before = without_reached(story.armed.get(key, ()), recorded)
        armed = rearmed(before, answers, recorded)
        names = {each.name for each in before}
        cancelled = [
            (key, each.name) for each in answers if isinstance(each, Cancel) and each.name in names
        ]
        new = [(key, each) for each in armed if each.position == recorded.position]
        sent = [Sent(key, each, recorded) for each in answers if isinstance(each, Command)]
        return evolve(
            story,
            armed={**story.armed, key: armed},
            all_sent=(*story.all_sent, *sent),
            newly_armed=(*story.newly_armed, *new),
            names=story.names.union(each.name for _, each in new),
            cancelled=(*story.cancelled, *cancelled),
        )

    def _check_restored(
        self, key: str, state: S, recorded: Recorded[E], answers: tuple[Answer, ...]
    ) -> None:
        """Check that the process would do the same after a crash, with its state as stored."""
        __tracebackhide__ = True
        if not self.checker.rules.stored:
            return
        again = self.process.reacted(key, self.checker.restored(state), recorded)
        if not same(answers, again):
            raise RuleBroken(
                "stored",
                "react answers otherwise with the state that was stored and loaded again, as after "
                "a crash; keep all that it looks at in fields of the state",
                [f"first {_text(answers)}", f"then {_text(again)}"],
            )


def _endless(by: timedelta) -> RuleBroken:
    return RuleBroken(
        "ending",
        f"more than {MOST:,} deadlines were reached within {by}; do not answer each reached "
        f"deadline with another one, or let less time pass",
    )


def _text(answers: tuple[Answer, ...]) -> str:
    return ", ".join(map(repr, answers)) or "nothing"


def all_armed(story: ProcessStory[Any, Any]) -> list[tuple[str, ArmedDeadline]]:
    """Return the deadlines that are armed now, with their keys."""
    return [*chain.from_iterable(((key, each) for each in own) for key, own in story.armed.items())]
