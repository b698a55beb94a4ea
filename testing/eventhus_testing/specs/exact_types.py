"""What is said of an aggregate or a view, with types that type checkers do not widen."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeVar

S = TypeVar("S")
V = TypeVar("V")


class StateOf(Protocol[S]):
    """An aggregate with states of exactly this type, for type checkers.

    The state of an ``Aggregate`` is covariant: beside another state, both would be objects.
    """

    @property
    def initial(self) -> S:
        """See ``Aggregate.initial``."""
        ...

    @property
    def decide(self) -> Callable[[Any, S], Iterable[Any]]:
        """See ``Aggregate.decide``."""
        ...


class ValuesOf(Protocol[V]):
    """A view with values of exactly this type, for type checkers: as ``StateOf``."""

    @property
    def key(self) -> Callable[[Any], str | None]:
        """See ``View.key``."""
        ...

    @property
    def evolve(self) -> Callable[[V, Any], V | None]:
        """See ``View.evolve``."""
        ...
