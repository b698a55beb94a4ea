"""Describes the deadlines and refusals of processes in words."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from eventhus import CommandRefused, DeadlineReached, Recorded
from eventhus_testing.reports.model import Clause, CommandOutcome, Term
from eventhus_testing.reports.words import Phrase, in_words, one_line, words
from eventhus_testing.specs.process_story import ProcessStory
from eventhus_testing.specs.recording import Check

AnyStory = ProcessStory[Any, Any]


def armed_in(story: AnyStory) -> Iterator[Term]:
    """Yield the deadlines that the process of a story has armed."""
    yield from map(deadline_of, story.names)


def reached_in(story: AnyStory) -> Iterator[CommandOutcome]:
    """Yield the deadlines that were reached, as events without a command."""
    for recorded in story.history.events:
        if isinstance(recorded.event, DeadlineReached):
            yield CommandOutcome(None, event=deadline_of(recorded.event.name))


def deadline_of(name: str) -> Term:
    """Describe a deadline."""
    return Term(f"deadline.{name}", one_line(f"Deadline {in_words(name)}"))


def passed(by: timedelta) -> Phrase:
    """Describe time that passes."""
    return Phrase(f"time passes: {in_words(by)}")


def own_event(recorded: Recorded[Any]) -> Phrase | None:
    """Describe an event of the process's own stream; ``None`` for another event."""
    key = one_line(recorded.stream.aggregate_id)
    match recorded.event:
        case DeadlineReached(name):
            return Phrase(f"{deadline_of(name).name} is reached", (), key, "event")
        case CommandRefused(command, refusal):
            return Phrase(f"{words(command)} is refused", ((words(refusal), ""),), key, "refusal")
        case _:
            return None


def changes(story: AnyStory) -> Iterator[Phrase]:
    """Yield the deadlines that were armed and cancelled during the last ``when``."""
    yield from (_armed(each.name, key) for key, each in story.newly_armed)
    yield from (_cancelled(name, key) for key, name in story.cancelled)


def then_deadline(_: Any, check: Check) -> Iterator[Clause]:
    """Describe a check that a deadline was armed."""
    name, after, at, key = check.arguments
    times = [] if after is None else [f"after {in_words(after)}"]
    times += [] if at is None else [f"at {in_words(at)}"]
    yield Clause("then", (_armed(str(name), str(key or ""), ", ".join(times)),))


def then_cancelled(_: Any, check: Check) -> Iterator[Clause]:
    """Describe a check that a deadline was cancelled."""
    name, key = check.arguments
    yield Clause("then", (_cancelled(str(name), str(key or "")),))


def _armed(name: str, key: str = "", time: str = "") -> Phrase:
    fields = ((time, ""),) if time else ()
    return Phrase(f"{deadline_of(name).name} is armed", fields, one_line(key), "event")


def _cancelled(name: str, key: str = "") -> Phrase:
    return Phrase(f"{deadline_of(name).name} is cancelled", (), one_line(key), "event")
