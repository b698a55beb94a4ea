"""What came of a command, and everything that can be expected of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Any, Generic, TypeVar

from attrs import field, frozen

from eventhus import Rejected
from eventhus_testing.matching.matchers import mask_fields
from eventhus_testing.specs import expectations, failure_texts
from eventhus_testing.specs.expectations import Miss
from eventhus_testing.specs.recording import Check, Entry, note
from eventhus_testing.specs.story import C, E, S, Story

R = TypeVar("R", bound=Rejected)


@frozen
class Outcome(Generic[C, E, S]):
    """What came of a command. Made by ``when``; every check returns it again."""

    _story: Story[C, E, S]
    _entry: Entry = field(repr=False, eq=False)  # it has the story once more

    @property
    def events(self) -> tuple[E, ...]:
        """What happened, in order."""
        self._entry.looked_at = True
        return self._story.events

    @property
    def refusal(self) -> Rejected | None:
        """What the command was refused with, if it was."""
        self._entry.looked_at = True
        return self._story.refusal

    @property
    def state(self) -> S:
        """The state after what happened."""
        self._entry.looked_at = True
        return self._story.state

    def then(self, *events: E, ignoring: Collection[str] = ()) -> Outcome[C, E, S]:
        """The command must have produced exactly these events, in this order.

        Args:
            events: The events; ``like`` stands for one of which only some fields matter.
            ignoring: The names of fields that do not count, wherever they stand.

        Raises:
            AssertionError: It was refused, or produced something else.
            TypeError: One of them is not an event of the aggregate.
        """
        __tracebackhide__ = True
        self._expects("then", events)
        events = mask_fields(events, ignoring)
        miss = expectations.in_order(self._story, events, ignoring)
        return self._checked("then" if events else "then_nothing", events, miss)

    def then_nothing(self) -> Outcome[C, E, S]:
        """The command must have been accepted without an event.

        Raises:
            AssertionError: It was refused, or produced an event.
        """
        __tracebackhide__ = True
        return self.then()

    def then_only(self, *types: type[E]) -> Outcome[C, E, S]:
        """The command must have produced events, all of them of these types.

        Raises:
            AssertionError: It was refused, or produced no event, or one of another type.
            TypeError: There is no type, or one of them is none.
        """
        __tracebackhide__ = True
        self._entry.looked_at = True
        return self._checked("then_only", types, expectations.of_types(self._story, types))

    def then_in_any_order(self, *events: E, ignoring: Collection[str] = ()) -> Outcome[C, E, S]:
        """The command must have produced exactly these events, in whatever order.

        Args:
            events: As for ``then``.
            ignoring: As for ``then``.

        Raises:
            AssertionError: It was refused, or produced something else.
            TypeError: One of them is not an event of the aggregate.
        """
        __tracebackhide__ = True
        self._expects("then_in_any_order", events)
        events = mask_fields(events, ignoring)
        miss = expectations.in_any_order(self._story, events, ignoring)
        return self._checked("then_in_any_order", events, miss)

    def then_containing(self, *events: E, ignoring: Collection[str] = ()) -> Outcome[C, E, S]:
        """Among what the command produced must be these events, in whatever order.

        Args:
            events: As for ``then``.
            ignoring: As for ``then``.

        Raises:
            AssertionError: It was refused, or one of them is missing.
            TypeError: There is none, or one of them is not an event of the aggregate.
        """
        __tracebackhide__ = True
        self._expects("then_containing", events)
        events = mask_fields(events, ignoring)
        miss = expectations.among_others(self._story, events, ignoring)
        return self._checked("then_containing", events, miss)

    def then_matching(self, *expected: object) -> Outcome[C, E, S]:
        """The command must have produced as many events, each as is expected in its place.

        Args:
            expected: For each event a predicate, a matcher as those of PyHamcrest (``matches``
                and ``describe_to``) or dirty-equals (``==``), or an event.

        Raises:
            AssertionError: It was refused, or produced something else.
        """
        __tracebackhide__ = True
        miss = expectations.in_order(self._story, expected)
        return self._checked("then_matching", expected, miss)

    def then_rejected(
        self,
        reason: type[R],
        *,
        match: str | re.Pattern[str] | None = None,
        where: Callable[[R], bool] | None = None,
    ) -> Outcome[C, E, S]:
        """The command must have been refused.

        Args:
            reason: The class of the refusal, or a base of it.
            match: A regular expression to be found anywhere in its message.
            where: A predicate on it.

        Raises:
            AssertionError: It was accepted, or refused with another class or message, or otherwise
                than the predicate takes.
            TypeError: The reason is no class.
        """
        __tracebackhide__ = True
        self._entry.looked_at = True
        miss = expectations.refused(self._story, reason, match, where)
        return self._checked("then_rejected", (reason,), miss)

    def then_state(self, state: S, *, ignoring: Collection[str] = ()) -> Outcome[C, E, S]:
        """The state must now equal this one. A refusal leaves it as it was before the command.

        Args:
            state: The state; ``like`` stands for one of which only some fields matter.
            ignoring: The names of fields that do not count, wherever they stand.

        Raises:
            AssertionError: It does not.
        """
        __tracebackhide__ = True
        state = mask_fields(state, ignoring)
        miss = expectations.as_state(self._story, state, self._story.state, ignoring)
        return self._checked("then_state", (state,), miss)

    def then_state_matching(self, expected: Callable[[S], bool] | Any) -> Outcome[C, E, S]:
        """The state must now be as a predicate or a matcher expects.

        Args:
            expected: As for ``then_matching``.

        Raises:
            AssertionError: It is not.
        """
        __tracebackhide__ = True
        miss = expectations.as_state(self._story, expected, self._story.state)
        return self._checked("then_state_matching", (expected,), miss)

    def and_when(self, *commands: C) -> Outcome[C, E, S]:
        """Carry out another command, or several, on what has come of it all so far.

        Raises what ``Spec.when`` does.
        """
        __tracebackhide__ = True
        self._entry.goes_on = True
        return carried_out(self._story.going_on(), commands, self._entry)

    def _expects(self, method: str, events: Collection[E]) -> None:
        __tracebackhide__ = True
        self._entry.looked_at = True  # what is expected may be a mistake, and not be checked
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
    """What comes of some commands, one after the other, up to one that is refused.

    Args:
        story: What is behind them.
        commands: The commands.
        before: The entry of the outcome that this one goes on from.

    Raises:
        TypeError: There is none, or the aggregate does not take one of them.
        InvalidArgument: No aggregate can have the ``aggregate_id`` of one of them.
        RuleBroken: The aggregate does not keep its rules.
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
    """What came of the steps of a story, written down.

    Args:
        story: The story.
        before: As for ``carried_out``.
    """
    return Outcome(story, note(story, before))
