"""Mismatches with their paths, and the names of types in messages."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any, get_args, get_origin

from eventhus.domain.type_hints import is_union
from eventhus_cattrs.frozen_clock import frozen_clock_advice


class Mismatch(Exception):
    """A value, or data, does not fit its type.

    It is raised where it is found, and each enclosing coder adds its step to the path. The problem
    never quotes the value, which may be personal.
    """

    def __init__(self, problem: str, step: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self._steps = [step]

    def within(self, step: str) -> None:
        """Put a step in front of the path: ``.row`` for a field, ``[2]`` for an item of a list."""
        self._steps.append(step)

    @property
    def path(self) -> str:
        """The path from the outermost value to the place, such as ``seats[2].row``."""
        return "".join(reversed(self._steps)).removeprefix(".")


class Unsupported(Exception):
    """A type cannot be encoded and decoded faithfully. The message says why, and what to do."""


def expected(wanted: str, found: object) -> Mismatch:
    """Return the error for a value of another class."""
    problem = f"expected {wanted}, found {type_text(type(found))}"
    if advice := frozen_clock_advice(type(found)):
        problem += f", which {advice}"
    return Mismatch(problem)


def expect_mapping(wanted: str, data: Any) -> None:
    """Raise a ``Mismatch`` unless ``data`` is a dict, or a mapping of a store's driver."""
    if type(data) is not dict and not isinstance(
        data, Mapping
    ):  # isinstance with an abstract class is slow
        raise expected(wanted, data)


def type_text(as_type: Any) -> str:
    """Return a type as a reader would write it: ``int``, ``A | None``, ``dict[str, A]``."""
    if is_union(as_type):
        return " | ".join(type_text(member) for member in get_args(as_type))
    if isinstance(as_type, list):  # the parameters of a Callable
        return f"[{', '.join(map(type_text, as_type))}]"
    if arguments := get_args(as_type):
        inside = ", ".join(type_text(argument) for argument in arguments)
        return f"{type_text(get_origin(as_type))}[{inside}]"
    if as_type is types.NoneType:
        return "None"
    if as_type is ...:
        return "..."
    name: str = getattr(as_type, "__name__", None) or repr(as_type)
    return name
