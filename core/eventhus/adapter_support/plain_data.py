"""The check of plain data, shared by all stores, so that all of them accept the same."""

from __future__ import annotations

from math import isfinite
from typing import Any

from eventhus.domain.recorded import is_text

MAX_DEPTH = 90  # MongoDB stores 100 levels, and the envelope takes some of them
_INT64 = 2**63


def check_plain_data(data: Any) -> None:
    """Refuse data that JSON would silently change, or that a database could not store.

    Plain data is ``None``, ``bool``, ``int`` within 64 bits, finite ``float``, whole Unicode
    ``str``, and lists and ``str``-keyed dicts of these, at most 90 deep.

    Raises:
        ValueError: The data is not plain. The message says why, and quotes none of it.
    """
    _check(data, 0)


def _check(data: Any, depth: int) -> None:
    if isinstance(data, str):
        if not is_text(data):
            raise ValueError("a str holds half of a surrogate pair")
    elif isinstance(data, dict):
        if depth == MAX_DEPTH:
            raise ValueError(f"it is more than {MAX_DEPTH} deep")
        for key, value in data.items():
            if not isinstance(key, str):
                raise ValueError(f"a key is of type {type(key).__name__}, not str")  # noqa: TRY004
            if not is_text(key):
                raise ValueError("a key holds half of a surrogate pair")
            _check(value, depth + 1)
    elif isinstance(data, list):
        if depth == MAX_DEPTH:
            raise ValueError(f"it is more than {MAX_DEPTH} deep")
        for value in data:
            _check(value, depth + 1)
    elif isinstance(data, int):
        # Comparisons, since a range looks for an instance of a subclass number by number.
        if not -_INT64 <= data < _INT64:
            raise ValueError("an int is beyond 64 bits")
    elif isinstance(data, float):
        if not isfinite(data):
            raise ValueError("a float is not finite")
    elif data is not None:
        raise ValueError(f"{type(data).__name__} has no form in JSON")
