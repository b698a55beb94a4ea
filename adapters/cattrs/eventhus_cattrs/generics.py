"""Binds the type variables of generic classes."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any, Generic, get_args, get_origin

from eventhus.domain.type_hints import bound, substitute


class Bindings:
    """The types that the type variables of a class stand for, in it and in each base.

    Each base has its own, since a variable may stand for different types in two bases.

    Args:
        as_type: A class, or a generic one with its arguments.
    """

    def __init__(self, as_type: Any) -> None:
        self._cls: type = get_origin(as_type) or as_type
        self._by_class = dict(_by_class(as_type))

    @property
    def of_class(self) -> Mapping[Any, Any]:
        """Return the bindings of the class itself."""
        return self._by_class[self._cls]

    def resolve(self, name: str, hint: Any) -> Any:
        """Return the type of a field from its annotation in the class or a base."""
        owner = next(cls for cls in self._cls.__mro__ if name in inspect.get_annotations(cls))
        return substitute(hint, self._by_class.get(owner, {}))


def _by_class(as_type: Any) -> Iterator[tuple[type, Mapping[Any, Any]]]:
    cls = get_origin(as_type) or as_type
    arguments = bound(getattr(cls, "__parameters__", ()), get_args(as_type))
    yield cls, arguments
    for base in cls.__dict__.get("__orig_bases__", cls.__bases__):
        if get_origin(base) is not Generic:
            yield from _by_class(substitute(base, arguments))
