"""Selects documents by the values of their indexed fields, and orders them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from heapq import nsmallest
from typing import Any

from eventhus.ports import Bounds, IndexValue, Selection


def select(indexed: Mapping[str, Mapping[str, IndexValue]], selection: Selection) -> Sequence[str]:
    """Return the keys of a page.

    Args:
        indexed: The values of the indexed fields, by key.
        selection: The page.
    """
    after = None if selection.after is None else _place(selection, *selection.after)
    places: list[tuple[tuple[Any, ...], str]] = []
    for key, values in indexed.items():
        if all(_fits(values.get(name), wanted) for name, wanted in selection.where.items()):
            place = _place(selection, [values.get(each.name) for each in selection.order], key)
            if after is None or after < place:
                places.append((place, key))
    return [key for _, key in nsmallest(selection.limit, places)]


def _fits(value: Any, wanted: Sequence[IndexValue] | Bounds) -> bool:
    if not isinstance(wanted, Bounds):
        return value in wanted
    bounds: Any = wanted
    return (
        value is not None
        and (bounds.at_least is None or value >= bounds.at_least)
        and (bounds.above is None or value > bounds.above)
        and (bounds.at_most is None or value <= bounds.at_most)
        and (bounds.below is None or value < bounds.below)
    )


def _place(selection: Selection, values: Sequence[IndexValue], key: str) -> tuple[Any, ...]:
    """Return the place of a document in the order, which can be compared with others."""
    parts = [
        _Reversed(_rank(value)) if field.descending else _rank(value)
        for field, value in zip(selection.order, values, strict=True)
    ]
    return (*parts, _Reversed(key) if selection.descending else key)


def _rank(value: IndexValue) -> tuple[Any, ...]:
    return () if value is None else (value,)  # nothing comes before everything else


class _Reversed:
    """A value that comes before every lower one."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Reversed) and bool(self._value == other._value)

    def __lt__(self, other: _Reversed) -> bool:
        return bool(other._value < self._value)

    __hash__ = None  # type: ignore[assignment]
