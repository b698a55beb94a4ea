"""The steps of a random history of a process, and how a spec writes them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, TypeAlias, assert_never

from attrs import frozen

from eventhus import Command, Rejected
from eventhus_testing.matching.excerpts import wrapped
from eventhus_testing.python_source.imports import Imports
from eventhus_testing.python_source.layout import Brackets, Item
from eventhus_testing.python_source.values import quoted, source_of
from eventhus_testing.specs.process_story import ProcessStory

AnyStory: TypeAlias = ProcessStory[Any, Any]


@frozen
class Happens:
    """An event happens."""

    stream: str
    event: Any

    def after(self, story: AnyStory) -> AnyStory:
        """Return the story after the step."""
        return story.with_events(self.stream, [self.event])

    def __str__(self) -> str:
        return f"{self.stream}: {wrapped(self.event)}"

    def link(self, verb: str, imports: Imports) -> Brackets:
        """Return the call of a spec, such as ``.given("o1", OrderPlaced())``."""
        items = [Item("", quoted(self.stream)), Item("", source_of(self.event, imports))]
        return Brackets(f".{verb}(", items, ")")


@frozen
class Passes:
    """Time passes, and the process reaches its deadlines."""

    by: timedelta

    def after(self, story: AnyStory) -> AnyStory:
        """Return the story after the step."""
        return story.with_time(self.by)

    def __str__(self) -> str:
        return f"time passes: {self.by}"

    def link(self, verb: str, imports: Imports) -> Brackets:  # noqa: ARG002 - as the others
        """Return the call of a spec, such as ``.given_passed(minutes=30)``."""
        minutes, seconds = divmod(self.by.seconds, 60)
        parts: dict[str, float] = {
            "days": self.by.days,
            "hours": minutes // 60,
            "minutes": minutes % 60,
            "seconds": seconds + self.by.microseconds / 1_000_000,
        }
        items = [Item(f"{name}=", f"{value:.12g}") for name, value in parts.items() if value]
        return Brackets(f".{verb}_passed(", items, ")")


@frozen
class Down:
    """Time passes while the process is down, so that it reaches no deadline."""

    until: datetime

    def after(self, story: AnyStory) -> AnyStory:
        """Return the story after the step."""
        return story.at(self.until)

    def __str__(self) -> str:
        return f"the process is down until {self.until.isoformat()}"

    def link(self, verb: str, imports: Imports) -> Brackets:  # noqa: ARG002 - as the others
        """Return the call of a spec, such as ``.at(datetime(2026, 1, 1, tzinfo=UTC))``."""
        return Brackets(".at(", [Item("", source_of(self.until, imports))], ")")


@frozen
class Refused:
    """A command of the process is refused."""

    command: Command
    refusal: type[Rejected]

    def after(self, story: AnyStory) -> AnyStory:
        """Return the story after the step."""
        return story.with_refusal(self.command, self.refusal)

    def __str__(self) -> str:
        return f"{wrapped(self.command)} is refused with {self.refusal.__qualname__}"

    def link(self, verb: str, imports: Imports) -> Brackets:
        """Return the call of a spec, such as ``.given_refused(ShipOrder(...), OutOfStock)``."""
        items = [Item("", source_of(each, imports)) for each in (self.command, self.refusal)]
        return Brackets(f".{verb}_refused(", items, ")")


Step: TypeAlias = Happens | Passes | Down | Refused


@frozen
class Wait:
    """A drawn step: time passes.

    Attributes:
        by: The time; ``None`` for the time until the next deadline, if one is armed.
        early: True to stop shortly before that.
        is_down: True if the process is down meanwhile.
    """

    by: timedelta | None
    early: bool = False
    is_down: bool = False

    def resolved(self, story: AnyStory) -> Step | None:
        """Return the step, given what has happened; ``None`` for none."""
        by = self.by
        if by is None:
            due = min((each.due for own in story.armed.values() for each in own), default=None)
            by = timedelta() if due is None else due - story.history.at
        if self.early:
            by -= timedelta(milliseconds=1)
        if by <= timedelta():
            return None
        return Down(story.history.at + by) if self.is_down else Passes(by)


@frozen
class Refuse:
    """A drawn step: a command is refused.

    Attributes:
        number: Chooses one of those that were sent and not refused, the last one with 0.
        refusal: The class of the refusal.
    """

    number: int
    refusal: type[Rejected]

    def resolved(self, story: AnyStory) -> Step | None:
        """Return the step, given what has happened; ``None`` for none."""
        sent = [each.command for each in story.all_sent if not each.refusal]
        return Refused(sent[-1 - self.number % len(sent)], self.refusal) if sent else None


Drawn: TypeAlias = Happens | Wait | Refuse


def resolved(drawn: Drawn, story: AnyStory) -> Step | None:
    """Return a drawn step as it is after a story; ``None`` if it does nothing there."""
    match drawn:
        case Happens():
            return drawn
        case Wait() | Refuse():
            return drawn.resolved(story)
        case _:
            assert_never(drawn)
