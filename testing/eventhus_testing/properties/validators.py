"""What the validators of attrs say about values, as far as strategies can use it."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any, TypeVar

from attrs import Attribute, evolve, frozen, validators
from hypothesis import strategies as st

T = TypeVar("T")

# attrs has no names for the classes of its validators, only for the functions that make them.
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
    """Whether a value will do: yes."""
    return True


@frozen(kw_only=True)
class Limits:
    """What a field's validators admit. Only ``fits`` is exact; the others are where to look.

    Attributes:
        low: No value is below it; ``None`` where there is no such bound.
        high: No value is above it.
        shortest: The least length.
        longest: The greatest length; ``None`` where there is none.
        options: The only values; ``None`` where others are fine.
        pattern: What is found in texts.
        each: Those of the items of a collection.
        fits: Whether the validators admit a value, as far as attrs has made them.
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
        """Those of some values that are admitted."""
        return values if self.fits is anything else values.filter(self.fits)


NONE = Limits()


def limits_of(attribute: Attribute[Any]) -> Limits:
    """What the validators of a field admit. Those that attrs has not made are not asked."""
    validator: Any = attribute.validator
    if validator is None:
        return NONE
    each = [*getattr(validator, "_validators", [validator])]
    ours = [one for one in each if type(one).__module__ == "attr.validators"]

    def fits(value: Any) -> bool:
        for one in ours:
            try:
                one(None, attribute, value)  # attrs' own look at no instance
            except (ValueError, TypeError):
                return False
        return True

    limits = NONE
    for one in ours:
        limits = _narrowed(limits, one)
    return evolve(limits, fits=fits)


def _narrowed(limits: Limits, validator: Any) -> Limits:
    kind = type(validator)
    if kind is _ALL:
        for each in validator._validators:  # noqa: SLF001 - attrs shows it in no other way
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
        limits = evolve(limits, each=_narrowed(NONE, validator.member_validator))
    return limits


def _whole(validator: Any) -> re.Pattern[str]:
    """The pattern of a text, from its begin on where the validator asks for that."""
    pattern: re.Pattern[str] = validator.pattern
    how = getattr(validator.match_func, "__name__", "")
    if how == "search":
        return pattern
    end = r"\Z" if how == "fullmatch" else ""
    return re.compile(rf"\A(?:{pattern.pattern}){end}", pattern.flags)
