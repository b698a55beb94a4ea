"""Given-when-then for views: events happen, and what readers see changes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Self, TypeVar

from attrs import evolve, frozen

from eventhus import StreamId, View
from eventhus.ports import Codec
from eventhus_testing.matching.matchers import mask_fields, matches
from eventhus_testing.rules.fold_checker import fold_checker
from eventhus_testing.rules.rules import Rules
from eventhus_testing.specs import history
from eventhus_testing.specs.folds import (
    Checked,
    FoldSpec,
    FoldStory,
    no_value_of,
    other_value,
    story_page,
    value_there,
)
from eventhus_testing.specs.recording import Entry, note
from eventhus_testing.texts.page import ACTUAL, EXPECTED, Line
from eventhus_testing.values.comparing import same

E = TypeVar("E")
V = TypeVar("V")

NO_VALUE = "no value"
OTHER_VALUE = "shows another value of {!r} than expected"
MISSING_VALUE = "shows no value of {!r}"
UNEXPECTED_VALUE = "shows a value of {!r} where none was expected"


@frozen(kw_only=True)
class ViewStory(FoldStory[E, V]):
    """What happened, and what a view made of it.

    Attributes:
        view: The view.
    """

    view: View[E, V]


@frozen
class _ViewChecks(Checked[ViewStory[E, V]]):
    """The checks that hold for what was given as for what was done."""

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
        value = mask_fields(value, ignoring)
        values = self._story.values
        text = None
        if key not in values or not matches(value, values[key], ignoring):
            happened = (OTHER_VALUE if key in values else MISSING_VALUE).format(key)
            text = other_value(self._story, happened, key, value, ignoring)
        return self._checked("then_view", (key, value), text)

    def then_no_view(self, key: str) -> Self:
        """The key must now have no value: nothing made one, or it was deleted.

        Raises:
            AssertionError: It has one.
        """
        __tracebackhide__ = True
        text = None
        if key in self._story.values:
            text = value_there(self._story, UNEXPECTED_VALUE.format(key), key)
        return self._checked("then_no_view", (key,), text)


@frozen
class ViewSpec(FoldSpec[E, ViewStory[E, V]], _ViewChecks[E, V]):
    """What has happened before. Made by ``spec``."""

    @classmethod
    def of(cls, view: View[E, V], rules: Rules, codec: Codec | None) -> ViewSpec[E, V]:
        """Start to specify a view."""
        story = ViewStory(view=view, checker=fold_checker(view, rules, codec))
        return cls(story, Entry(story))

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

    def _with(self, story: ViewStory[E, V]) -> Self:
        # Nothing was done yet: that nobody looks at it is no mistake.
        return evolve(self, story=story, entry=Entry(story))

    def _checked(self, method: str, arguments: tuple[object, ...], failure: str | None) -> Self:
        __tracebackhide__ = True
        # What is given may be shared, and each test that checks it writes that down for itself.
        noted = self if self._entry.checks else evolve(self, entry=note(self._story))
        return super(ViewSpec, noted)._checked(method, arguments, failure)


@frozen
class ViewOutcome(_ViewChecks[E, V]):
    """What came of some events. Made by ``when``; every check returns it again."""

    @property
    def values(self) -> Mapping[str, V]:
        """The value of each key that has one."""
        self._entry.looked_at = True
        return self._story.values

    def then_untouched(self, *keys: str) -> Self:
        """These keys must have what they had before the last ``when``; without any, all keys.

        Raises:
            AssertionError: One has another value, or has one no more, or has one now; or one that
                is named had none and has none.
        """
        __tracebackhide__ = True
        before, after = self._story.before, self._story.values
        all_keys = dict.fromkeys([*before, *after])
        unknown = [key for key in keys if key not in all_keys]
        touched = [key for key in keys or all_keys if not same(before.get(key), after.get(key))]
        text = None
        if unknown:
            text = _unknown(self._story, unknown, all_keys)
        elif touched:
            text = _touched(self._story, touched)
        return self._checked("then_untouched", keys, text)

    def and_when(self, stream: StreamId | str, *events: E) -> ViewOutcome[E, V]:
        """Let further events happen.

        Args:
            stream: As for ``ViewSpec.given``.
            events: As for ``ViewSpec.given``.

        Raises what ``ViewSpec.given`` does.
        """
        __tracebackhide__ = True
        history.check_any(stream, events)
        story = self._story.going_on().with_events(stream, events)
        return ViewOutcome(story, note(story, self._entry))


def _unknown(story: ViewStory[E, V], keys: Collection[str], all_keys: Collection[str]) -> str:
    lines: list[Line] = []
    for key in keys:
        lines.append((EXPECTED, f"{key}: what it had before"))
        lines.append((ACTUAL, f"{key}: {NO_VALUE}, before and after"))
        lines.append(no_value_of(story, key, all_keys))
    return story_page(story, "has nothing there that could stay as it was", lines)


def _touched(story: ViewStory[E, V], keys: Collection[str]) -> str:
    lines: list[Line] = []
    for key in keys:
        for sign, values in ((EXPECTED, story.before), (ACTUAL, story.values)):
            lines.append(
                (sign, f"{key}: {values[key]!r}" if key in values else f"{key}: {NO_VALUE}")
            )
    return story_page(story, "changed what was to stay as it was", lines)
