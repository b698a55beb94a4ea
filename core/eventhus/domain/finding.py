"""The conditions of ``Application.find``."""

from __future__ import annotations

from typing import Any, Final

from attrs import frozen

from eventhus.errors import InvalidArgument

MOST_VALUES: Final = 100  # of one_of


@frozen
class OneOf:
    """Any of several values. Made by ``one_of``.

    Attributes:
        values: The values.
    """

    values: tuple[Any, ...]


@frozen(kw_only=True)
class Range:
    """A range of values. Made by ``in_range``.

    Attributes:
        at_least: The inclusive lower bound; ``None`` for none.
        above: The exclusive lower bound; ``None`` for none.
        at_most: The inclusive upper bound; ``None`` for none.
        below: The exclusive upper bound; ``None`` for none.
    """

    at_least: Any = None
    above: Any = None
    at_most: Any = None
    below: Any = None


def one_of(*values: Any) -> OneOf:
    """Return the condition that a field has one of some values.

    >>> one_of("paid", "sent").values
    ('paid', 'sent')

    Raises:
        InvalidArgument: There are more than 100 values.
    """
    if len(values) > MOST_VALUES:
        raise InvalidArgument(f"one_of got {len(values)} values; the limit is {MOST_VALUES}")
    return OneOf(values)


def in_range(
    *, at_least: Any = None, above: Any = None, at_most: Any = None, below: Any = None
) -> Range:
    """Return the condition that a field has a value within bounds. ``None`` is outside all bounds.

    >>> in_range(at_least=1, below=10).below
    10

    Raises:
        InvalidArgument: No bound is given.
    """
    condition = Range(at_least=at_least, above=above, at_most=at_most, below=below)
    if condition == Range():
        raise InvalidArgument("in_range needs a bound, such as at_least=1")
    return condition
