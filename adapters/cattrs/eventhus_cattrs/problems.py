"""What does not fit, where it is, and how types are called in messages."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any, Union, get_args, get_origin


class Mismatch(Exception):
    """A value, or data, is not what its type admits.

    Raised where it is found; what encloses that place adds its own step on the way out.
    The problem never quotes what was found: it may be personal.
    """

    def __init__(self, problem: str, step: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self._steps = [step]

    def within(self, step: str) -> None:
        """Put a step before the path: ``.row`` for a field, ``[2]`` for an item of a list."""
        self._steps.append(step)

    @property
    def path(self) -> str:
        """From the outermost value to the place, such as ``seats[2].row``."""
        return "".join(reversed(self._steps)).removeprefix(".")


class Unsupported(Exception):
    """A type that cannot be encoded and decoded faithfully. Says why and what to do."""


def expected(wanted: str, found: object) -> Mismatch:
    """What to raise for a value of another class than the one that was wanted."""
    return Mismatch(f"expected {wanted}, found {type_text(type(found))}")


def expect_mapping(wanted: str, data: Any) -> None:
    """Raise a ``Mismatch`` unless ``data`` is a dict, or what a store has in its place."""
    if type(data) is not dict and not isinstance(data, Mapping):  # the latter takes its time
        raise expected(wanted, data)


def type_text(as_type: Any) -> str:
    """What a reader would write for a type: ``int``, ``A | None``, ``dict[str, A]``."""
    if get_origin(as_type) in (Union, types.UnionType):
        return " | ".join(type_text(member) for member in get_args(as_type))
    if arguments := get_args(as_type):
        inside = ", ".join(type_text(argument) for argument in arguments)
        return f"{type_text(get_origin(as_type))}[{inside}]"
    if as_type is types.NoneType:
        return "None"
    if as_type is ...:
        return "..."
    name: str = getattr(as_type, "__name__", None) or repr(as_type)
    return name
