"""Finds events that ``evolve`` leaves out: a ``match`` without a case for them returns ``None``."""

from __future__ import annotations

import functools
import inspect
import types
import typing
from collections.abc import Callable
from typing import Any, TypeVar

from eventhus.domain.type_hints import UnresolvedAlias, union_members
from eventhus_testing.rules.rules import RuleBroken


def missing_case(event: object, word: str, notes: tuple[str, ...] = ()) -> RuleBroken:
    """Return the error for an ``evolve`` that returned ``None``.

    Args:
        event: The event it was called with.
        word: What it should have returned: "state" or "value".
        notes: More to know, a line each.
    """
    name = type(event).__qualname__
    return RuleBroken(
        "evolvable",
        f"evolve returned None for {name}; add a case for {name} that returns the {word}",
        notes,
    )


def admits_none(annotation: Any) -> bool:
    """Return whether ``None`` is a value of a type, or the type is not known exactly."""
    try:
        members = [*union_members(annotation)]
    except UnresolvedAlias:
        return True
    return any(
        member in (Any, object, None, types.NoneType)
        or isinstance(member, TypeVar | str | typing.ForwardRef)
        for member in members
    )


def return_annotation(function: Callable[..., Any]) -> Any:
    """Return the annotated type of what a function returns; ``Any`` where it cannot be known."""
    while isinstance(function, functools.partial):
        function = function.func
    is_plain = inspect.isroutine(function)
    try:
        hints = typing.get_type_hints(function if is_plain else type(function).__call__)
    except Exception:  # noqa: BLE001 - evaluating text can raise anything
        return Any
    return hints.get("return", Any)
