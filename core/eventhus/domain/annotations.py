"""Reads the command and event classes of an aggregate from its functions' annotations."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Iterator
from typing import Any

from eventhus.errors import CompositionError


def parameter_classes(function: Callable[..., Any], index: int, argument: str) -> tuple[Any, ...]:
    """The classes that a function's parameter admits, in order and each once.

    Understands ``X | Y``, ``Union``, aliases of these, nested ones, strings, and a single class.

    Args:
        function: Any callable: a function, a bound method, a partial, an instance with
            ``__call__``.
        index: Which of its parameters, from 0.
        argument: The argument of ``Aggregate`` that takes the classes instead; for messages.

    Raises:
        CompositionError: The parameter or its annotation is missing, cannot be resolved, or
            admits anything but classes.
    """
    way_out = f"annotate it, or pass {argument}=(...) to Aggregate"
    label = _label(function)
    try:
        annotation = parameter_annotation(function, index)
    except NameError as error:
        raise CompositionError(
            f"{label}: the annotation of parameter {index + 1} cannot be resolved: {error}; "
            f"define the name at module level, or pass {argument}=(...) to Aggregate"
        ) from error
    if annotation is None:
        raise CompositionError(
            f"{label}: parameter {index + 1} has no annotation to read {argument} from; {way_out}"
        )
    members = tuple(dict.fromkeys(_members(annotation)))
    for member in members:
        if not isinstance(member, type):
            raise CompositionError(
                f"{label}: parameter {index + 1} admits {member!r}, which is not a class; "
                f"name the classes, or pass {argument}=(...) to Aggregate"
            )
    return members


def parameter_annotation(function: Callable[..., Any], index: int) -> Any:
    """What a parameter is annotated with, strings resolved; ``None`` where it is not.

    Raises:
        NameError: A string annotation names something that the function cannot see.
    """
    parameters = list(inspect.signature(function).parameters.values())
    if index >= len(parameters) or parameters[index].annotation is inspect.Parameter.empty:
        return None
    # Only this annotation is resolved: others may name what exists only while type checking.
    wanted = types.SimpleNamespace(__annotations__={"wanted": parameters[index].annotation})
    plain = _plain_function(function)
    names = inspect.getclosurevars(plain).nonlocals if inspect.isfunction(plain) else {}
    return typing.get_type_hints(wanted, getattr(plain, "__globals__", {}), dict(names))["wanted"]


def _members(annotation: Any) -> Iterator[Any]:
    if isinstance(annotation, getattr(typing, "TypeAliasType", ())):  # "type X = …", Python 3.12
        yield from _members(annotation.__value__)
    elif typing.get_origin(annotation) in (typing.Union, types.UnionType):
        for member in typing.get_args(annotation):
            yield from _members(member)
    else:
        yield annotation


def _plain_function(function: Any) -> Any:
    """The function that holds the globals: behind partials, methods, decorators, instances."""
    while True:
        if hasattr(function, "func"):
            function = function.func
        elif inspect.ismethod(function):
            function = function.__func__
        elif hasattr(function, "__wrapped__"):
            function = function.__wrapped__
        elif not inspect.isfunction(function) and inspect.ismethod(
            getattr(function, "__call__", None)  # noqa: B004 - the bound method itself is wanted
        ):
            function = function.__call__.__func__
        else:
            return function


def _label(function: Any) -> str:
    plain = _plain_function(function)
    name = getattr(plain, "__qualname__", repr(plain))
    return f"{getattr(plain, '__module__', '?')}.{name}"
