"""Hooks for the application's own classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from attrs import frozen

from eventhus.errors import CompositionError
from eventhus_cattrs.coder import Coder
from eventhus_cattrs.problems import Mismatch, expected, type_text

T = TypeVar("T")
P = TypeVar("P")


@frozen
class Hook(Generic[T, P]):
    """Stores a class that the codec does not know as a type that it knows.

    ``decode`` must undo ``encode``. The value in between is checked as strictly as any field of
    the type ``as_type``, so neither function needs checks of its own.

    >>> from pathlib import PurePosixPath
    >>> paths = Hook(PurePosixPath, as_type=str, encode=str, decode=PurePosixPath)

    Attributes:
        cls: The class. Fields may hold instances of its subclasses, too.
        as_type: The type that is stored: any type that the codec handles.
        encode: Turns an instance into a value of ``as_type``.
        decode: Turns a value of ``as_type`` to an instance. Raises ``ValueError`` for one that
            it cannot take.

    Raises:
        CompositionError: ``cls`` is not a class.
    """

    cls: type[T]
    as_type: type[P]
    encode: Callable[[T], P]
    decode: Callable[[P], T]

    def __attrs_post_init__(self) -> None:
        cls: object = self.cls
        if not isinstance(cls, type):
            raise CompositionError(f"a Hook is for a class, and {type_text(cls)} is not a class")


def hook_coder(hook: Hook[Any, Any], stored: Coder) -> Coder:
    """Return a coder for the class of a hook."""
    cls, name = hook.cls, hook.cls.__name__

    def encode(value: Any) -> Any:
        if not isinstance(value, cls):
            raise expected(name, value)
        return stored.encode(_call(hook.encode, value, f"the Hook of {name} could not encode it"))

    def decode(data: Any, _: Any = None) -> Any:
        value = stored.decode(data)
        return _call(hook.decode, value, f"the Hook of {name} could not decode it")

    return Coder(encode=encode, decode=decode, values=frozenset({cls}), data=stored.data)


def _call(function: Callable[[Any], Any], argument: Any, problem: str) -> Any:
    try:
        return function(argument)
    except Exception as error:
        # Not its message, which may quote the value.
        raise Mismatch(f"{problem}: {type(error).__name__}") from error
