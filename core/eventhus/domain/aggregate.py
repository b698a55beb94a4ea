"""An aggregate: a decider over one stream of events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Generic

from attrs import field, frozen

from eventhus.domain.decider import C, Decider, E, S_co
from eventhus.errors import CompositionError


def _tuple(names: Iterable[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


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

    ``name`` is the aggregate type, as it is stored and published. Attributes that are not listed
    here are those of a ``Decider``.

    Attributes:
        former_names: The names that the aggregate had before, oldest first. Its streams stay where
            they are: old and new ones are stored and published under the oldest name.

    Raises:
        CompositionError: As for a ``Decider``, or a former name is not text or is listed twice.
    """

    former_names: Sequence[str] = field(default=(), converter=_tuple)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        names = (self.name, *self.former_names)
        if len({*names}) < len(names) or not all(isinstance(each, str) and each for each in names):
            raise CompositionError(
                f"former_names of {self.name} must be different non-empty str, each another than "
                f"its name; found {self.former_names!r}"
            )

    @property
    def stream_type(self) -> str:
        """The aggregate type under which the streams are stored and published."""
        return self.former_names[0] if self.former_names else self.name
