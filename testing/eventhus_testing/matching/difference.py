"""Finds the parts in which two values differ, and says what a reader might overlook."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from enum import Enum
from typing import Any

from eventhus_testing.matching.matchers import Like, matches, text_of
from eventhus_testing.values.comparing import compares_by_identity, ordered, parts


def differences(
    expected: Any,
    actual: Any,
    path: str = "",
    *,
    ignoring: Collection[str] = (),
    words: tuple[str, str] = ("expected", "actual"),
) -> list[str]:
    """A line for each of the smallest parts in which a value differs from what was expected.

    Looks into attrs classes, dataclasses, mappings, lists and tuples, and says which members of a
    set are missing and which ones too many. Values of any other class, or of different ones, differ
    as a whole, which has a line only where there is a remark on it.

    Args:
        expected: A value, or what ``matches`` takes instead.
        actual: The other.
        path: Where the two stand in what is compared; empty for the whole.
        ignoring: The names of fields that do not count.
        words: What to call the two.
    """
    if path.rpartition(".")[2] in ignoring:
        return []
    # No predicate is asked about what is not there.
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
    """Stands for a part that only the other value has."""

    def __repr__(self) -> str:
        return "nothing"


_NOTHING = _Nothing()


def full_name(cls: type) -> str:
    """The name of a class that tells it from others of its name."""
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
    """What is easily overlooked when two values are read side by side; often nothing."""
    wanted: Any = type(expected)
    found: Any = type(actual)
    if wanted is found:
        if compares_by_identity(actual) and not isinstance(actual, Enum):
            return f"{full_name(found)} compares by identity; give it __eq__"
        if isinstance(actual, str) and expected.casefold() == actual.casefold():
            return "differs only in upper and lower case"
        if isinstance(actual, str) and expected.split() == actual.split():
            return "differs only in white space"
        return ""
    classes = f"expected {full_name(wanted)}, actual {full_name(found)}"
    if parts(expected) and parts(expected) == parts(actual):
        return f"equal data, but of another class: {classes}"
    if str(expected) == str(actual) or expected == actual:
        return f"only the type differs: {classes}"
    return ""
