"""Given-when-then for views: events happen, and what readers see changes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Generic, Self, TypeVar

from attrs import evolve, field, frozen

from eventhus import Metadata, Recorded, StreamId, View
from eventhus.ports import Codec
from eventhus_testing import history
from eventhus_testing.comparing import before_it_changes, own, same
from eventhus_testing.difference import differences
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
V = TypeVar("V")

NO_VALUE = "no value"


@frozen(kw_only=True)
class ViewStory(Generic[E, V]):
    """What happened, and what a view made of it.

    Attributes:
        view: The view.
        history: All events so far.
        given: How many of them had happened before.
        values: The value of each key that has one.
        before: The same, as it was before the last ``when``.
    """

    view: View[E, V]
    rules: Rules = field(repr=False)
    coders: Coders | None = field(repr=False)
    history: History[E] = field(factory=History)
    given: int = 0
    values: Mapping[str, V] = field(factory=dict[str, V])
    before: Mapping[str, V] = field(factory=dict[str, V])

    @property
    def seen(self) -> tuple[Recorded[E], ...]:
        """The events of the last ``when``."""
        return self.history.events[self.given :]

    def with_events(self, stream: StreamId | str, events: Collection[E]) -> ViewStory[E, V]:
        """The story with more events.

        Raises:
            TypeError: The view is not shown one of them.
            RuleBroken: The view does not keep its rules.
        """
        __tracebackhide__ = True
        history.check_shown(f"view {self.view.name}", self.view.events, events)
        longer = self.history.with_events(stream, events)
        values = dict(self.values)
        with history.told(self.view.name, self, self.history, stream, events):
            for recorded in longer.events[len(self.history.events) :]:
                key = self.view.key(recorded)
                if key is None:
                    continue
                after = self._next(values.get(key), recorded)
                if after is None:
                    values.pop(key, None)
                else:
                    values[key] = after
        return evolve(self, history=longer, values=values)

    def _next(self, value: V | None, recorded: Recorded[E]) -> V | None:
        __tracebackhide__ = True
        value = own(self.view.initial) if value is None else value
        value_before = before_it_changes(value) if self.rules.unchanged else None
        event_before = before_it_changes(recorded.event) if self.rules.unchanged else None
        after = self.view.evolve(value, recorded)
        check_unchanged("evolve", "value", value_before, value)
        check_unchanged("evolve", "event", event_before, recorded.event)
        if self.rules.repeatable and not same(after, again := self.view.evolve(value, recorded)):
            raise RuleBroken(
                "repeatable",
                "evolve gave two values for the same event; take what it depends on from the event",
                differences(after, again, words=("first", "then"))
                or [f"first {after!r}", f"then {again!r}"],
            )
        if self.coders is not None and after is not None:
            encode, decode = self.coders
            check_round_trip("stored", after, lambda v: decode(encode(v)))
        return after


@frozen
class _Checks(Generic[E, V]):
    """The checks, which hold for what was given as for what was done."""

    _story: ViewStory[E, V]
    _entry: Entry

    def then_view(self, key: str, value: V, *, ignoring: Collection[str] = ()) -> Self:
        """The key must now have this value.

        Args:
            key: The key.
            value: The value; ``like`` stands for one of which only some fields matter.
            ignoring: The names of fields that do not count.

        Raises:
            AssertionError: It has another, or none.
        """
        __tracebackhide__ = True
        if value is None:  # a view can begin with it, and deletes with it: it is no value
            return self.then_no_view(key)
        value = left_open(value, ignoring)
        actual = self._story.values.get(key)
        text = None
        if actual is None or not agrees(value, actual, ignoring):
            text = _other_value(self._story, key, value, ignoring)
        return self._checked("then_view", (key, value), text)

    def then_no_view(self, key: str) -> Self:
        """The key must now have no value: nothing made one, or it was deleted.

        Raises:
            AssertionError: It has one.
        """
        __tracebackhide__ = True
        text = None
        if key in self._story.values:
            text = _other_value(self._story, key, None)
        return self._checked("then_no_view", (key,), text)

    def then_untouched(self, *keys: str) -> Self:
        """These keys must have what they had before the last ``when``; without any, all keys.

        Raises:
            AssertionError: One has another value, or has one no more, or has one now.
        """
        __tracebackhide__ = True
        before, after = self._story.before, self._story.values
        touched = [
            key
            for key in keys or dict.fromkeys([*before, *after])
            if not same(before.get(key), after.get(key))
        ]
        text = _touched(self._story, touched) if touched else None
        return self._checked("then_untouched", keys, text)

    def _checked(self, method: str, arguments: tuple[object, ...], failure: str | None) -> Self:
        __tracebackhide__ = True
        self._entry.checks.append(Check(method, arguments, failure))
        if failure is not None:
            raise AssertionError(failure)
        return self


@frozen
class ViewSpec(_Checks[E, V]):
    """What has happened before. Made by ``spec``."""

    @classmethod
    def of(cls, view: View[E, V], rules: Rules, codec: Codec | None) -> ViewSpec[E, V]:
        """Start to specify a view."""
        story = ViewStory(
            view=view,
            rules=rules,
            coders=coders("stored", view.name, view.view_type, codec) if rules.stored else None,
        )
        return cls(story, Entry(story))

    def at(self, moment: datetime) -> ViewSpec[E, V]:
        """Let what follows be recorded at this moment.

        Args:
            moment: Aware.

        Raises:
            TypeError: It is naive.
        """
        return self._with(evolve(self._story.history, at=history.aware(moment)))

    def caused_by(self, metadata: Metadata) -> ViewSpec[E, V]:
        """Let what follows carry this metadata."""
        return self._with(evolve(self._story.history, metadata=metadata))

    def given(self, stream: StreamId | str, *events: E) -> ViewSpec[E, V]:
        """Let these events have happened to one aggregate, oldest first, after those before.

        Args:
            stream: The aggregate; its id alone where the type does not matter.
            events: What happened to it.

        Raises:
            TypeError: The view is not shown one of them.
            RuleBroken: The view does not keep its rules.
        """
        __tracebackhide__ = True
        story = self._story.with_events(stream, events)
        return self._noted(evolve(story, given=len(story.history.events), before=story.values))

    def when(self, stream: StreamId | str, *events: E) -> ViewOutcome[E, V]:
        """Let these events happen now.

        Args:
            stream: As for ``given``.
            events: As for ``given``.

        Raises what ``given`` does.
        """
        __tracebackhide__ = True
        history.check_any(stream, events)
        story = self._story.with_events(stream, events)
        return ViewOutcome(story, note(story))

    def _with(self, history: History[E]) -> ViewSpec[E, V]:
        return self._noted(evolve(self._story, history=history))

    def _noted(self, story: ViewStory[E, V]) -> ViewSpec[E, V]:
        # Nothing was done yet: that nobody looks at it is no mistake.
        return ViewSpec(story, Entry(story))

    def _checked(self, method: str, arguments: tuple[object, ...], failure: str | None) -> Self:
        __tracebackhide__ = True
        # What is given may be shared, and each test that checks it writes that down for itself.
        noted = self if self._entry.checks else evolve(self, entry=note(self._story))
        return super(ViewSpec, noted)._checked(method, arguments, failure)


@frozen
class ViewOutcome(_Checks[E, V]):
    """What came of some events. Made by ``when``; every check returns it again."""

    @property
    def values(self) -> Mapping[str, V]:
        """The value of each key that has one."""
        self._entry.looked_at = True
        return self._story.values

    def and_when(self, stream: StreamId | str, *events: E) -> ViewOutcome[E, V]:
        """Let further events happen.

        Args:
            stream: As for ``ViewSpec.given``.
            events: As for ``ViewSpec.given``.

        Raises what ``ViewSpec.given`` does.
        """
        __tracebackhide__ = True
        history.check_any(stream, events)
        given = len(self._story.history.events)
        story = evolve(
            self._story.with_events(stream, events), given=given, before=self._story.values
        )
        return ViewOutcome(story, note(story, self._entry))


AnyStory = ViewStory[Any, Any]


def _other_value(
    story: AnyStory, key: str, expected: object, ignoring: Collection[str] = ()
) -> str:
    actual = story.values.get(key)
    wanted = NO_VALUE if expected is None else text_of(expected)
    found = NO_VALUE if actual is None else repr(actual)
    lines: list[Line] = [(EXPECTED, f"{key}: {wanted}"), (ACTUAL, f"{key}: {found}")]
    if expected is None:
        return _page(story, f"shows a value of {key!r} where none was expected", lines)
    if actual is None:
        if story.values:
            lines.append((NOTE, f"there are values of {', '.join(map(repr, story.values))}"))
        return _page(story, f"shows no value of {key!r}", lines)
    lines += mark(NOTE, differences(expected, actual, ignoring=ignoring))
    return _page(story, f"shows another value of {key!r} than expected", lines)


def _touched(story: AnyStory, keys: Collection[str]) -> str:
    lines: list[Line] = []
    for key in keys:
        for sign, values in ((EXPECTED, story.before), (ACTUAL, story.values)):
            lines.append(
                (sign, f"{key}: {values[key]!r}" if key in values else f"{key}: {NO_VALUE}")
            )
    return _page(story, "changed what was to stay as it was", lines)


def _page(story: AnyStory, happened: str, then: Collection[Line]) -> str:
    passages = [history.passage("given", story.history.events[: story.given])]
    if story.seen:
        passages.append(history.passage("when", story.seen))
    passages.append(("then", [*then]))
    return page(f"{story.view.name}: the view {happened} (- expected, + actual)", passages)
