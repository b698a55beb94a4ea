"""Compares stored data with the class that should read it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
from attrs import frozen

from eventhus.errors import CodecError
from eventhus.ports import Codec
from eventhus_testing.golden.sample_values import (
    NoSampleValue,
    field_types,
    sample_value,
    type_text,
)


@frozen(kw_only=True)
class FieldChange:
    """A field in which stored data and a class differ.

    Attributes:
        name: The key in the data.
        kind: ``added``, ``removed`` or ``changed``.
        stored: The stored value; ``None`` for an added field.
        now: A value that the class accepts, as plain data; ``None`` if none is known.
        is_default: True if ``now`` is the default of the field.
        type_text: The type of the field; empty for a removed field.
        problem: The codec's complaint about the stored value; often empty.
    """

    name: str
    kind: str
    stored: Any = None
    now: Any = None
    is_default: bool = False
    type_text: str = ""
    problem: str = ""


@frozen(kw_only=True)
class Change:
    """The differences between stored data and a class.

    Attributes:
        stored: The data.
        now: The most similar data that the class accepts; ``stored`` if none is known.
        fields: The fields that differ.
        renamed: The old and the new name, if one field was removed, one was added, and the new
            one accepts the data of the old one.
        problem: The codec's complaint, if it is not about a field.
    """

    stored: Mapping[str, Any]
    now: Mapping[str, Any]
    fields: Sequence[FieldChange]
    renamed: tuple[str, str] | None = None
    problem: str = ""


def change_of(
    cls: type,
    stored: Mapping[str, Any],
    codec: Codec,
    *,
    now: Mapping[str, Any] | None = None,
    problem: CodecError | None = None,
) -> Change:
    """Compare stored data with a class.

    Args:
        cls: An attrs class.
        stored: The data.
        codec: Encodes and decodes the fields.
        now: The event as the class encodes it, if the class can read it.
        problem: Why the class cannot read it.
    """
    types = _field_types(cls)
    known = now if now is not None else _example(cls, codec)
    example: Mapping[str, Any] = known or {}
    changes = _field_changes(types, stored, codec, example, now)
    renamed = _renamed(changes, types, codec)
    close = {**{name: example.get(name) for name in types}, **_kept(stored, types, changes)}
    if renamed is not None:
        close[renamed[1]] = stored[renamed[0]]
    return Change(
        stored=stored,
        now=stored if known is None else close,
        fields=changes,
        renamed=renamed,
        problem="" if changes or problem is None else problem.problem,
    )


def _field_changes(
    types: Mapping[str, Any],
    stored: Mapping[str, Any],
    codec: Codec,
    example: Mapping[str, Any],
    now: Mapping[str, Any] | None,
) -> list[FieldChange]:
    changes: list[FieldChange] = []
    for name, as_type in types.items():
        shown = example.get(name)
        if name not in stored:
            changes.append(
                FieldChange(
                    name=name,
                    kind="added",
                    now=shown,
                    is_default=now is not None,
                    type_text=type_text(as_type),
                )
            )
        elif (why := _unfit(as_type, stored[name], codec)) or _differs(now, stored, name):
            changes.append(
                FieldChange(
                    name=name,
                    kind="changed",
                    stored=stored[name],
                    now=shown,
                    type_text=type_text(as_type),
                    problem=why or "",
                )
            )
    changes += [
        FieldChange(name=name, kind="removed", stored=stored[name])
        for name in stored
        if name not in types
    ]
    return changes


def _kept(
    stored: Mapping[str, Any], types: Mapping[str, Any], changes: Sequence[FieldChange]
) -> dict[str, Any]:
    changed = {change.name for change in changes}
    return {name: data for name, data in stored.items() if name in types and name not in changed}


def _field_types(cls: Any) -> dict[str, Any]:
    types = field_types(cls)
    return {
        field.alias or field.name: types[field.name] for field in attrs.fields(cls) if field.init
    }


def _example(cls: type, codec: Codec) -> Mapping[str, Any] | None:
    try:
        encoded: Mapping[str, Any] = codec.encoder(cls)(sample_value(cls))
    except (NoSampleValue, CodecError):
        return None
    return encoded


def _unfit(as_type: Any, data: Any, codec: Codec) -> str | None:
    """Return why a type does not accept the data, or ``None`` if it does."""
    try:
        codec.decoder(as_type)(data)
    except CodecError as error:
        return f"{error.field}: {error.problem}".removeprefix(": ")
    return None


def _differs(now: Mapping[str, Any] | None, stored: Mapping[str, Any], name: str) -> bool:
    if now is None:
        return False
    return json_text(now[name]) != json_text(stored[name])


def json_text(data: Any) -> str:
    """Return data as JSON, in which ``1`` and ``1.0`` differ."""
    return json.dumps(data, sort_keys=True)


def _renamed(
    changes: Sequence[FieldChange], types: Mapping[str, Any], codec: Codec
) -> tuple[str, str] | None:
    added = [change for change in changes if change.kind == "added"]
    removed = [change for change in changes if change.kind == "removed"]
    if len(added) != 1 or len(removed) != 1:
        return None
    if _unfit(types[added[0].name], removed[0].stored, codec) is not None:
        return None
    return removed[0].name, added[0].name
