"""What type variables stand for."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any, Generic, TypeVar, get_args, get_origin


class Bindings:
    """What the type variables of a class stand for, in the class and in each of its bases.

    Each base has its own, since one variable may stand for different types in two of them.

    Args:
        as_type: A class, or a generic one with its arguments.
    """

    def __init__(self, as_type: Any) -> None:
        self._cls: type = get_origin(as_type) or as_type
        self._by_class = dict(_by_class(as_type))

    @property
    def of_class(self) -> Mapping[Any, Any]:
        """What those of the class itself stand for."""
        return self._by_class[self._cls]

    def resolve(self, name: str, hint: Any) -> Any:
        """The type of a field, given what the class or a base annotates it with."""
        owner = next(cls for cls in self._cls.__mro__ if name in inspect.get_annotations(cls))
        return substitute(hint, self._by_class.get(owner, {}))


def substitute(as_type: Any, arguments: Mapping[Any, Any]) -> Any:
    """A type with its type variables replaced by what they stand for."""
    if isinstance(as_type, TypeVar):
        return arguments.get(as_type, as_type)
    parameters = getattr(as_type, "__parameters__", ())
    if isinstance(as_type, type) or not parameters:
        return as_type
    return as_type[tuple(arguments.get(parameter, parameter) for parameter in parameters)]


def is_alias(as_type: Any) -> bool:
    """Whether it is ``type X = …`` of Python 3.12, or what typing_extensions has before it."""
    return type(get_origin(as_type) or as_type).__name__ == "TypeAliasType"


def aliased(as_type: Any) -> Any:
    """What an alias stands for.

    Raises:
        NameError: What it stands for is not there.
    """
    alias = get_origin(as_type) or as_type
    arguments = dict(zip(alias.__type_params__, get_args(as_type), strict=False))
    return substitute(alias.__value__, arguments)


def _by_class(as_type: Any) -> Iterator[tuple[type, Mapping[Any, Any]]]:
    cls = get_origin(as_type) or as_type
    arguments = dict(zip(getattr(cls, "__parameters__", ()), get_args(as_type), strict=False))
    yield cls, arguments
    for base in cls.__dict__.get("__orig_bases__", cls.__bases__):
        if get_origin(base) is not Generic:
            yield from _by_class(substitute(base, arguments))
