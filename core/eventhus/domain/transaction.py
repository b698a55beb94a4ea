"""A transaction: one command for several aggregates, in one commit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic

from attrs import Factory, field, frozen

from eventhus.domain.aggregate import Aggregate
from eventhus.domain.annotations import parameter_classes
from eventhus.domain.callables import check_pure
from eventhus.domain.command import Command
from eventhus.domain.decider import C, check_commands
from eventhus.errors import CompositionError, WrongAnswer


def _commands(transaction: Transaction[Any]) -> tuple[type[Any], ...]:
    return parameter_classes(transaction.split, 0, "commands")


def _aggregates(
    given: Iterable[Aggregate[Any, Any, Any]],
) -> tuple[Aggregate[Any, Any, Any], ...]:
    return tuple(given)


@frozen(kw_only=True, eq=False)
class Transaction(Generic[C]):
    """A command that changes several aggregates together, or none of them.

    ``split`` turns the command into one command for each aggregate. Each aggregate decides on its
    own state, with its own rules. If one refuses, the whole command is refused; otherwise all
    events are stored in one commit. Commands for the same aggregate are decided one after another.

    An aggregate whose ``decide`` returns no events is not part of the commit, so another writer may
    change it meanwhile.

    >>> from eventhus import Aggregate
    >>> @frozen(kw_only=True)
    ... class Change(Command):
    ...     by: int
    >>> @frozen
    ... class Changed:
    ...     by: int
    >>> def decide(command: Change, total: int) -> Iterable[Changed]:
    ...     yield Changed(by=command.by)
    >>> def evolve(total: int, event: Changed) -> int:
    ...     return total + event.by
    >>> counter = Aggregate(name="Counter", initial=0, decide=decide, evolve=evolve)
    >>> @frozen(kw_only=True)
    ... class Move(Command):
    ...     to: str
    ...     amount: int
    >>> def split(command: Move) -> Iterable[Command]:
    ...     yield Change(aggregate_id=command.aggregate_id, by=-command.amount)
    ...     yield Change(aggregate_id=command.to, by=command.amount)
    >>> move = Transaction(name="Move", aggregates=[counter], split=split)

    Attributes:
        name: Unique in the application.
        aggregates: The aggregates that the commands are for.
        split: Returns the commands, at least one, in the order in which their events are stored.
            Pure. May raise a subclass of ``Rejected`` to refuse.
        commands: The command classes of the transaction. By default read from the annotation of
            ``split``'s first parameter.

    Raises:
        CompositionError: The classes cannot be read from the annotation or cannot be commands, an
            aggregate is something else, or ``split`` is async. The message says what to do.
    """

    name: str
    aggregates: Sequence[Aggregate[Any, Any, Any]] = field(converter=_aggregates)
    split: Callable[[C], Iterable[Command]]
    commands: Sequence[type[Any]] = field(default=Factory(_commands, takes_self=True))

    def __attrs_post_init__(self) -> None:
        check_pure(self.name, {"split": self.split})
        check_commands(self.name, "split", self.commands)
        for aggregate in self.aggregates:
            if not isinstance(aggregate, Aggregate):
                raise CompositionError(
                    f"{self.name}: aggregates must hold instances of Aggregate, found "
                    f"{type(aggregate).__qualname__}"
                )

    def commands_for(self, command: C) -> tuple[tuple[Aggregate[Any, Any, Any], Command], ...]:
        """Return the commands that ``split`` returns, each with its aggregate.

        Raises:
            Rejected: ``split`` refused; the error is the subclass that it raised.
            WrongAnswer: It returned no commands, or something else.
        """
        answer: object = self.split(command)
        if not isinstance(answer, Iterable):
            raise WrongAnswer(
                f"split of {self.name} returned {type(answer).__name__} instead of commands; "
                f"yield them, or return a list"
            )
        found = tuple((self._aggregate_of(each), each) for each in answer)
        if not found:
            raise WrongAnswer(
                f"split of {self.name} returned no commands; return at least one, or raise a "
                f"subclass of Rejected"
            )
        return found

    def _aggregate_of(self, command: object) -> Aggregate[Any, Any, Any]:
        for aggregate in self.aggregates:
            if type(command) in aggregate.commands:
                return aggregate
        raise WrongAnswer(
            f"split of {self.name} returned {type(command).__qualname__}, which is not a command "
            f"of its aggregates; add the aggregate that handles it to aggregates=[...]"
        )
