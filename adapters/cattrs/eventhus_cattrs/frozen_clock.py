"""Recognises the classes that libraries such as freezegun put in the place of ``datetime``.

Their values would come back as another class, and annotations that are resolved while the clock is
frozen name them, so the codec stores neither.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import lru_cache

# Such a library replaces names in modules, but not in tuples.
_PLAIN = ((datetime, datetime(1, 1, 1, tzinfo=UTC)), (date, date(1, 1, 1)))


@lru_cache(maxsize=1024)
def plain_class(cls: type) -> type:
    """Return the class that a frozen one stands for; any other class as it is.

    Plain values pass for instances of a frozen class, unlike for any other subclass.
    """
    for plain, value in _PLAIN:
        if issubclass(cls, plain):
            return plain if isinstance(value, cls) else cls
    return cls


def frozen_clock_advice(cls: type) -> str:
    """Return what to use instead of a frozen class; nothing for any other class."""
    if plain_class(cls) is cls:
        return ""
    return (
        "is of a library that freezes the clock; use time-machine, which leaves the classes as "
        "they are"
    )
