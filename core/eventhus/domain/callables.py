"""Checks whether callables are synchronous or asynchronous."""

import functools
import inspect
from collections.abc import Callable, Mapping

from eventhus.errors import CompositionError


def is_async(function: object) -> bool:
    """Return whether a call of ``function`` returns a coroutine, as far as its definition tells.

    Looks through ``functools.partial``, methods and objects with an ``async def __call__``.
    """
    return any(map(inspect.iscoroutinefunction, _definitions(function)))


def check_pure(owner: str, functions: Mapping[str, object]) -> None:
    """Refuse functions that cannot be pure because they are asynchronous.

    Args:
        owner: The aggregate, view or process, for the message.
        functions: The functions by the name of their argument.

    Raises:
        CompositionError: One of them is not callable, or is an ``async def`` or an async generator.
    """
    for argument, function in functions.items():
        if not callable(function):
            raise CompositionError(
                f"{owner}: {argument} must be a function, found {type(function).__name__}"
            )
        if is_async(function) or any(map(inspect.isasyncgenfunction, _definitions(function))):
            raise CompositionError(
                f"{owner}: {argument} is async, and must be pure; make it a plain def and await "
                f"outside of the domain"
            )


def takes(function: Callable[..., object], arguments: int) -> bool:
    """Return whether a function can be called with so many positional arguments.

    Assume so if Python does not know its signature.
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return True
    try:
        signature.bind(*range(arguments))
    except TypeError:
        return False
    return True


def _definitions(function: object) -> tuple[object, object]:
    while isinstance(function, functools.partial):
        function = function.func
    return function, getattr(type(function), "__call__", None)  # noqa: B004 - its definition
