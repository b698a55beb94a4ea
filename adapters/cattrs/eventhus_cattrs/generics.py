"""Resolves type variables and aliases."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any, Generic, TypeVar, get_args, get_origin, get_type_hints


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


def substitute(as_type: Any, arguments: Mapping[Any, Any]) -> Any:
    """Return a type with its type variables replaced."""
    if isinstance(as_type, TypeVar):
        return arguments.get(as_type, as_type)
    parameters = getattr(as_type, "__parameters__", ())
    if isinstance(as_type, type) or not parameters:
        return as_type
    return as_type[tuple(arguments.get(parameter, parameter) for parameter in parameters)]


def is_alias(as_type: Any) -> bool:
    """Return whether a type is ``type X = …`` of Python 3.12, or its backport."""
    return type(get_origin(as_type) or as_type).__name__ == "TypeAliasType"


def aliased(as_type: Any) -> Any:
    """Return the type that an alias stands for, with names given as strings resolved.

    Raises:
        NameError: A name in it is not defined in the module of the alias.
    """
    alias = get_origin(as_type) or as_type
    variables = {variable.__name__: variable for variable in alias.__type_params__}
    # One that ``exec`` has made may be in no module.
    module = sys.modules.get(alias.__module__ or "")
    # Before Python 3.12, an alias that contains itself must quote its own name.
    value = get_type_hints(
        SimpleNamespace(__annotations__={"value": alias.__value__}),
        globalns={} if module is None else vars(module),
        localns=variables,
        include_extras=True,
    )["value"]
    return substitute(value, dict(zip(alias.__type_params__, get_args(as_type), strict=False)))


def field_types(cls: type) -> dict[str, Any]:
    """Return the resolved annotations of a class and its bases.

    ``get_type_hints`` of Python before 3.12.4 does not find the type variables of
    ``class Box[T]`` in annotations that are strings. Bases may use one name for two variables.

    Raises:
        NameError: A name in an annotation is not defined.
        TypeError: An annotation is not a type.
        AttributeError: A module in an annotation lacks the name.
        SyntaxError: An annotation is not an expression.
    """
    variables = _variables(cls.__mro__)
    if not variables:
        return get_type_hints(cls)
    types: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        names = {**vars(base), **variables, **_variables([base])}
        resolved = get_type_hints(base, localns=names)
        types.update((name, resolved[name]) for name in inspect.get_annotations(base))
    return types


def _variables(classes: Iterable[type]) -> dict[str, Any]:
    """Return the variables of classes written as ``class Box[T]``, by name."""
    found = [getattr(cls, "__type_params__", ()) for cls in classes]
    return {variable.__name__: variable for variables in found for variable in variables}


def _by_class(as_type: Any) -> Iterator[tuple[type, Mapping[Any, Any]]]:
    cls = get_origin(as_type) or as_type
    arguments = dict(zip(getattr(cls, "__parameters__", ()), get_args(as_type), strict=False))
    yield cls, arguments
    for base in cls.__dict__.get("__orig_bases__", cls.__bases__):
        if get_origin(base) is not Generic:
            yield from _by_class(substitute(base, arguments))
