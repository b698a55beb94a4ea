"""What specs of views and of processes have in common: events happen, and are folded by key."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Self, TypeVar

from attrs import evolve, field, frozen

from eventhus import Metadata, Recorded, StreamId
from eventhus_testing.matching.difference import differences
from eventhus_testing.matching.matchers import text_of
from eventhus_testing.rules.fold_checker import FoldChecker
from eventhus_testing.specs import history
from eventhus_testing.specs.failure_texts import missing_when
from eventhus_testing.specs.history import History
from eventhus_testing.specs.recording import Check, Entry
from eventhus_testing.texts.page import ACTUAL, EXPECTED, NOTE, Line, mark, page

E = TypeVar("E")
V = TypeVar("V")


@frozen(kw_only=True)
class FoldStory(Generic[E, V]):
    """What happened, and what a view or a process made of it.

    Attributes:
        checker: Shows it the events.
        history: All events so far.
        given: How many of them had happened before.
        values: The value of each key that has one.
        before: The same, as it was before the last ``when``.
    """

    checker: FoldChecker[E, V] = field(repr=False)
    history: History[E] = field(factory=History)
    given: int = 0
    values: Mapping[str, V] = field(factory=dict[str, V])
    before: Mapping[str, V] = field(factory=dict[str, V])

    @property
    def seen(self) -> tuple[Recorded[E], ...]:
        """The events of the last ``when``."""
        return self.history.events[self.given :]

    def with_events(self, stream: StreamId | str, events: Collection[E]) -> Self:
        """The story with more events.

        Raises:
            TypeError: The view or the process is not shown one of them.
            RuleBroken: It does not keep its rules.
        """
        __tracebackhide__ = True
        subject = self.checker.subject
        history.check_shown(f"{self.checker.kind} {subject.name}", subject.events, events)
        longer = self.history.with_events(stream, events)
        story = self
        with history.adding_story(subject.name, self, self.history, stream, events):
            for recorded in longer.events[len(self.history.events) :]:
                self.checker.check_stored(recorded.event)
                key = self.checker.key(recorded)
                if key is not None:
                    story = story._with(key, recorded)
        return evolve(story, history=longer)

    def going_on(self) -> Self:
        """The story before its next outcome: all of it is given."""
        return evolve(self, given=len(self.history.events), before=self.values)

    def _with(self, key: str, recorded: Recorded[E]) -> Self:
        __tracebackhide__ = True
        return evolve(self, values=self.checker.folded(self.values, key, recorded))


StoryT = TypeVar("StoryT", bound=FoldStory[Any, Any])


@frozen
class WithStory(Generic[StoryT]):
    """What has a story behind it."""

    _story: StoryT


@frozen
class FoldSpec(WithStory[StoryT], Generic[E, StoryT]):
    """What has happened before, to a view or a process."""

    def at(self, moment: datetime) -> Self:
        """Let what follows be recorded at this moment.

        Args:
            moment: Aware.

        Raises:
            TypeError: It is naive.
        """
        return self._with_history(evolve(self._story.history, at=history.aware(moment)))

    def caused_by(self, metadata: Metadata) -> Self:
        """Let what follows carry this metadata."""
        return self._with_history(evolve(self._story.history, metadata=metadata))

    def given(self, stream: StreamId | str, *events: E) -> Self:
        """Let these events have happened to one aggregate, oldest first, after those before.

        Args:
            stream: The aggregate; its id alone where the type does not matter.
            events: What happened to it. What a process sent because of it does not matter.

        Raises:
            TypeError: The view or the process is not shown one of them.
            RuleBroken: It does not keep its rules.
        """
        __tracebackhide__ = True
        return self._with(self._story.with_events(stream, events).going_on())

    def _with_history(self, log: History[Any]) -> Self:
        return self._with(evolve(self._story, history=log))

    def _with(self, story: StoryT) -> Self:
        return evolve(self, story=story)

    if not TYPE_CHECKING:  # as for Spec

        def __getattr__(self, name: str) -> NoReturn:
            raise AttributeError(missing_when(name))


@frozen
class Checked(WithStory[StoryT]):
    """What can be checked, each time in an entry of the notebook."""

    _entry: Entry

    def _checked(self, method: str, arguments: tuple[object, ...], failure: str | None) -> Self:
        __tracebackhide__ = True
        self._entry.checks.append(Check(method, arguments, failure))
        if failure is not None:
            raise AssertionError(failure)
        return self


AnyFoldStory = FoldStory[Any, Any]


def other_value(
    story: AnyFoldStory, happened: str, key: str, expected: object, ignoring: Collection[str] = ()
) -> str:
    """A value was expected, and another or none is there.

    Args:
        story: The story.
        happened: What is wrong, in the headline.
        key: The key.
        expected: As for ``matches``.
        ignoring: As for ``matches``.
    """
    lines: list[Line] = [(EXPECTED, f"{key}: {text_of(expected)}"), (ACTUAL, found(story, key))]
    if key in story.values:
        notes = differences(expected, story.values[key], ignoring=ignoring)
        lines += mark(NOTE, notes)
    else:
        lines.append(no_value_of(story, key, story.values))
    return story_page(story, happened, lines)


def value_there(story: AnyFoldStory, happened: str, key: str) -> str:
    """No value was expected, and one is there.

    Args:
        story: The story.
        happened: As for ``other_value``.
        key: The key.
    """
    none = (EXPECTED, f"{key}: no {story.checker.word}")
    return story_page(story, happened, [none, (ACTUAL, found(story, key))])


def found(story: AnyFoldStory, key: str) -> str:
    """What a key has now, for people."""
    has = repr(story.values[key]) if key in story.values else f"no {story.checker.word}"
    return f"{key}: {has}"


def no_value_of(story: AnyFoldStory, key: str, others: Iterable[str]) -> Line:
    """That a key has no value, and which have one: it may be misspelt, or be meant to have none."""
    word = story.checker.word
    keys = ", ".join(map(repr, others))
    there_are = f"there are {word}s of {keys}" if keys else f"there is no {word} at all"
    then = {"value": "then_no_view", "state": "then_no_state"}[word]
    return (NOTE, f"{there_are}; where none is meant, write .{then}({key!r})")


def story_page(story: AnyFoldStory, happened: str, then: Collection[Line]) -> str:
    """The whole text of a failure: a headline, the story, and what came of it."""
    passages = [history.passage("given", story.history.events[: story.given])]
    if story.seen:
        passages.append(history.passage("when", story.seen))
    passages.append(("then", [*then]))
    subject = story.checker.subject
    headline = f"{subject.name}: the {story.checker.kind} {happened}"
    return page(f"{headline} (- expected, + actual)", passages)
