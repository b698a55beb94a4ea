"""An aggregate: a decider over one stream of events."""

from __future__ import annotations

from typing import Generic

from attrs import frozen

from eventhus.domain.decider import C, Decider, E, S_co


@frozen(kw_only=True, eq=False)
class Aggregate(Decider[C, E, S_co], Generic[C, E, S_co]):
    """A consistency boundary: one stream of events for each id, and the rules for adding to it.

    ``decide`` and ``evolve`` must be pure: no I/O, no clock, no randomness, no mutation.

    >>> from collections.abc import Iterable
    >>> from eventhus import Command
    >>> @frozen(kw_only=True)
    ... class Increment(Command):
    ...     by: int
    >>> @frozen
    ... class Incremented:
    ...     by: int
    >>> def decide(command: Increment, total: int) -> Iterable[Incremented]:
    ...     yield Incremented(by=command.by)
    >>> def evolve(total: int, event: Incremented) -> int:
    ...     return total + event.by
    >>> counter = Aggregate(name="Counter", initial=0, decide=decide, evolve=evolve)
    >>> counter.fold(decide(Increment(aggregate_id="c1", by=2), 40))
    2

    ``name`` is the aggregate type, as it is stored and published. The other attributes are those
    of a ``Decider``.

    Raises:
        CompositionError: As for a ``Decider``.
    """
