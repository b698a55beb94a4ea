"""Command, event and state classes, read from the annotations of functions."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any

from attrs import frozen

from eventhus.domain.recorded import Recorded
from eventhus.domain.type_hints import UnresolvedAlias, union_members
from eventhus.errors import CompositionError


def parameter_classes(function: Callable[..., Any], index: int, argument: str) -> tuple[Any, ...]:
    """Return the classes in a parameter's annotation, in order, each once.

    Understands ``X | Y``, ``Union``, aliases of these, nested ones, strings, and a single class.

    Args:
        function: Any callable: a function, a bound method, a partial, an instance with
            ``__call__``.
        index: The index of the parameter, from 0.
        argument: The argument that can pass the classes instead, for the message.

    Raises:
        CompositionError: The parameter or its annotation is missing, cannot be resolved, or
            contains something other than classes.
    """
    return _Parameter(function, index, argument).classes(union_members)


def recorded_classes(function: Callable[..., Any], index: int, argument: str) -> tuple[Any, ...]:
    """Return the event classes in an annotation of the form ``Recorded[X | Y]``.

    Args:
        function: As for ``parameter_classes``.
        index: As for ``parameter_classes``.
        argument: As for ``parameter_classes``.

    Raises:
        CompositionError: As for ``parameter_classes``, or the annotation is not ``Recorded``.
    """
    return _Parameter(function, index, argument).classes(_enveloped)


def taken_classes(function: Callable[..., Any], index: int) -> tuple[Any, ...]:
    """Return what ``recorded_classes`` returns, or ``object`` where it raises."""
    try:
        return recorded_classes(function, index, "events")
    except CompositionError:
        return (object,)


def check_takes(argument: str, events: Iterable[type[Any]], taken: tuple[Any, ...]) -> None:
    """Refuse a function that will get events which its annotation leaves out.

    Type checkers do not report it: they infer the events that all functions have in common.

    Args:
        argument: The owner of the function and its argument, for the message.
        events: The event classes that the function will get.
        taken: Those in its annotation.

    Raises:
        CompositionError: The annotation leaves out one of them.
    """
    for cls in events:
        if not any(is_kind_of(cls, base) for base in taken):
            raise CompositionError(
                f"{argument} will get {cls.__qualname__}, which its annotation leaves out; "
                f"add it there"
            )


def is_kind_of(cls: type, annotated: Any) -> bool:
    """Return whether a parameter with an annotation takes instances of a class."""
    try:
        return annotated is Any or issubclass(cls, annotated)
    except TypeError:  # a protocol with attributes, which says nothing of classes
        return True


def parameter_annotation(function: Callable[..., Any], index: int, argument: str) -> Any:
    """Return the annotation of a parameter, with strings resolved; ``None`` if it has none.

    Args:
        function: As for ``parameter_classes``.
        index: As for ``parameter_classes``.
        argument: As for ``parameter_classes``.

    Raises:
        CompositionError: The signature of the function is unknown, or a name in the annotation
            cannot be resolved.
    """
    try:
        parameters = list(inspect.signature(function).parameters.values())
        if index >= len(parameters) or parameters[index].annotation is inspect.Parameter.empty:
            return None
        # Resolve only this one: other annotations may use names that only type checkers see.
        wanted = types.SimpleNamespace(__annotations__={"wanted": parameters[index].annotation})
        plain = _plain_function(function)
        visible = getattr(plain, "__globals__", {})
        return typing.get_type_hints(wanted, visible, _closure(plain))["wanted"]
    except Exception as error:  # evaluating text can raise anything
        raise CompositionError(
            f"{_label(function)}: the annotation of parameter {index + 1} cannot be resolved "
            f"({error}); make its names visible where the function is defined, or pass "
            f"{argument}=..."
        ) from error


def folded_type(function: Callable[..., Any], initial: object, argument: str) -> Any:
    """Return the annotated type of a function's first parameter, or else the class of ``initial``.

    Args:
        function: As for ``parameter_classes``.
        initial: The value before the first event.
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
        except UnresolvedAlias as error:
            raise self._refused(f"in the annotation of {parameter}, {error};") from error
        for member in members:
            if isinstance(member, _NoEnvelope):
                raise self._refused(
                    f"{parameter} is annotated with {member.annotation!r}, which is not Recorded; "
                    f"annotate it with Recorded[X | Y], or"
                )
            if not isinstance(member, type):
                raise self._refused(
                    f"{parameter} is annotated with {member!r}, which is not a class; "
                    f"annotate it with classes, or"
                )
        return members

    def _refused(self, problem: str) -> CompositionError:
        return CompositionError(f"{_label(self.function)}: {problem} pass {self.argument}=...")


@frozen
class _NoEnvelope:
    annotation: Any


def _closure(function: Any) -> dict[str, Any]:
    """Return the variables of enclosing functions that a function uses."""
    closure: dict[str, Any] = {}
    if inspect.isfunction(function):
        names = function.__code__.co_freevars
        for name, cell in zip(names, function.__closure__ or (), strict=True):
            with suppress(ValueError):  # not assigned yet
                closure[name] = cell.cell_contents
    return closure


def _enveloped(annotation: Any) -> Iterator[Any]:
    for member in union_members(annotation):
        if typing.get_origin(member) is Recorded:
            yield from union_members(typing.get_args(member)[0])
        else:
            yield _NoEnvelope(member)


def _plain_function(function: Any) -> Any:
    """Return the function behind partials, methods, decorators and callable instances."""
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
