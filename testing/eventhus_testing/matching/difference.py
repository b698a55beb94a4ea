"""Differences between two values, with remarks on those that are easy to overlook."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from enum import Enum
from typing import Any

from eventhus_testing.matching.matchers import Like, matches, text_of
from eventhus_testing.values.comparing import (
    CLOCKS,
    compares_by_identity,
    ordered,
    parts,
    same_moment,
    type_of,
)


def differences(
    expected: Any,
    actual: Any,
    path: str = "",
    *,
    ignoring: Collection[str] = (),
    words: tuple[str, str] = ("expected", "actual"),
) -> list[str]:
    """Return one line for each of the smallest parts in which two values differ.

    Attrs classes, dataclasses, mappings, lists and tuples are compared part by part. For a set, the
    line lists missing and extra members. Other values, and values of different classes, are
    compared as a whole. At the top level, such a difference has a line only if there is a remark.

    Args:
        expected: The expected value, or any expectation that ``matches`` accepts.
        actual: The actual value.
        path: The access path of the two values; empty at the top level.
        ignoring: Names of fields to ignore.
        words: The labels of the two values in the lines.
    """
    if path.rpartition(".")[2] in ignoring:
        return []
    # A predicate must not be called for a part that is missing.
    if actual is not _NOTHING and matches(expected, actual, ignoring):
        return []
    below: list[str] = []
    wanted, found = _parts_in_common(expected, actual)
    for name in wanted | found:
        one, other = wanted.get(name, _NOTHING), found.get(name, _NOTHING)
        below += differences(one, other, path + name, ignoring=ignoring, words=words)
    if below:
        return below
    if type(expected) is type(actual) and type(expected) in (set, frozenset):
        where = f"{path.removeprefix('.')}: " if path else ""
        return [f"{where}{_members(expected, actual)}"]
    remark = _remark(expected, actual)
    if not path:
        return [remark] if remark else []
    one_word, other_word = words
    values = f"{path.removeprefix('.')}: {one_word} {text_of(expected)}, {other_word} {actual!r}"
    return [f"{values} ({remark})" if remark else values]


class _Nothing:
    """The placeholder for a part that only the other value has."""

    def __repr__(self) -> str:
        return "nothing"


_NOTHING = _Nothing()


def full_name(cls: type) -> str:
    """Return the name of a class with its module."""
    return f"{cls.__module__}.{cls.__qualname__}".removeprefix("builtins.")


def _parts_in_common(expected: Any, actual: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    if isinstance(expected, Like) and type(actual) is expected.cls:
        wanted = {f".{name}": value for name, value in expected.fields.items()}
        return wanted, {f".{name}": getattr(actual, name) for name in expected.fields}
    if type(expected) is type(actual):
        return parts(expected) or {}, parts(actual) or {}
    return {}, {}


def _members(expected: Collection[Any], actual: Collection[Any]) -> str:
    missing = [member for member in expected if member not in actual]
    extra = [member for member in actual if member not in expected]
    sides = {"missing": missing, "extra": extra}
    return "; ".join(f"{side} {_listed(some)}" for side, some in sides.items() if some)


def _listed(members: Iterable[Any]) -> str:
    return ", ".join(map(text_of, ordered(members)))


def _remark(expected: Any, actual: Any) -> str:
    """Return a remark on a difference that is easy to overlook, or an empty string."""
    wanted, found = type_of(expected), type_of(actual)
    if wanted is found:
        if compares_by_identity(actual) and not isinstance(actual, Enum):
            return f"{full_name(found)} compares by identity; give it __eq__"
        if wanted in CLOCKS and same_moment(expected, actual):
            return "the same moment; only the offset differs"
        if isinstance(actual, str) and expected.casefold() == actual.casefold():
            return "differs only in case"
        if isinstance(actual, str) and expected.split() == actual.split():
            return "differs only in whitespace"
        return ""
    classes = f"expected {full_name(wanted)}, actual {full_name(found)}"
    if parts(expected) and parts(expected) == parts(actual):
        return f"equal data, but of another class: {classes}"
    if str(expected) == str(actual) or expected == actual:
        return f"only the type differs: {classes}"
    return ""
