"""Derives limits for values from the validators of attrs."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any, TypeVar

from attrs import Attribute, evolve, frozen, validators
from hypothesis import strategies as st

T = TypeVar("T")

# attrs does not export the classes of its validators, only the functions that create them.
_make: Any = validators
_NUMBER = type(_make.gt(0))
_LONGEST = type(_make.max_len(0))
_SHORTEST = type(_make.min_len(0))
_ONE_OF = type(_make.in_(()))
_MATCHING = type(_make.matches_re(""))
_ALL = type(_make.and_())
_OPTIONAL = type(_make.optional(_make.gt(0)))
_EACH = type(_make.deep_iterable(_make.gt(0)))


def anything(_: Any) -> bool:
    """Accept any value."""
    return True


@frozen(kw_only=True)
class Limits:
    """The limits that validators set. ``fits`` is exact; the others only narrow the search.

    Attributes:
        low: The least value, or a bound below it; ``None`` if there is none.
        high: The greatest value, or a bound above it; ``None`` if there is none.
        shortest: The least length.
        longest: The greatest length; ``None`` if there is none.
        options: The only valid values; ``None`` if there are others.
        pattern: A pattern that valid texts contain.
        each: The limits for the items of a collection.
        fits: Returns whether the validators of attrs accept a value.
    """

    low: Any = None
    high: Any = None
    shortest: int = 0
    longest: int | None = None
    options: tuple[Any, ...] | None = None
    pattern: re.Pattern[str] | None = None
    each: Limits | None = None
    fits: Callable[[Any], bool] = anything

    def admitted(self, values: st.SearchStrategy[T]) -> st.SearchStrategy[T]:
        """Filter a strategy for the values that fit."""
        return values if self.fits is anything else values.filter(self.fits)


NO_LIMITS = Limits()


def limits_of(attribute: Attribute[Any]) -> Limits:
    """Return the limits of a field. Only attrs' own validators are taken into account."""
    validator: Any = attribute.validator
    if validator is None:
        return NO_LIMITS
    each = [*getattr(validator, "_validators", [validator])]
    ours = [one for one in each if type(one).__module__ == "attr.validators"]

    def fits(value: Any) -> bool:
        for one in ours:
            try:
                one(None, attribute, value)  # attrs' own validators ignore the instance
            except (ValueError, TypeError):
                return False
        return True

    limits = NO_LIMITS
    for one in ours:
        limits = _narrowed(limits, one)
    return evolve(limits, fits=fits)


def _narrowed(limits: Limits, validator: Any) -> Limits:
    kind = type(validator)
    if kind is _ALL:
        for each in validator._validators:  # noqa: SLF001 - attrs has no public way
            limits = _narrowed(limits, each)
    elif kind is _OPTIONAL:
        limits = _narrowed(limits, validator.validator)
    elif kind is _NUMBER:
        if validator.compare_func in (operator.lt, operator.le):
            limits = evolve(limits, high=validator.bound)
        else:
            limits = evolve(limits, low=validator.bound)
    elif kind is _LONGEST:
        limits = evolve(limits, longest=validator.max_length)
    elif kind is _SHORTEST:
        limits = evolve(limits, shortest=validator.min_length)
    elif kind is _ONE_OF:
        limits = evolve(limits, options=tuple(validator.options))
    elif kind is _MATCHING:
        limits = evolve(limits, pattern=_whole(validator))
    elif kind is _EACH:
        if validator.iterable_validator is not None:
            limits = _narrowed(limits, validator.iterable_validator)
        limits = evolve(limits, each=_narrowed(NO_LIMITS, validator.member_validator))
    return limits


def _whole(validator: Any) -> re.Pattern[str]:
    """Return the pattern of a validator, anchored as its match function requires."""
    pattern: re.Pattern[str] = validator.pattern
    how = getattr(validator.match_func, "__name__", "")
    if how == "search":
        return pattern
    end = r"\Z" if how == "fullmatch" else ""
    return re.compile(rf"\A(?:{pattern.pattern}){end}", pattern.flags)
