"""Given-when-then specs for views."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Self, TypeVar

from attrs import evolve, frozen

from eventhus import StreamId, View
from eventhus.ports import Codec
from eventhus_testing.app_internals import found_keys
from eventhus_testing.matching.excerpts import wrapped
from eventhus_testing.matching.ignoring import check_ignoring
from eventhus_testing.matching.matchers import mask_fields, matches
from eventhus_testing.rules.fold_checker import fold_checker
from eventhus_testing.rules.rules import Rules
from eventhus_testing.specs import history
from eventhus_testing.specs.folds import (
    Checked,
    FoldSpec,
    FoldStory,
    listed_keys,
    no_value_of,
    other_value,
    story_page,
    value_there,
)
from eventhus_testing.specs.recording import begin, go_on, note
from eventhus_testing.texts.page import ACTUAL, EXPECTED, Line
from eventhus_testing.values.comparing import same

E = TypeVar("E")
V = TypeVar("V")

NO_VALUE = "no value"
OTHER_VALUE = "shows another value for {!r} than expected"
MISSING_VALUE = "shows no value for {!r}"
UNEXPECTED_VALUE = "shows a value for {!r}, but none was expected"


@frozen(kw_only=True)
class ViewStory(FoldStory[E, V]):
    """The events of a view spec and the values of the view.

    Attributes:
        view: The view.
    """

    view: View[E, V]


@frozen
class _ViewChecks(Checked[ViewStory[E, V]]):
    """The checks that both a spec and an outcome of a view offer."""

    def then_view(self, key: str, value: V, *, ignoring: Collection[str] = ()) -> Self:
        """Check the value of a key.

        Args:
            key: The key.
            value: The expected value. Use ``like`` to compare only some fields.
            ignoring: Names of fields to ignore at every level.

        Raises:
            AssertionError: The value differs or is missing.
        """
        __tracebackhide__ = True
        if value is None:  # None means no value: views delete with it and may start with it
            return self.then_no_view(key)
        self._entry.looked_at = True
        go_on(self._entry)
        check_ignoring(ignoring, value, self._story.values.get(key))
        value = mask_fields(value, ignoring)
        values = self._story.values
        text = None
        if key not in values or not matches(value, values[key], ignoring):
            happened = (OTHER_VALUE if key in values else MISSING_VALUE).format(key)
            text = other_value(self._story, happened, key, value, ignoring)
        return self._checked("then_view", (key, value), text)

    def then_no_view(self, key: str) -> Self:
        """Check that a key has no value, because none was set or it was deleted.

        Raises:
            AssertionError: The key has a value.
        """
        __tracebackhide__ = True
        text = None
        if key in self._story.values:
            text = value_there(self._story, UNEXPECTED_VALUE.format(key), key)
        return self._checked("then_no_view", (key,), text)

    def then_found(
        self,
        *keys: str,
        where: Mapping[str, object] | None = None,
        order_by: str | Sequence[str] = (),
    ) -> Self:
        """Check that ``Application.find`` returns exactly these keys, in this order.

        Args:
            keys: The expected keys; none if nothing is found.
            where: As for ``Application.find``.
            order_by: As for ``Application.find``.

        Raises:
            AssertionError: Other keys are found, or in another order.
            UndeclaredIndex: As for ``Application.find``.
            InvalidArgument: As for ``Application.find``.
        """
        __tracebackhide__ = True
        self._entry.looked_at = True
        go_on(self._entry)
        found = found_keys(self._story.view, self._story.values, where or {}, order_by)
        text = None
        if found != [*keys]:
            lines: list[Line] = [(EXPECTED, listed_keys(keys)), (ACTUAL, listed_keys(found))]
            text = story_page(self._story, "finds other keys than expected", lines)
        return self._checked("then_found", keys, text)


@frozen
class ViewSpec(FoldSpec[E, ViewStory[E, V]], _ViewChecks[E, V]):
    """The given events of a view. Made by ``spec``."""

    @classmethod
    def of(cls, view: View[E, V], rules: Rules, codec: Codec | None) -> ViewSpec[E, V]:
        """Return a spec without given events."""
        story = ViewStory(view=view, checker=fold_checker(view, rules, codec))
        return cls(story, begin(story))

    def when(self, stream: StreamId | str, *events: E) -> ViewOutcome[E, V]:
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
        return ViewOutcome(story, note(story))

    def _checked(self, method: str, arguments: tuple[object, ...], failure: str | None) -> Self:
        __tracebackhide__ = True
        go_on(self._entry)
        # Tests may share a spec, so each test that checks it records its own entry.
        noted = self if self._entry.checks else evolve(self, entry=note(self._story))
        return super(ViewSpec, noted)._checked(method, arguments, failure)


@frozen
class ViewOutcome(_ViewChecks[E, V]):
    """The outcome of a view spec. Made by ``when``; every check returns the outcome."""

    @property
    def values(self) -> Mapping[str, V]:
        """Return the current values by key."""
        self._entry.looked_at = True
        return self._story.values

    def then_untouched(self, *keys: str) -> Self:
        """Check that the last ``when`` did not change these keys, or any key if none is named.

        Raises:
            AssertionError: A value was changed, added or deleted, or a named key has no value both
                before and after.
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
        """Handle further events.

        Args:
            stream: As for ``ViewSpec.given``.
            events: As for ``ViewSpec.given``.

        Raises the same errors as ``ViewSpec.given``.
        """
        __tracebackhide__ = True
        history.check_any(stream, events)
        story = self._story.going_on().with_events(stream, events)
        return ViewOutcome(story, note(story, self._entry))


def _unknown(story: ViewStory[E, V], keys: Collection[str], all_keys: Collection[str]) -> str:
    lines: list[Line] = []
    for key in keys:
        lines.append((EXPECTED, f"{key}: the value before"))
        lines.append((ACTUAL, f"{key}: {NO_VALUE}, before and after"))
        lines.append(no_value_of(story, key, all_keys))
    return story_page(story, "has no value for a key that was expected to stay unchanged", lines)


def _touched(story: ViewStory[E, V], keys: Collection[str]) -> str:
    lines: list[Line] = []
    for key in keys:
        for sign, values in ((EXPECTED, story.before), (ACTUAL, story.values)):
            lines.append(
                (sign, f"{key}: {wrapped(values[key])}" if key in values else f"{key}: {NO_VALUE}")
            )
    return story_page(story, "changed a value that was expected to stay unchanged", lines)
