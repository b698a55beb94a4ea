"""The compiled form of a type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import frozen


@frozen(kw_only=True, eq=False)
class Coder:
    """Encodes and decodes the values of one type, and raises ``Mismatch`` for all others.

    Attributes:
        encode: From a value to new plain data.
        decode: From plain data to a value. cattrs calls it with the type as a second argument,
            which is known already and therefore ignored.
        values: The classes of the values. Empty where not known yet, in a type that holds itself.
        data: The classes of the plain data, by which a union tells its members apart. Empty
            where ``values`` is.
        tag: The name of an attrs class, by which a union tells it from another one.
    """

    encode: Callable[[Any], Any]
    decode: Callable[..., Any]
    values: frozenset[type]
    data: frozenset[type]
    tag: str | None = None
