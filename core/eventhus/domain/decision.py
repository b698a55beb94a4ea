"""A decision: a decider over events that no single stream holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic

from attrs import Factory, field, frozen

from eventhus.domain.callables import check_pure
from eventhus.domain.decider import C, Decider, E, S_co
from eventhus.domain.names import described
from eventhus.domain.query import Query
from eventhus.errors import WrongAnswer


@frozen(kw_only=True, eq=False)
class Decision(Decider[C, E, S_co], Generic[C, E, S_co]):
    """A consistency boundary that a query draws anew for each command.

    Use a decision where a rule spans several entities, so that no aggregate can hold it: a course
    has a capacity, and a student may take so many courses. The state is folded from the events that
    the query finds, in any streams. The new events are stored only if no other event that the query
    finds was stored meanwhile; otherwise the command is decided again. This is also known as a
    dynamic consistency boundary (Sara Pellegrini, "Killing the Aggregate", 2023).

    >>> from eventhus import Command, Rejected
    >>> @frozen(kw_only=True)
    ... class TakeSeat(Command):
    ...     student: str
    >>> @frozen
    ... class SeatTaken:
    ...     course: str
    ...     student: str
    >>> class CourseFull(Rejected):
    ...     pass
    >>> def decide(command: TakeSeat, taken: int) -> Iterable[SeatTaken]:
    ...     if taken >= 20:
    ...         raise CourseFull
    ...     yield SeatTaken(course=command.aggregate_id, student=command.student)
    >>> def evolve(taken: int, event: SeatTaken) -> int:
    ...     return taken + 1
    >>> enrolment = Decision(
    ...     name="Enrolment",
    ...     initial=0,
    ...     decide=decide,
    ...     evolve=evolve,
    ...     boundary=lambda command: Query.of(SeatTaken, tags={f"course:{command.aggregate_id}"}),
    ...     tags={SeatTaken: lambda event: {f"course:{event.course}", f"student:{event.student}"}},
    ... )

    ``names``, ``aliases``, ``upcasters`` and ``tags`` may mention events of other decisions, so
    that several can share one mapping. All that declare an event must declare it the same way.

    Attributes:
        boundary: Returns the query for a command: the events that it is decided on. Pure. An item
            without types stands for all events of the decision.
        aggregate_type: The new events are stored in the stream of this type and the command's
            ``aggregate_id``. By default the name of the decision. If an aggregate has this name, it
            must declare the events that ``decide`` yields, since they become part of its streams.

    Raises:
        CompositionError: As for a ``Decider``, or ``boundary`` is async.
    """

    boundary: Callable[[C], Query]
    aggregate_type: str = field(default=Factory(lambda self: self.name, takes_self=True))

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        check_pure(self.name, {"boundary": self.boundary})

    def query(self, command: C) -> Query:
        """Return the query that ``boundary`` returns for a command, checked.

        Raises:
            WrongAnswer: It is not a query, or asks for something else than events of the decision.
        """
        query: object = self.boundary(command)
        if not isinstance(query, Query):
            raise WrongAnswer(
                f"boundary of {self.name} returned {type(query).__name__} instead of a query; "
                f"return Query.of(...)"
            )
        for item in query.items:
            for type_ in item.types | item.other_than:
                if type_ not in self.events:
                    raise WrongAnswer(
                        f"boundary of {self.name} asks for {described(type_)}, which is not "
                        f"one of its events; add it to the annotation of evolve, or leave it out"
                    )
        return query

    def concerns(self, query: Query, event: E) -> bool:
        """Tell whether a query that ``query`` has returned finds an event of the decision."""
        return query.matches(type(event), self.tags_of(event))

    def _check_declared(self, argument: str, classes: Iterable[object]) -> None:
        """Accept everything: the mapping may be shared with other decisions."""
