"""The outcome of an aggregate spec and its checks."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Any, Generic, TypeVar

from attrs import field, frozen

from eventhus import Rejected
from eventhus_testing.matching.matchers import Expectation, mask_fields
from eventhus_testing.specs import expectations, failure_texts
from eventhus_testing.specs.expectations import Miss
from eventhus_testing.specs.recording import Check, Entry, note
from eventhus_testing.specs.story import C, E, S, Story

R = TypeVar("R", bound=Rejected)


@frozen
class Outcome(Generic[C, E, S]):
    """The outcome of one or more commands. Made by ``when``; every check returns the outcome."""

    _story: Story[C, E, S]
    _entry: Entry = field(repr=False, eq=False)  # contains the story, too

    @property
    def events(self) -> tuple[E, ...]:
        """Return the produced events, in order."""
        self._entry.looked_at = True
        return self._story.events

    @property
    def refusal(self) -> Rejected | None:
        """Return the refusal, or ``None``."""
        self._entry.looked_at = True
        return self._story.refusal

    @property
    def state(self) -> S:
        """Return the state after the events."""
        self._entry.looked_at = True
        return self._story.state

    def then(self, *events: E, ignoring: Collection[str] = ()) -> Outcome[C, E, S]:
        """Check that the command produced exactly these events, in this order.

        Args:
            events: The expected events. Use ``like`` to compare only some fields.
            ignoring: Names of fields to ignore at every level.

        Raises:
            AssertionError: The command was refused, or it produced other events.
            TypeError: A value is not an event of the aggregate.
        """
        __tracebackhide__ = True
        self._expects("then", events)
        events = mask_fields(events, ignoring)
        miss = expectations.in_order(self._story, events, ignoring)
        return self._checked("then" if events else "then_nothing", events, miss)

    def then_nothing(self) -> Outcome[C, E, S]:
        """Check that the command was accepted and produced no event.

        Raises:
            AssertionError: The command was refused, or it produced an event.
        """
        __tracebackhide__ = True
        return self.then()

    def then_only(self, *types: type[E]) -> Outcome[C, E, S]:
        """Check that the command produced at least one event, and only events of these types.

        Raises:
            AssertionError: The command was refused, produced no event, or produced another type.
            TypeError: No type is given, or an argument is not a type.
        """
        __tracebackhide__ = True
        self._entry.looked_at = True
        return self._checked("then_only", types, expectations.of_types(self._story, types))

    def then_in_any_order(self, *events: E, ignoring: Collection[str] = ()) -> Outcome[C, E, S]:
        """Check that the command produced exactly these events, in any order.

        Args:
            events: As for ``then``.
            ignoring: As for ``then``.

        Raises:
            AssertionError: The command was refused, or it produced other events.
            TypeError: A value is not an event of the aggregate.
        """
        __tracebackhide__ = True
        self._expects("then_in_any_order", events)
        events = mask_fields(events, ignoring)
        miss = expectations.in_any_order(self._story, events, ignoring)
        return self._checked("then_in_any_order", events, miss)

    def then_containing(self, *events: E, ignoring: Collection[str] = ()) -> Outcome[C, E, S]:
        """Check that the command produced at least these events, in any order.

        Args:
            events: As for ``then``.
            ignoring: As for ``then``.

        Raises:
            AssertionError: The command was refused, or an expected event is missing.
            TypeError: No event is given, or a value is not an event of the aggregate.
        """
        __tracebackhide__ = True
        self._expects("then_containing", events)
        events = mask_fields(events, ignoring)
        miss = expectations.among_others(self._story, events, ignoring)
        return self._checked("then_containing", events, miss)

    def then_matching(self, *expected: Expectation) -> Outcome[C, E, S]:
        """Check each event against the expectation at the same position.

        Args:
            expected: One expectation per event: a predicate, a PyHamcrest matcher, a dirty-equals
                matcher or an event.

        Raises:
            AssertionError: The command was refused, or it produced other events.
        """
        __tracebackhide__ = True
        self._entry.looked_at = True
        miss = expectations.in_order(self._story, expected)
        return self._checked("then_matching", expected, miss)

    def then_rejected(
        self,
        reason: type[R],
        *,
        match: str | re.Pattern[str] | None = None,
        where: Callable[[R], bool] | None = None,
    ) -> Outcome[C, E, S]:
        """Check that the command was refused.

        Args:
            reason: The class of the refusal, or a base class.
            match: A regular expression to search for in the message.
            where: A predicate that the refusal must satisfy.

        Raises:
            AssertionError: The command was accepted, or its refusal does not match the class, the
                message or the predicate.
            TypeError: ``reason`` is not a class.
        """
        __tracebackhide__ = True
        self._entry.looked_at = True
        miss = expectations.refused(self._story, reason, match, where)
        return self._checked("then_rejected", (reason,), miss)

    def then_state(self, state: S, *, ignoring: Collection[str] = ()) -> Outcome[C, E, S]:
        """Check the state after the command. A refused command leaves the state unchanged.

        Args:
            state: The expected state. Use ``like`` to compare only some fields.
            ignoring: Names of fields to ignore at every level.

        Raises:
            AssertionError: The state differs.
        """
        __tracebackhide__ = True
        self._entry.looked_at = True
        state = mask_fields(state, ignoring)
        miss = expectations.as_state(self._story, state, self._story.state, ignoring)
        return self._checked("then_state", (state,), miss)

    def then_state_matching(self, expected: Callable[[S], bool] | Any) -> Outcome[C, E, S]:
        """Check the state with a predicate or a matcher.

        Args:
            expected: As for ``then_matching``.

        Raises:
            AssertionError: The state does not match.
        """
        __tracebackhide__ = True
        self._entry.looked_at = True
        miss = expectations.as_state(self._story, expected, self._story.state)
        return self._checked("then_state_matching", (expected,), miss)

    def and_when(self, *commands: C) -> Outcome[C, E, S]:
        """Handle one or more further commands, starting from the current state.

        Raises the same errors as ``Spec.when``.
        """
        __tracebackhide__ = True
        self._entry.goes_on = True
        return carried_out(self._story.going_on(), commands, self._entry)

    def _expects(self, method: str, events: Collection[E]) -> None:
        __tracebackhide__ = True
        self._entry.looked_at = True  # an invalid expectation is not recorded as a check
        self._story.check_expected(method, events)

    def _checked(
        self, method: str, arguments: tuple[object, ...], miss: Miss | None
    ) -> Outcome[C, E, S]:
        __tracebackhide__ = True
        failure = None if miss is None else failure_texts.otherwise(self._story, miss)
        self._entry.checks.append(Check(method, arguments, failure))
        if failure is not None:
            raise AssertionError(failure) from self._story.refusal
        return self


def carried_out(
    story: Story[C, E, S], commands: Collection[C], before: Entry | None = None
) -> Outcome[C, E, S]:
    """Handle commands in order up to the first refused one, and return the outcome.

    Args:
        story: The story before the commands.
        commands: The commands.
        before: The entry of the outcome that this one continues.

    Raises:
        TypeError: No command is given, or the aggregate does not handle one of them.
        InvalidArgument: An ``aggregate_id`` is not valid.
        RuleBroken: The aggregate breaks a rule.
    """
    __tracebackhide__ = True
    if not commands:
        raise TypeError("when takes at least one command")
    for command in commands:
        with failure_texts.adding_story(story, "when", [command]):
            story = story.with_command(command)
        if story.refusal is not None:
            break
    return outcome_of(story, before)


def outcome_of(story: Story[C, E, S], before: Entry | None = None) -> Outcome[C, E, S]:
    """Record and return the outcome of a story.

    Args:
        story: The story.
        before: As for ``carried_out``.
    """
    return Outcome(story, note(story, before))
