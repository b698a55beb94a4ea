"""Finds the parts in which two values differ, and says what a reader might overlook."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import attrs

from eventhus_testing.scenario import full_name


def differences(expected: Any, actual: Any, path: str = "") -> list[str]:
    """A line for each of the smallest parts in which two values differ.

    Looks into attrs classes, dataclasses, mappings, lists and tuples. Values of any other class,
    or of different ones, differ as a whole, which has a line only where there is a remark on it.

    Args:
        expected: One value.
        actual: The other.
        path: Where the two stand in what is compared; empty for the whole.
    """
    if expected == actual:
        return []
    below: list[str] = []
    if type(expected) is type(actual):
        wanted, found = _parts(expected), _parts(actual)
        for name in wanted | found:
            one, other = wanted.get(name, _NOTHING), found.get(name, _NOTHING)
            below += differences(one, other, path + name)
    if below:
        return below
    remark = _remark(expected, actual)
    if not path:
        return [remark] if remark else []
    values = f"{path.removeprefix('.')}: expected {expected!r}, actual {actual!r}"
    return [f"{values} ({remark})" if remark else values]


class _Nothing:
    """Stands for a part that only the other value has."""

    def __repr__(self) -> str:
        return "nothing"


_NOTHING = _Nothing()


def _parts(value: Any) -> dict[str, Any]:
    """The parts of a value by the way to write them; none where it only differs as a whole."""
    cls: Any = type(value)
    if attrs.has(cls):
        return {f".{a.name}": getattr(value, a.name) for a in attrs.fields(cls) if a.eq}
    if dataclasses.is_dataclass(cls):
        return {f".{f.name}": getattr(value, f.name) for f in dataclasses.fields(cls) if f.compare}
    if isinstance(value, Mapping):
        items: Mapping[Any, Any] = value
        return {f"[{key!r}]": item for key, item in items.items()}
    if isinstance(value, list | tuple):
        sequence: Any = value
        return {f"[{index}]": item for index, item in enumerate(sequence)}
    return {}


def _remark(expected: Any, actual: Any) -> str:
    """What is easily overlooked when two values are read side by side; often nothing."""
    wanted: Any = type(expected)
    found: Any = type(actual)
    if wanted is found:
        by_identity = found.__eq__ is object.__eq__
        return f"{full_name(found)} compares by identity; give it __eq__" if by_identity else ""
    classes = f"expected {full_name(wanted)}, actual {full_name(found)}"
    if _parts(expected) and _parts(expected) == _parts(actual):
        return f"equal data, but of another class: {classes}"
    if str(expected) == str(actual):
        return f"only the type differs: {classes}"
    return ""
