"""Resolves type aliases, type variables and the annotations of fields."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable, Iterator, Mapping
from types import SimpleNamespace, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

_MAX_STEPS = 100  # from alias to alias


class UnresolvedAlias(TypeError):
    """An alias names something that does not exist, or contains only itself."""

    def __init__(self, alias: Any, problem: object) -> None:
        super().__init__(f"{alias.__name__} cannot be resolved ({problem})")


def is_alias(as_type: Any) -> bool:
    """Return whether a type is ``type X = …`` of Python 3.12, or its backport."""
    return type(get_origin(as_type) or as_type).__name__ == "TypeAliasType"


def aliased(as_type: Any) -> Any:
    """Return the type that an alias stands for, with names given as strings resolved.

    Raises:
        UnresolvedAlias: A name in it is not defined in the module of the alias, or it is not a
            type.
    """
    value = as_type
    for _ in range(_MAX_STEPS):
        if not is_alias(value):
            return value
        value = _value(value)
    raise UnresolvedAlias(get_origin(as_type) or as_type, "it stands for itself")


def union_members(as_type: Any, *, depth: int = 0) -> Iterator[Any]:
    """Return the members of a union, also of nested ones and aliases; another type is the only one.

    Raises:
        UnresolvedAlias: As for ``aliased``, or a union is a member of itself.
    """
    if get_origin(as_type) is Annotated:
        yield from union_members(get_args(as_type)[0], depth=depth)
    elif is_alias(as_type):
        if depth == _MAX_STEPS:
            raise UnresolvedAlias(get_origin(as_type) or as_type, "it is a member of itself")
        yield from union_members(aliased(as_type), depth=depth + 1)
    elif is_union(as_type):
        for member in get_args(as_type):
            yield from union_members(member, depth=depth)
    else:
        yield as_type


def is_union(as_type: Any) -> bool:
    """Return whether a type is ``X | Y``, in any spelling."""
    return get_origin(as_type) in (Union, UnionType)


def _value(as_type: Any) -> Any:
    alias = get_origin(as_type) or as_type
    variables = {variable.__name__: variable for variable in alias.__type_params__}
    # One that ``exec`` has made may be in no module.
    module = sys.modules.get(alias.__module__ or "")
    try:
        # Before Python 3.12, an alias that contains itself must quote its own name.
        value = get_type_hints(
            SimpleNamespace(__annotations__={"value": alias.__value__}),
            globalns={} if module is None else vars(module),
            localns=variables,
        )["value"]
    except (NameError, AttributeError, SyntaxError, TypeError) as error:
        raise UnresolvedAlias(alias, error) from error
    return substitute(value, bound(alias.__type_params__, get_args(as_type)))


def bound(variables: Iterable[Any], arguments: Iterable[Any]) -> dict[Any, Any]:
    """Return the types that type variables stand for, defaults included.

    None of them is bound if there is a ``*Ts`` or ``**P`` among them.
    """
    variables = tuple(variables)
    if not all(isinstance(variable, TypeVar) for variable in variables):
        return {}
    types = dict(zip(variables, arguments, strict=False))
    for variable in variables:
        # Defaults are new in Python 3.13, and in the backport.
        has_default = hasattr(variable, "has_default") and variable.has_default()
        if has_default and variable not in types:
            types[variable] = substitute(variable.__default__, types)
    return types


def substitute(as_type: Any, arguments: Mapping[Any, Any]) -> Any:
    """Return a type with its type variables replaced."""
    if isinstance(as_type, TypeVar):
        return arguments.get(as_type, as_type)
    parameters = getattr(as_type, "__parameters__", ())
    if isinstance(as_type, type) or not parameters or not arguments:
        return as_type
    return as_type[tuple(arguments.get(parameter, parameter) for parameter in parameters)]


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
