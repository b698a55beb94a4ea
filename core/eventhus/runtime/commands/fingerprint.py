"""Fingerprints of state types, so that a snapshot of another shape is never used."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from enum import Enum
from typing import Any, get_args, get_origin

import attrs

from eventhus.domain.type_hints import aliased, field_types, is_alias, is_union


def fingerprint(state_type: Any, revision: int) -> str:
    """Return a fingerprint of a state's shape and the revision of the rules that make it.

    It has 16 hexadecimal digits: a truncated SHA-256 over the names and types of all fields, nested
    classes included, and over the members of enums. It may differ between Python versions.
    """
    text = "\n".join([str(revision), *_shape(state_type, [])])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _shape(as_type: Any, seen: list[Any]) -> Iterator[str]:
    if is_alias(as_type) and as_type not in seen:  # an alias may contain itself
        seen.append(as_type)
        yield from _shape(aliased(as_type), seen)
        seen.remove(as_type)  # the next use of it stands for the same type
        return
    arguments = get_args(as_type)
    origin = get_origin(as_type) if arguments else as_type
    # The two spellings of a union are one shape.
    yield "|" if is_union(as_type) else getattr(origin, "__qualname__", repr(origin))
    if origin not in seen:  # a type may contain itself
        seen.append(origin)
        yield from _parts(origin, seen)
    for argument in arguments:
        yield from _shape(argument, seen)
    yield "."


def _parts(origin: Any, seen: list[Any]) -> Iterator[str]:
    if isinstance(origin, type) and attrs.has(origin):
        types_by_name = field_types(origin)
        for part in attrs.fields(origin):
            yield part.name
            yield from _shape(types_by_name.get(part.name), seen)
    elif isinstance(origin, type) and issubclass(origin, Enum):
        yield repr([(member.name, member.value) for member in origin])
    elif hasattr(origin, "__supertype__"):
        yield from _shape(origin.__supertype__, seen)
