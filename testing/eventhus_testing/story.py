"""What was given, what was done and what came of it, as a value."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce
from typing import Generic, TypeVar

from attrs import evolve, frozen

from eventhus import Aggregate, Command, Rejected
from eventhus_testing.difference import full_name

C = TypeVar("C", bound=Command)
E = TypeVar("E")
S = TypeVar("S")


@frozen(kw_only=True)
class Step(Generic[C, E, S]):
    """One command, carried out.

    Attributes:
        before: The state that the command met.
        command: The command.
        events: What it made happen; none where it was refused.
        refusal: What ``decide`` raised, where it refused.
        after: The state after the events.
    """

    before: S
    command: C
    events: tuple[E, ...]
    refusal: Rejected | None
    after: S


@frozen(kw_only=True)
class Scenario(Generic[C, E, S]):
    """A history that was given, and the commands carried out on it.

    Attributes:
        aggregate: Whose rules apply.
        given: The events that had happened before the first command, oldest first.
        steps: The commands, in order.
        state: The state after all of that.
    """

    aggregate: Aggregate[C, E, S]
    given: tuple[E, ...] = ()
    steps: tuple[Step[C, E, S], ...] = ()
    state: S

    def with_given(self, events: Sequence[E]) -> Scenario[C, E, S]:
        """The scenario with more history.

        Raises:
            TypeError: One of them is not an event of the aggregate.
        """
        __tracebackhide__ = True
        self.check_events("given", events)
        return evolve(self, given=(*self.given, *events), state=self._after(events))

    def with_step(self, command: C) -> Scenario[C, E, S]:
        """The scenario with one more command, carried out as an application does it.

        Raises:
            TypeError: The aggregate does not take the command.
            UndeclaredEvent: ``decide`` produced something that is not an event of the aggregate.
        """
        __tracebackhide__ = True
        self._check("when", "a command", [command], self.aggregate.commands)
        events: tuple[E, ...] = ()
        refusal: Rejected | None = None
        try:
            events = self.aggregate.decided(command, self.state)
        except Rejected as raised:
            refusal = raised
        step = Step(
            before=self.state,
            command=command,
            events=events,
            refusal=refusal,
            after=self._after(events),
        )
        return evolve(self, steps=(*self.steps, step), state=step.after)

    def check_events(self, method: str, values: Iterable[object]) -> None:
        """Refuse what is not an event of the aggregate, which ``evolve`` would choke on.

        Raises:
            TypeError: Names the method, the value and what it takes instead.
        """
        __tracebackhide__ = True
        self._check(method, "an event", values, self.aggregate.events)

    def _check(
        self, method: str, kind: str, values: Iterable[object], classes: Iterable[type]
    ) -> None:
        __tracebackhide__ = True
        for value in values:
            if type(value) not in classes:
                takes = ", ".join(sorted(cls.__qualname__ for cls in classes))
                raise TypeError(
                    f"{method}: {value!r} of class {full_name(type(value))} is not {kind} of "
                    f"{self.aggregate.name}; give single values of {takes}"
                )

    def _after(self, events: Iterable[E]) -> S:
        __tracebackhide__ = True
        return reduce(self.aggregate.evolve, events, self.state)
