"""What the validators of attrs say about values, as far as strategies can use it."""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection
from typing import Any

import attrs
from attrs import evolve, frozen
from hypothesis import strategies as st

# attrs names the functions that make validators, and not the classes of these.
_make: Any = attrs.validators
_NUMBERS = type(_make.gt(0))
_LONGEST = type(_make.max_len(0))
_SHORTEST = type(_make.min_len(0))
_ONE_OF = type(_make.in_(()))
_MATCHING = type(_make.matches_re(""))
_ALL = type(_make.and_())
_OPTIONAL = type(_make.optional(_make.gt(0)))


@frozen
class Bounds:
    """What a field's validators admit.

    Attributes:
        low: No value is below it; ``None`` where there is no such bound.
        high: No value is above it.
        shortest: The least length.
        longest: The greatest length; ``None`` where there is none.
        options: The only values; ``None`` where others are fine.
        pattern: What texts match as a whole.
        is_optional: Whether ``None`` is fine, whatever else is said.
        holds: Whether a value is admitted; what no bound can say.
    """

    low: Any = None
    high: Any = None
    shortest: int = 0
    longest: int | None = None
    options: Collection[Any] | None = None
    pattern: Any = None
    is_optional: bool = False
    holds: tuple[Callable[[Any], bool], ...] = ()

    def numbers(self, low: Any, high: Any) -> tuple[Any, Any]:
        """The bounds of numbers, within those of their type."""
        return (
            low if self.low is None else self.low if low is None else max(low, self.low),
            high if self.high is None else self.high if high is None else min(high, self.high),
        )

    def sizes(self, longest: int) -> dict[str, Any]:
        """The bounds of a collection's or a text's size, as strategies take them."""
        most = self.shortest + longest if self.longest is None else self.longest
        return {"min_size": self.shortest, "max_size": min(most, self.shortest + longest)}

    def applied(self, values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        """Those of some values that are admitted."""
        if self.options is not None:
            values = st.sampled_from([*self.options])
        for holds in self.holds:
            values = values.filter(holds)
        return st.none() | values if self.is_optional else values


def bounds_of(validator: Any) -> Bounds:
    """What a validator admits. What is not understood is left to the class to refuse."""
    return _narrowed(Bounds(), validator)


def _narrowed(bounds: Bounds, validator: Any) -> Bounds:
    kind = type(validator)
    if kind is _ALL:
        for each in validator._validators:  # noqa: SLF001 - attrs shows it in no other way
            bounds = _narrowed(bounds, each)
        return bounds
    if kind is _OPTIONAL:
        return evolve(_narrowed(bounds, validator.validator), is_optional=True)
    if kind is _NUMBERS:
        return _number(bounds, validator.bound, validator.compare_func)
    if kind is _LONGEST:
        return evolve(bounds, longest=validator.max_length)
    if kind is _SHORTEST:
        return evolve(bounds, shortest=validator.min_length)
    if kind is _ONE_OF:
        return evolve(bounds, options=validator.options)
    if kind is _MATCHING:
        return evolve(bounds, pattern=validator.pattern)
    return bounds


def _number(bounds: Bounds, bound: Any, compare: Any) -> Bounds:
    if compare in (operator.lt, operator.gt):
        bounds = evolve(bounds, holds=(*bounds.holds, lambda value: value != bound))
    if compare in (operator.lt, operator.le):
        return evolve(bounds, high=bound)
    return evolve(bounds, low=bound)
