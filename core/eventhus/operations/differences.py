"""Differences between two values of plain data."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from eventhus.operations.values import Difference


def differences(before: Any, after: Any, *, limit: int) -> tuple[Sequence[Difference], bool]:
    """Return the first differences between two values, and whether there are more.

    Items of lists are compared in pairs, after those that both lists begin and end with.

    >>> differences({"owner": "ann", "lines": [1, 2]}, {"owner": "ann", "lines": [1]}, limit=10)
    ([Difference(path='lines[1]', kind='removed', before=2, after=None)], False)
    """
    found = [*islice(_differences("", before, after), limit + 1)]
    return found[:limit], len(found) > limit


def _differences(path: str, before: Any, after: Any) -> Iterator[Difference]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *(key for key in after if key not in before)]:
            inner = _member(path, key)
            if key not in after:
                yield Difference(path=inner, kind="removed", before=before[key])
            elif key not in before:
                yield Difference(path=inner, kind="added", after=after[key])
            else:
                yield from _differences(inner, before[key], after[key])
    elif isinstance(before, list) and isinstance(after, list):
        yield from _of_lists(path, before, after)
    elif not _same(before, after):
        yield Difference(path=path, kind="changed", before=before, after=after)


def _of_lists(path: str, before: Sequence[Any], after: Sequence[Any]) -> Iterator[Difference]:
    shorter = min(len(before), len(after))
    first = 0
    while first < shorter and _same(before[first], after[first]):
        first += 1
    last = 0  # from the end
    while last < shorter - first and _same(before[-1 - last], after[-1 - last]):
        last += 1
    pairs = shorter - first - last
    for index in range(first, first + pairs):
        yield from _differences(f"{path}[{index}]", before[index], after[index])
    for index in range(first + pairs, len(before) - last):
        yield Difference(path=f"{path}[{index}]", kind="removed", before=before[index])
    for index in range(first + pairs, len(after) - last):
        yield Difference(path=f"{path}[{index}]", kind="added", after=after[index])


def _same(before: Any, after: Any) -> bool:
    """Return whether two values are the same in JSON: Python's ``True == 1`` does not count."""
    if isinstance(before, dict) and isinstance(after, dict):
        return before.keys() == after.keys() and all(
            _same(value, after[key]) for key, value in before.items()
        )
    if isinstance(before, list) and isinstance(after, list):
        return len(before) == len(after) and all(map(_same, before, after))
    return type(before) is type(after) and bool(before == after)


def _member(path: str, key: str) -> str:
    if not key.isidentifier():
        return f"{path}[{json.dumps(key, ensure_ascii=False)}]"
    return f"{path}.{key}" if path else key
