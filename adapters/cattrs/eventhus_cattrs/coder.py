"""The compiled form of a type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import frozen


@frozen(kw_only=True, eq=False)
class Coder:
    """Encodes and decodes the values of one type, and raises ``Mismatch`` for all others.

    Attributes:
        encode: Turns a value into new plain data.
        decode: Turns plain data into a value. cattrs passes the type as a second argument, which
            is known already and therefore ignored.
        values: The classes of the values. Empty while not known, in a type that contains itself.
        data: The classes of the plain data, by which a union tells its members apart. Empty if
            ``values`` is.
        tag: The name of an attrs class, by which a union tells it from another one.
    """

    encode: Callable[[Any], Any]
    decode: Callable[..., Any]
    values: frozenset[type]
    data: frozenset[type]
    tag: str | None = None
