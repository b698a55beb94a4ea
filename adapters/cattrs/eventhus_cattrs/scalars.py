"""Coders for values without parts.

Classes are exact on both sides. A ``bool`` does not count as an ``int``, nor a subclass of ``str``
as a ``str``, because it would come back as another class.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from math import isfinite
from types import NoneType
from typing import Any
from uuid import UUID

from eventhus_cattrs.coder import Coder
from eventhus_cattrs.problems import Mismatch, expected

_LEAST, _MOST = -(2**63), 2**63 - 1  # BSON and most readers of JSON hold no more than 64 bits


def store_int(data: Any) -> Any:
    """Return an int without the subclass that pymongo uses for 64-bit integers."""
    return int(data) if isinstance(data, int) and type(data) is not bool else data


def _none(value: Any, _: Any = None) -> None:
    if value is not None:
        raise expected("None", value)


def _bool(value: Any, _: Any = None) -> bool:
    if type(value) is not bool:
        raise expected("bool", value)
    return value


def _str(value: Any, _: Any = None) -> str:
    if type(value) is not str:
        raise expected("str", value)
    if not value.isascii():  # cheap: a str knows whether it is ASCII
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Mismatch("holds half of a surrogate pair, which UTF-8 cannot say") from None
    return value


def _encode_int(value: Any) -> int:
    if type(value) is not int:
        raise expected("int", value)
    if not _LEAST <= value <= _MOST:
        raise Mismatch("does not fit 64 bits; make the field a Decimal to hold it")
    return value


def _decode_int(data: Any, _: Any = None) -> int:
    if type(data) is int and _LEAST <= data <= _MOST:
        return data
    return _encode_int(store_int(data))


def _encode_float(value: Any) -> float:
    if type(value) is float:
        if not isfinite(value):
            raise Mismatch("is not finite, and JSON has no word for that")
        return value
    if type(value) is not int:
        raise expected("float", value)
    # Type checkers accept an int as a float. It comes back as a float, so both must be equal.
    try:
        converted = float(value)
    except OverflowError:
        raise Mismatch("is an int too large for a float") from None
    if converted != value:
        raise Mismatch("is an int that no float equals; make the field an int or a Decimal")
    return converted


def _decode_float(data: Any, _: Any = None) -> float:
    # Some writers of JSON turn 3.0 into 3 and 1e21 into 1000000000000000000000.
    if type(data) is not float:
        data = store_int(data)
        if type(data) is not int:
            raise expected("float", data)
        try:
            data = float(data)
        except OverflowError:
            raise Mismatch("is an int too large for a float") from None
    return _encode_float(data)


def _scalar(cls: type, encode: Callable[[Any], Any], decode: Callable[..., Any]) -> Coder:
    classes = frozenset({cls})
    return Coder(encode=encode, decode=decode, values=classes, data=classes)


def _text(
    cls: type,
    form: str,
    write: Callable[[Any], str],
    read: Callable[[str], Any],
    check: Callable[[Any], None] | None = None,
) -> Coder:
    """Return a coder for values that are stored as text.

    Args:
        cls: The class of the values.
        form: The name of the text in messages.
        write: Turns a value into its text.
        read: Turns text into a value. Raises ``ValueError`` or ``ArithmeticError``.
        check: Raises ``Mismatch`` for a value of the class that must not be stored.
    """

    def encode(value: Any) -> str:
        if type(value) is not cls:
            raise expected(cls.__name__, value)
        if check is not None:
            check(value)
        return write(value)

    def decode(data: Any, _: Any = None) -> Any:
        if type(data) is not str:
            raise expected(f"{form} as str", data)
        try:
            value = read(data)
        except (ValueError, ArithmeticError):
            raise Mismatch(f"expected {form}, found other text") from None
        if check is not None:
            check(value)
        return value

    return Coder(encode=encode, decode=decode, values=frozenset({cls}), data=frozenset({str}))


def _check_finite(value: Decimal) -> None:
    if not value.is_finite():
        raise Mismatch("is not finite")


def _check_aware(value: datetime) -> None:
    offset = value.utcoffset()
    if offset is None:
        raise Mismatch("has no UTC offset; make it aware, as datetime.now(UTC) is")
    if offset.microseconds:  # fromisoformat loses it if the rest of the offset is zero
        raise Mismatch("has a UTC offset with a fraction of a second")


def _duration_text(value: timedelta) -> str:
    # ISO 8601, because a number does not show its unit and microseconds overflow 64 bits.
    sign, length = ("-" if value.days < 0 else ""), abs(value)
    minutes, seconds = divmod(length.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    fraction = f".{length.microseconds:06}" if length.microseconds else ""
    return f"{sign}P{length.days}DT{hours}H{minutes}M{seconds}{fraction}S"


# No years, months and weeks: years and months have no fixed length, and weeks are not written.
_DURATION = re.compile(
    r"(-?)P(?=\d|T\d)(?:(\d+)D)?(?:T(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.(\d{1,6}))?S)?)?",
    re.ASCII,
)


def _duration(text: str) -> timedelta:
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(text)
    sign, days, hours, minutes, seconds, fraction = match.groups("0")
    length = timedelta(
        days=int(days),
        hours=int(hours),
        minutes=int(minutes),
        seconds=int(seconds),
        microseconds=int(fraction.ljust(6, "0")),
    )
    return -length if sign == "-" else length


def _base64_text(value: bytes) -> str:
    return b64encode(value).decode("ascii")


def _base64(text: str) -> bytes:
    return b64decode(text, validate=True)


SCALARS: dict[Any, Coder] = {
    None: _scalar(NoneType, _none, _none),
    NoneType: _scalar(NoneType, _none, _none),
    bool: _scalar(bool, _bool, _bool),
    str: _scalar(str, _str, _str),
    int: _scalar(int, _encode_int, _decode_int),
    float: _scalar(float, _encode_float, _decode_float),
    Decimal: _text(Decimal, "a decimal number", str, Decimal, _check_finite),
    UUID: _text(UUID, "a UUID", str, UUID),
    datetime: _text(
        datetime,
        "an ISO 8601 date and time",
        datetime.isoformat,
        datetime.fromisoformat,
        _check_aware,
    ),
    date: _text(date, "an ISO 8601 date", date.isoformat, date.fromisoformat),
    timedelta: _text(timedelta, "an ISO 8601 duration", _duration_text, _duration),
    bytes: _text(bytes, "base64", _base64_text, _base64),
}
