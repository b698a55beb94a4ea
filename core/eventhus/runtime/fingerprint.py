"""Names the shape of a state, so that a snapshot of another shape is never trusted."""

from __future__ import annotations

import hashlib
import types
from collections.abc import Iterator
from enum import Enum
from typing import Any, Union, get_args, get_origin

import attrs


def fingerprint(state_type: Any, revision: int) -> str:
    """Name the shape of a state and the revision of the rules that make it.

    16 hexadecimal digits: a truncated SHA-256 over the names and types of all fields, of nested
    classes too, and the members of enums. It may differ between Python versions.
    """
    text = "\n".join([str(revision), *_shape(state_type, set())])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _shape(as_type: Any, seen: set[type]) -> Iterator[str]:
    if hasattr(as_type, "__value__"):  # "type X = …", Python 3.12
        yield from _shape(as_type.__value__, seen)
    elif arguments := get_args(as_type):
        origin = get_origin(as_type)
        # The two spellings of a union are one shape.
        yield "|" if origin in (Union, types.UnionType) else f"{origin!r}["
        for argument in arguments:
            yield from _shape(argument, seen)
        yield "]"
    elif isinstance(as_type, type):
        yield as_type.__qualname__
        if as_type not in seen:
            seen.add(as_type)
            yield from _members(as_type, seen)
    else:
        yield repr(as_type)


def _members(cls: type, seen: set[type]) -> Iterator[str]:
    if attrs.has(cls):
        for part in attrs.fields(attrs.resolve_types(cls)):
            yield f".{part.name}"
            yield from _shape(part.type, seen)
    elif issubclass(cls, Enum):
        yield repr([(member.name, member.value) for member in cls])
