"""The values of the indexed fields of a view, as MongoDB compares them.

They stand in ``_by``, as text, numbers, booleans and dates. A date of MongoDB has milliseconds; the
microseconds beyond are in ``_us``, which follows it in every index.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from bson import Decimal128, Int64

from eventhus.ports import IndexValue
from eventhus_mongo.documents import Document

_INT64 = range(-(2**63), 2**63)


def index_values(indexed: Mapping[str, IndexValue]) -> Document:
    """Return the fields of a document that hold the values of its indexed fields."""
    times = {
        name: value.microsecond % 1000
        for name, value in indexed.items()
        if isinstance(value, datetime)
    }
    return {
        **({"_by": {name: stored(value) for name, value in indexed.items()}} if indexed else {}),
        **({"_us": times} if times else {}),
    }


def stored(value: IndexValue) -> Any:
    """Return the form of a value that MongoDB compares."""
    if isinstance(value, datetime):
        return value.replace(microsecond=value.microsecond // 1000 * 1000)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return value
    if isinstance(value, int) and value in _INT64:
        return Int64(value)
    return Decimal128(Decimal(value))
