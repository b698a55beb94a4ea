"""Turns the answers of operations into plain data: the shapes of ``--json``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import attrs


def plain(value: Any) -> Any:
    """Return a value as JSON has it.

    A class becomes an object with its attributes, and a time is text in UTC, such as
    ``2026-01-31T12:00:00.000000Z``.
    """
    match value:
        case datetime():
            return iso(value)
        case str() | int() | float() | None:
            return value
        case Mapping():
            return {str(key): plain(each) for key, each in value.items()}
        case Sequence():
            return list(map(plain, value))
        case _:
            return {
                field.name: plain(getattr(value, field.name)) for field in attrs.fields(type(value))
            }


def iso(at: datetime) -> str:
    """Return a time as text, in UTC, to the microsecond."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
