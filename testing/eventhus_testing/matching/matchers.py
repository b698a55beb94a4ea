"""Expectations that leave something open: matchers, predicates, fields that do not count."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, TypeVar, cast

import attrs
from attrs import frozen

from eventhus_testing.python_source.functions import readable
from eventhus_testing.values.comparing import ATOMS, parts

T = TypeVar("T")


def like(cls: type[T], **fields: object) -> T:
    """Stands for any value of a class whose named fields are as given; the others do not count.

    For type checkers it is a value of that class, so it goes wherever one is expected:
    ``.then(like(AccountCreated, owner="ann"))``.

    Args:
        cls: An attrs class.
        fields: What is expected in which field: a value, a predicate, or a matcher as those of
            PyHamcrest (``matches`` and ``describe_to``) and dirty-equals (``==``).

    Raises:
        TypeError: It is no attrs class, or has no such field.
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
    """See ``like``.

    Attributes:
        cls: The class.
        fields: What is expected in which field.
        is_whole: Whether these are all fields that count.
    """

    cls: type
    fields: Mapping[str, object]
    is_whole: bool = False

    def __repr__(self) -> str:
        fields = [f"{name}={text_of(value)}" for name, value in self.fields.items()]
        fields += [] if self.is_whole else ["..."]
        return f"{self.cls.__qualname__}({', '.join(fields)})"


def class_of(expected: object) -> type:
    """The class that a value is expected to have."""
    return expected.cls if isinstance(expected, Like) else type(expected)


def is_open(expected: object) -> bool:
    """Whether something is a matcher or a predicate rather than a value."""
    cls = type(expected)
    if hasattr(cls, "matches") and hasattr(cls, "describe_to"):
        return True
    return isinstance(expected, Like) or _is_predicate(expected)


def _is_predicate(expected: Any) -> bool:
    if inspect.isroutine(expected):
        return True
    return callable(expected) and not isinstance(expected, type) and parts(expected) is None


def matches(expected: Any, actual: Any, ignoring: Collection[str] = ()) -> bool:
    """Whether a value is what was expected.

    Args:
        expected: A value, a matcher, a predicate, or a value with such in its parts.
        actual: The value.
        ignoring: The names of fields that do not count, wherever they stand.

    Raises:
        TypeError: ``ignoring`` is one text, whose letters are no names.
    """
    if isinstance(ignoring, str):
        raise TypeError(f"ignoring takes a collection of names: ignoring={{{ignoring!r}}}")
    if type(expected) is type(actual) and expected == actual and not _slips(expected, actual):
        return True
    if is_open(expected):
        if isinstance(expected, Like):
            return type(actual) is expected.cls and all(
                name in ignoring or matches(wanted, getattr(actual, name), ignoring)
                for name, wanted in expected.fields.items()
            )
        if _is_predicate(expected):
            return bool(expected(actual))
        return bool(expected.matches(actual))
    if type(expected) is not type(actual):
        # A matcher of dirty-equals has no class in common with what it is equal to.
        is_slip = type(expected) in ATOMS and type(actual) in ATOMS
        return parts(expected) is None and not is_slip and bool(expected == actual)
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
    """Whether equal values differ in the class of a part: ``1`` equals ``1.0`` and ``True``."""
    if type(expected) is not type(actual):
        return type(expected) in ATOMS and type(actual) in ATOMS
    wanted = parts(expected)
    if not wanted:
        return False
    found = parts(actual) or {}
    return any(name in found and _slips(part, found[name]) for name, part in wanted.items())


def unpaired(
    expected: Sequence[Any], actual: Sequence[Any], ignoring: Collection[str] = ()
) -> tuple[list[Any], list[Any]]:
    """What is left of two collections when as many as possible are paired, in whatever order.

    Open expectations may fit several values, so this is a maximum bipartite matching, by
    augmenting paths (Kuhn's algorithm).

    Returns:
        The expectations that no value is left for, and the values that nobody expected.
    """
    fitting = [
        [index for index, value in enumerate(actual) if matches(wanted, value, ignoring)]
        for wanted in expected
    ]
    taken: dict[int, int] = {}  # by which expectation each value is taken

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
    """An expectation without the fields that do not count: no text may state what nobody checks.

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
    """A container of the same class and keys with other items; itself where there is no way."""
    cls: Any = type(container)
    if isinstance(container, Mapping):
        keys: Mapping[Any, Any] = container
        items = dict(zip(keys, items, strict=True))
    try:
        return getattr(cls, "_make", cls)(items)  # _make is that of named tuples
    except Exception:  # noqa: BLE001 - a class of somebody's own, made otherwise
        return container


def text_of(expected: object) -> str:
    """What an expectation says, for people; the same in every run."""
    if _is_predicate(expected):
        return f"what {readable(expected)} takes"
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
