"""Fingerprints of state types, so that a snapshot of another shape is never used."""

from __future__ import annotations

import hashlib
import types
from collections.abc import Iterator
from enum import Enum
from typing import Any, Union, get_args, get_origin

import attrs


def fingerprint(state_type: Any, revision: int) -> str:
    """Return a fingerprint of a state's shape and the revision of the rules that make it.

    It has 16 hexadecimal digits: a truncated SHA-256 over the names and types of all fields, nested
    classes included, and over the members of enums. It may differ between Python versions.
    """
    text = "\n".join([str(revision), *_shape(state_type, [])])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _shape(as_type: Any, seen: list[Any]) -> Iterator[str]:
    # An alias ("type X = …", Python 3.12) stands for its value. A parametrised one has parts.
    while not get_args(as_type) and hasattr(as_type, "__value__") and as_type not in seen:
        seen.append(as_type)
        as_type = as_type.__value__
    arguments = get_args(as_type)
    origin = get_origin(as_type) if arguments else as_type
    # The two spellings of a union are one shape.
    yield (
        "|" if origin in (Union, types.UnionType) else getattr(origin, "__qualname__", repr(origin))
    )
    if origin not in seen:  # a type may contain itself
        seen.append(origin)
        yield from _parts(origin, seen)
    for argument in arguments:
        yield from _shape(argument, seen)
    yield "."


def _parts(origin: Any, seen: list[Any]) -> Iterator[str]:
    if isinstance(origin, type) and attrs.has(origin):
        for part in attrs.fields(attrs.resolve_types(origin)):
            yield part.name
            yield from _shape(part.type, seen)
    elif isinstance(origin, type) and issubclass(origin, Enum):
        yield repr([(member.name, member.value) for member in origin])
    elif hasattr(origin, "__value__"):
        yield from _shape(origin.__value__, seen)
    elif hasattr(origin, "__supertype__"):
        yield from _shape(origin.__supertype__, seen)
