"""The common base of view specs and process specs: a fold of events by key."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Self, TypeVar

from attrs import evolve, field, frozen

from eventhus import Metadata, Recorded, StreamId
from eventhus_testing.matching.difference import differences
from eventhus_testing.matching.excerpts import excerpts, wrapped, wrapped_expectation
from eventhus_testing.rules.fold_checker import FoldChecker
from eventhus_testing.specs import history
from eventhus_testing.specs.failure_texts import missing_when
from eventhus_testing.specs.history import History
from eventhus_testing.specs.recording import Check, Entry, begin, go_on
from eventhus_testing.texts.page import ACTUAL, EXPECTED, NOTE, SAME, Line, mark, page

E = TypeVar("E")
V = TypeVar("V")


@frozen(kw_only=True)
class FoldStory(Generic[E, V]):
    """The events of a spec and the values that a view or a process folded from them.

    Attributes:
        checker: Passes the events to the view or the process.
        history: All events so far.
        given: The number of events before the last ``when``.
        values: The current values by key.
        before: The values by key before the last ``when``.
    """

    checker: FoldChecker[E, V] = field(repr=False)
    history: History[E] = field(factory=History)
    given: int = 0
    values: Mapping[str, V] = field(factory=dict[str, V])
    before: Mapping[str, V] = field(factory=dict[str, V])

    @property
    def seen(self) -> tuple[Recorded[E], ...]:
        """Return the events of the last ``when``."""
        return self.history.events[self.given :]

    @property
    def done(self) -> list[str]:
        """Return what happened in the last ``when``, in words."""
        return [history.text(recorded) for recorded in self.seen]

    def with_events(self, stream: StreamId | str, events: Collection[E]) -> Self:
        """Return the story with more events.

        Raises:
            TypeError: The view or the process does not handle one of the events.
            RuleBroken: The view or the process breaks a rule.
        """
        __tracebackhide__ = True
        subject = self.checker.subject
        history.check_handled(f"{self.checker.kind} {subject.name}", subject.events, events)
        longer = self.history.with_events(stream, events)
        story = self
        with history.adding_story(subject.name, self, self.history, stream, events):
            for recorded in longer.events[len(self.history.events) :]:
                self.checker.check_stored(recorded.event)
                for key in self.checker.keys(recorded):
                    story = story._with(key, recorded)
        return evolve(story, history=longer)

    def going_on(self) -> Self:
        """Return the story with all its events as given events."""
        return evolve(self, given=len(self.history.events), before=self.values)

    def _with(self, key: str, recorded: Recorded[E]) -> Self:
        __tracebackhide__ = True
        return evolve(self, values=self.checker.folded(self.values, key, recorded))


StoryT = TypeVar("StoryT", bound=FoldStory[Any, Any])


@frozen
class WithStory(Generic[StoryT]):
    """The base of classes that hold a story and the entry in the recording of its test."""

    _story: StoryT
    _entry: Entry


@frozen
class FoldSpec(WithStory[StoryT], Generic[E, StoryT]):
    """The given events of a view spec or a process spec."""

    def at(self, moment: datetime) -> Self:
        """Set the time at which the following events are recorded.

        Args:
            moment: An aware datetime.

        Raises:
            TypeError: ``moment`` is naive.
        """
        go_on(self._entry)
        return self._with_history(evolve(self._story.history, at=history.aware(moment)))

    def caused_by(self, metadata: Metadata) -> Self:
        """Set the metadata of the following events."""
        return self._with_history(evolve(self._story.history, metadata=metadata))

    def given(self, stream: StreamId | str, *events: E) -> Self:
        """Append events of one aggregate to the history, oldest first.

        Commands that a process sends in reaction to given events are not checked.

        Args:
            stream: The aggregate, or only its id if the type does not matter.
            events: The events.

        Raises:
            TypeError: The view or the process does not handle one of the events.
            RuleBroken: The view or the process breaks a rule.
        """
        __tracebackhide__ = True
        go_on(self._entry)
        return self._with(self._story.with_events(stream, events).going_on())

    def _with_history(self, log: History[Any]) -> Self:
        return self._with(evolve(self._story, history=log))

    def _with(self, story: StoryT) -> Self:
        return evolve(self, story=story, entry=begin(story, self._entry))

    if not TYPE_CHECKING:  # as for Spec

        def __getattr__(self, name: str) -> NoReturn:
            if not name.startswith("_"):
                go_on(self._entry)
            raise AttributeError(missing_when(name))


@frozen
class Checked(WithStory[StoryT]):
    """The base of classes with checks. Each check is recorded."""

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
    """Return the text for a value that differs or is missing.

    Args:
        story: The story.
        happened: The headline's description of the failure.
        key: The key.
        expected: As for ``matches``.
        ignoring: As for ``matches``.
    """
    if key in story.values:
        actual = story.values[key]
        wanted, shown = excerpts(expected, actual, ignoring)
        lines: list[Line] = [(EXPECTED, f"{key}: {wanted}"), (ACTUAL, f"{key}: {shown}")]
        lines += mark(NOTE, differences(expected, actual, ignoring=ignoring))
    else:
        lines = [(EXPECTED, f"{key}: {wrapped_expectation(expected)}"), (ACTUAL, found(story, key))]
        lines.append(no_value_of(story, key, story.values))
    return story_page(story, happened, lines)


def value_there(story: AnyFoldStory, happened: str, key: str) -> str:
    """Return the text for an unexpected value.

    Args:
        story: The story.
        happened: As for ``other_value``.
        key: The key.
    """
    none = (EXPECTED, f"{key}: no {story.checker.word}")
    return story_page(story, happened, [none, (ACTUAL, found(story, key))])


def found(story: AnyFoldStory, key: str) -> str:
    """Return a readable text of the current value of a key."""
    has = wrapped(story.values[key]) if key in story.values else f"no {story.checker.word}"
    return f"{key}: {has}"


def listed_keys(keys: Sequence[str]) -> str:
    """Return keys that are found, as a line of text."""
    return f"found: {', '.join(map(repr, keys)) or 'nothing'}"


def no_value_of(story: AnyFoldStory, key: str, others: Iterable[str]) -> Line:
    """Return a note that lists the keys with a value, because the key may be misspelt."""
    word = story.checker.word
    keys = ", ".join(map(repr, others))
    there_are = f"keys with a {word}: {keys}" if keys else f"no key has a {word}"
    then = {"value": "then_no_view", "state": "then_no_state"}[word]
    return (NOTE, f"{there_are}; to expect none, use .{then}({key!r})")


def story_page(story: AnyFoldStory, happened: str, then: Collection[Line]) -> str:
    """Return the headline, the story and the outcome as one text."""
    passages = [history.passage("given", story.history.events[: story.given])]
    if story.done:
        passages.append(("when", mark(SAME, story.done)))
    passages.append(("then", [*then]))
    subject = story.checker.subject
    headline = f"{subject.name}: the {story.checker.kind} {happened}"
    return page(f"{headline} (- expected, + actual)", passages)
