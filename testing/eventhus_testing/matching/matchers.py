"""Expectations for values: exact values, matchers, predicates and ignored fields."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar, cast

import attrs
from attrs import frozen

from eventhus_testing.python_source.functions import readable
from eventhus_testing.values.comparing import ATOMS, CLOCKS, equal, parts, same_clock, type_of
from eventhus_testing.values.truth import is_true

T = TypeVar("T")


Expectation: TypeAlias = Callable[[Any], object] | object
"""A value, a predicate or a matcher.

The callable adds nothing to ``object``, except that type checkers know the parameter of a lambda.
"""


def like(cls: type[T], **fields: Expectation) -> T:
    """Return an expectation for a value of a class that compares only the named fields.

    Type checkers see a value of that class, so it can be used where such a value is expected:
    ``.then(like(AccountCreated, owner="ann"))``.

    Args:
        cls: An attrs class.
        fields: The expectation for each field: a value, a predicate, a PyHamcrest matcher
            or a dirty-equals matcher.

    Raises:
        TypeError: ``cls`` is not an attrs class, or it has no such field.
    """
    plain: Any = typing.get_origin(cls) or cls
    if not attrs.has(plain):
        raise TypeError(f"like: {cls!r} is not an attrs class")
    names = {}
    for field in attrs.fields(plain):
        names[field.name] = names[field.alias or field.name] = field.name
    for name in fields:
        if name not in names:
            has = ", ".join(dict.fromkeys(names.values()))
            raise TypeError(f"like: {plain.__qualname__} has no field {name!r}; it has {has}")
    return cast("T", Like(plain, {names[name]: value for name, value in fields.items()}))


@frozen(repr=False)
class Like:
    """An expectation for some fields of a class. Made by ``like``.

    Attributes:
        cls: The class.
        fields: The expectation for each field.
        is_whole: True if these are all compared fields of the class.
    """

    cls: type
    fields: Mapping[str, object]
    is_whole: bool = False

    def __repr__(self) -> str:
        fields = [f"{name}={text_of(value)}" for name, value in self.fields.items()]
        fields += [] if self.is_whole else ["..."]
        return f"{self.cls.__qualname__}({', '.join(fields)})"


def class_of(expected: object) -> type:
    """Return the class that a value is expected to have."""
    return expected.cls if isinstance(expected, Like) else type(expected)


def is_open(expected: object) -> bool:
    """Return whether an expectation is a matcher or a predicate rather than a value."""
    cls = type(expected)
    if hasattr(cls, "matches") and hasattr(cls, "describe_to"):
        return True
    return isinstance(expected, Like) or _is_predicate(expected)


def _is_predicate(expected: Any) -> bool:
    if inspect.isroutine(expected):
        return True
    return callable(expected) and not isinstance(expected, type) and parts(expected) is None


def matches(expected: Any, actual: Any, ignoring: Collection[str] = ()) -> bool:
    """Return whether a value matches an expectation.

    Args:
        expected: A value, a matcher, a predicate, or a value that contains matchers or predicates.
        actual: The value to check.
        ignoring: Names of fields to ignore at every level.

    Raises:
        TypeError: ``ignoring`` is a string instead of a collection of names, or a predicate or
            matcher did not return a truth value (see ``is_true``).
    """
    if isinstance(ignoring, str):
        raise TypeError(f"ignoring takes a collection of names: ignoring={{{ignoring!r}}}")
    cls, actual_cls = type_of(expected), type_of(actual)
    if cls is actual_cls and cls in CLOCKS:
        return same_clock(expected, actual)
    if cls is actual_cls and not _slips(expected, actual) and equal(expected, actual):
        return True
    if is_open(expected):
        if isinstance(expected, Like):
            return type(actual) is expected.cls and all(
                name in ignoring or matches(wanted, getattr(actual, name), ignoring)
                for name, wanted in expected.fields.items()
            )
        if _is_predicate(expected):
            return is_true(expected(actual), readable(expected))
        return is_true(expected.matches(actual), f"{type(expected).__qualname__}.matches")
    if cls is not actual_cls:
        # A dirty-equals matcher equals values of other classes.
        is_slip = cls in CLOCKS or (cls in ATOMS and actual_cls in ATOMS)
        return parts(expected) is None and not is_slip and equal(expected, actual)
    wanted, found = parts(expected), parts(actual)
    return (
        wanted is not None
        and found is not None
        and wanted.keys() == found.keys()
        and all(
            name.removeprefix(".") in ignoring or matches(part, found[name], ignoring)
            for name, part in wanted.items()
        )
    )


def _slips(expected: Any, actual: Any) -> bool:
    """Return whether ``==`` of two values says too little, so that their parts must be compared.

    A part may be of another class, as ``1`` equals ``1.0`` and ``True``; or it may be a matcher
    whose ``==`` answers with a coroutine, which counts as true.
    """
    wanted = parts(expected)
    cls = type_of(expected)
    if cls is not type_of(actual):
        return wanted is None
    if cls in CLOCKS:
        return not same_clock(expected, actual)
    if expected is actual or cls in ATOMS:
        return False
    if wanted is None:
        return not equal(expected, actual)
    found = parts(actual) or {}
    return any(name in found and _slips(part, found[name]) for name, part in wanted.items())


def unpaired(
    expected: Sequence[Any], actual: Sequence[Any], ignoring: Collection[str] = ()
) -> tuple[list[Any], list[Any]]:
    """Pair expectations with values in any order, and return what is left over.

    A matcher may accept several values, so this computes a maximum bipartite matching with
    augmenting paths (Kuhn's algorithm).

    Returns:
        The expectations without a value, and the values without an expectation.
    """
    fitting = [
        [index for index, value in enumerate(actual) if matches(wanted, value, ignoring)]
        for wanted in expected
    ]
    taken: dict[int, int] = {}  # the index of the expectation for each value's index

    def place(wanted: int, tried: set[int]) -> bool:
        for index in fitting[wanted]:
            if index not in tried:
                tried.add(index)
                if index not in taken or place(taken[index], tried):
                    taken[index] = wanted
                    return True
        return False

    missing = [wanted for index, wanted in enumerate(expected) if not place(index, set())]
    return missing, [value for index, value in enumerate(actual) if index not in taken]


def mask_fields(expected: T, ignoring: Collection[str]) -> T:
    """Return an expectation without the ignored fields, so that failure texts omit them.

    Args:
        expected: As for ``matches``.
        ignoring: As for ``matches``.
    """
    return cast("T", _mask_fields(expected, ignoring)) if ignoring else expected


def _mask_fields(expected: Any, ignoring: Collection[str]) -> Any:
    if isinstance(expected, Like):
        cls, is_whole = expected.cls, expected.is_whole
        inside = {f".{name}": part for name, part in expected.fields.items()}
    else:
        cls, is_whole = type(expected), True
        inside = {} if is_open(expected) else parts(expected) or {}
    kept = {
        name: _mask_fields(part, ignoring)
        for name, part in inside.items()
        if not (name.startswith(".") and name[1:] in ignoring)
    }
    if len(kept) == len(inside) and all(part is inside[name] for name, part in kept.items()):
        return expected
    if isinstance(expected, Mapping | list | tuple):
        container: Any = expected
        return _with_items(container, kept.values())
    fields = {name[1:]: part for name, part in kept.items()}
    return Like(cls, fields, is_whole=is_whole and len(kept) == len(inside))


def _with_items(container: Any, items: Iterable[Any]) -> Any:
    """Return a container of the same class and keys with other items, or itself if that fails."""
    cls: Any = type(container)
    if isinstance(container, Mapping):
        keys: Mapping[Any, Any] = container
        items = dict(zip(keys, items, strict=True))
    try:
        return getattr(cls, "_make", cls)(items)  # _make is that of named tuples
    except Exception:  # noqa: BLE001 - a custom class may have another constructor
        return container


def text_of(expected: object) -> str:
    """Return a readable text of an expectation that is the same in every run."""
    if _is_predicate(expected):
        return f"a value that satisfies {readable(expected)}"
    if hasattr(type(expected), "describe_to"):
        return str(expected)
    if isinstance(expected, Like) or not _has_open_parts(expected):
        return repr(expected)
    inside: Mapping[str, Any] = parts(expected) or {}
    texts = [text_of(part) for part in inside.values()]
    if isinstance(expected, Mapping):
        keys: Mapping[Any, Any] = expected
        pairs = zip(keys, texts, strict=True)
        return f"{{{', '.join(f'{key!r}: {text}' for key, text in pairs)}}}"
    if isinstance(expected, list):
        return f"[{', '.join(texts)}]"
    if isinstance(expected, tuple):
        return f"({', '.join(texts)}{',' if len(texts) == 1 else ''})"
    fields = {name[1:]: part for name, part in inside.items()}
    return repr(Like(type(expected), fields, is_whole=True))


def _has_open_parts(expected: object) -> bool:
    inside = (parts(expected) or {}).values()
    return any(is_open(part) or _has_open_parts(part) for part in inside)
