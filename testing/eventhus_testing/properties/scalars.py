"""Strategies for values without parts, such as numbers, texts and times.

Two times in three, a strategy draws one of a few values, so that commands often share an amount, a
name or a time. Otherwise it draws any value but extreme ones, because sums and products of two
numbers should fit into 64 bits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from types import NoneType
from typing import Any, TypeVar
from uuid import UUID

from hypothesis import strategies as st

from eventhus_testing.properties.validators import Limits

T = TypeVar("T")

MAX_NUMBER = 2**31 - 1  # for int, float and Decimal
MAX_LENGTH = 12  # of texts and bytes

_ZONES = (UTC, timezone(timedelta(hours=2)), timezone(-timedelta(hours=3, minutes=30)))
_FIRST, _LAST = datetime(1970, 1, 2, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
_NOON = datetime(2025, 1, 1, 12, 0, tzinfo=UTC)
_YEARS = timedelta(days=3650)

CHARACTERS = st.characters(codec="utf-8")  # without lone surrogates


def _few(values: Sequence[T], limits: Limits, others: st.SearchStrategy[T]) -> st.SearchStrategy[T]:
    """Return a strategy for a few values and for others, as far as the limits admit them."""
    others = limits.admitted(others)
    fitting = [value for value in values if limits.fits(value)]
    few = st.sampled_from(fitting) if fitting else st.nothing()
    return few | few | others


def _within(limits: Limits, low: Any, high: Any) -> tuple[Any, Any]:
    """Return bounds: those of the limits, and the usual ones where the limits have none.

    A usual bound that contradicts the other bound is moved.
    """
    least = limits.low if limits.low is not None else low
    most = limits.high if limits.high is not None else high
    if least > most:
        return (least, least + (high - low)) if limits.high is None else (most - (high - low), most)
    return least, most


def _bool(_: Limits) -> st.SearchStrategy[bool]:
    return st.booleans()


def _int(limits: Limits) -> st.SearchStrategy[int]:
    low, high = _within(limits, -MAX_NUMBER, MAX_NUMBER)
    low, high = -(-low // 1), high // 1  # a bound may be a fraction
    near = max(low, min(0, high))
    few = st.integers(max(int(low), int(near) - 1), min(int(high), int(near) + 10))
    return limits.admitted(few | few | st.integers(int(low), int(high)))


def _float(limits: Limits) -> st.SearchStrategy[float]:
    low, high = _within(limits, -float(MAX_NUMBER), float(MAX_NUMBER))
    return _few([0.0, 1.0, 0.5, 2.0, -1.0], limits, st.floats(float(low), float(high)))


def _decimal(limits: Limits) -> st.SearchStrategy[Decimal]:
    low, high = _within(limits, Decimal(-MAX_NUMBER), Decimal(MAX_NUMBER))
    few = [Decimal(text) for text in ("0", "1", "0.5", "2", "0.01", "10", "-1")]
    return _few(few, limits, st.decimals(low, high, places=2))


def _str(limits: Limits) -> st.SearchStrategy[str]:
    if limits.pattern is not None:
        return limits.admitted(st.from_regex(limits.pattern, alphabet=CHARACTERS))
    sizes = sizes_of(limits, MAX_LENGTH)
    return _few(["a", "b", "c"], limits, st.text(CHARACTERS, **sizes))


def _bytes(limits: Limits) -> st.SearchStrategy[bytes]:
    return _few([b"a", b"b"], limits, st.binary(**sizes_of(limits, MAX_LENGTH)))


def _uuid(limits: Limits) -> st.SearchStrategy[UUID]:
    return _few([UUID(int=number) for number in (1, 2, 3)], limits, st.uuids())


def _datetime(limits: Limits) -> st.SearchStrategy[datetime]:
    low, high = _within(limits, _FIRST, _LAST)
    few = [_NOON, *(_NOON + timedelta(hours=hours) for hours in (1, 24, -1))]
    # Drawn in UTC, because Hypothesis takes only naive bounds.
    bounds = (low.astimezone(UTC).replace(tzinfo=None), high.astimezone(UTC).replace(tzinfo=None))
    moments = st.datetimes(*bounds, timezones=st.just(UTC))
    zoned = st.builds(datetime.astimezone, moments, st.sampled_from(_ZONES))
    return _few(few, limits, zoned)


def _date(limits: Limits) -> st.SearchStrategy[date]:
    noon = _NOON.date()
    few = [noon, *(noon + timedelta(days=days) for days in (1, 30, -1))]
    return _few(few, limits, st.dates(*_within(limits, _FIRST.date(), _LAST.date())))


def _timedelta(limits: Limits) -> st.SearchStrategy[timedelta]:
    few = [timedelta(0), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)]
    return _few(few, limits, st.timedeltas(*_within(limits, -_YEARS, _YEARS)))


def sizes_of(limits: Limits, longest: int) -> dict[str, Any]:
    """Return the bounds of a size, as keyword arguments of a strategy.

    Args:
        limits: The limits set by validators.
        longest: The difference between the largest and the smallest size.
    """
    most = limits.shortest + longest
    if limits.longest is not None:
        most = min(most, limits.longest)
    return {"min_size": limits.shortest, "max_size": most}


SCALARS: dict[Any, Callable[[Limits], st.SearchStrategy[Any]]] = {
    None: lambda _: st.none(),
    NoneType: lambda _: st.none(),
    bool: _bool,
    int: _int,
    float: _float,
    Decimal: _decimal,
    str: _str,
    bytes: _bytes,
    UUID: _uuid,
    datetime: _datetime,
    date: _date,
    timedelta: _timedelta,
}
"""By class: a function that returns a strategy for the values within the limits."""
