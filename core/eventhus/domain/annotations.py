"""Reads the command and event classes of a domain from its functions' annotations."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from attrs import frozen

from eventhus.domain.recorded import Recorded
from eventhus.errors import CompositionError


def parameter_classes(function: Callable[..., Any], index: int, argument: str) -> tuple[Any, ...]:
    """The classes that a function's parameter admits, in order and each once.

    Understands ``X | Y``, ``Union``, aliases of these, nested ones, strings, and a single class.

    Args:
        function: Any callable: a function, a bound method, a partial, an instance with
            ``__call__``.
        index: Which of its parameters, from 0.
        argument: The argument that takes the classes instead; for messages.

    Raises:
        CompositionError: The parameter or its annotation is missing, cannot be resolved, or
            admits anything but classes.
    """
    return _Parameter(function, index, argument).classes(_members)


def recorded_classes(function: Callable[..., Any], index: int, argument: str) -> tuple[Any, ...]:
    """The classes of the events that a parameter takes in their envelopes: ``Recorded[X | Y]``.

    Args:
        function: As for ``parameter_classes``.
        index: As for ``parameter_classes``.
        argument: As for ``parameter_classes``.

    Raises:
        CompositionError: As for ``parameter_classes``; or the parameter takes no envelope.
    """
    return _Parameter(function, index, argument).classes(_enveloped)


def parameter_annotation(function: Callable[..., Any], index: int, argument: str) -> Any:
    """What a parameter is annotated with, strings resolved; ``None`` where it is not.

    Args:
        function: As for ``parameter_classes``.
        index: As for ``parameter_classes``.
        argument: As for ``parameter_classes``.

    Raises:
        CompositionError: The function does not show its parameters, or the annotation names
            something that it cannot see.
    """
    try:
        parameters = list(inspect.signature(function).parameters.values())
        if index >= len(parameters) or parameters[index].annotation is inspect.Parameter.empty:
            return None
        # Only this annotation is resolved: others may name what only type checkers see.
        wanted = types.SimpleNamespace(__annotations__={"wanted": parameters[index].annotation})
        plain = _plain_function(function)
        visible = getattr(plain, "__globals__", {})
        return typing.get_type_hints(wanted, visible, _closure(plain))["wanted"]
    except Exception as error:  # text that stands for a type can be wrong in any way
        raise CompositionError(
            f"{_label(function)}: the annotation of parameter {index + 1} cannot be resolved "
            f"({error}); make its names visible where the function is defined, or pass "
            f"{argument}=..."
        ) from error


def folded_type(function: Callable[..., Any], initial: object, argument: str) -> Any:
    """The type of what a function folds: its first parameter's, or else what it starts from.

    Args:
        function: As for ``parameter_classes``.
        initial: What it starts from.
        argument: As for ``parameter_classes``.

    Raises:
        CompositionError: As for ``parameter_annotation``.
    """
    annotation = parameter_annotation(function, 0, argument)
    return type(initial) if annotation is None else annotation


@frozen
class _Parameter:
    function: Callable[..., Any]
    index: int
    argument: str

    def classes(self, members_of: Callable[[Any], Iterator[Any]]) -> tuple[Any, ...]:
        parameter = f"parameter {self.index + 1}"
        annotation = parameter_annotation(self.function, self.index, self.argument)
        if annotation is None:
            raise self._refused(
                f"{parameter} has no annotation to read {self.argument} from; annotate it, or"
            )
        try:
            members = tuple(dict.fromkeys(members_of(annotation)))
        except (
            NameError
        ) as error:  # an alias of Python 3.12 is not evaluated before it is looked at
            raise self._refused(
                f"the annotation of {parameter} cannot be resolved ({error});"
            ) from error
        for member in members:
            if isinstance(member, _NoEnvelope):
                raise self._refused(
                    f"{parameter} admits {member.annotation!r}, which is no envelope of events; "
                    f"annotate it with Recorded[X | Y], or"
                )
            if not isinstance(member, type):
                raise self._refused(
                    f"{parameter} admits {member!r}, which is no class; "
                    f"annotate it with classes, or"
                )
        return members

    def _refused(self, problem: str) -> CompositionError:
        return CompositionError(f"{_label(self.function)}: {problem} pass {self.argument}=...")


@frozen
class _NoEnvelope:
    annotation: Any


def _closure(function: Any) -> dict[str, Any]:
    """What a function sees of the functions around it."""
    closure: dict[str, Any] = {}
    if inspect.isfunction(function):
        names = function.__code__.co_freevars
        for name, cell in zip(names, function.__closure__ or (), strict=True):
            with suppress(ValueError):  # not assigned yet
                closure[name] = cell.cell_contents
    return closure


def _members(annotation: Any) -> Iterator[Any]:
    if hasattr(annotation, "__value__"):  # "type X = …", Python 3.12
        yield from _members(annotation.__value__)
    elif typing.get_origin(annotation) in (typing.Union, types.UnionType):
        for member in typing.get_args(annotation):
            yield from _members(member)
    else:
        yield annotation


def _enveloped(annotation: Any) -> Iterator[Any]:
    for member in _members(annotation):
        if typing.get_origin(member) is Recorded:
            yield from _members(typing.get_args(member)[0])
        else:
            yield _NoEnvelope(member)


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
