"""How an application stores a class of its own."""

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
    """Stores a class that the codec does not know by way of a type that it does.

    ``decode`` must undo ``encode``. What lies between the two is checked as strictly as any field
    of the type ``as_type``, so neither needs checks of its own.

    >>> from pathlib import PurePosixPath
    >>> paths = Hook(PurePosixPath, as_type=str, encode=str, decode=PurePosixPath)

    Attributes:
        cls: The class. Fields of it may hold instances of its subclasses, too.
        as_type: What it is stored as: any type that the codec handles.
        encode: From an instance to a value of ``as_type``.
        decode: From a value of ``as_type`` to an instance. Raises ``ValueError`` for one that
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
            raise CompositionError(f"a Hook is for a class, and {type_text(cls)} is none")


def hook_coder(hook: Hook[Any, Any], stored: Coder) -> Coder:
    """A coder for the class of a hook, by way of that of the type it is stored as."""
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
