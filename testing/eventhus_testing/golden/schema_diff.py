"""Finds what changed between stored data and the class that is to be made of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
from attrs import frozen

from eventhus.errors import CodecError
from eventhus.ports import Codec
from eventhus_testing.golden.sample_values import NoSampleValue, field_types, sample_value, text_of


@frozen(kw_only=True)
class FieldChange:
    """One field in which stored data and a class do not agree.

    Attributes:
        name: The key in the data.
        kind: ``added``, ``removed`` or ``changed``.
        stored: The value that is stored; ``None`` where it was added.
        now: A value that the class takes, as plain data; ``None`` where there is none to show.
        is_default: Whether ``now`` is what the class itself fills in.
        type_text: The type of the field; empty where it was removed.
        problem: What the codec says of the stored value; often nothing.
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
    """What changed between stored data and a class.

    Attributes:
        stored: The data.
        now: Data that the class takes, as close to that as possible; the same if none is known.
        fields: What changed.
        renamed: The one field that was removed and the one that was added, where the data of the
            one is taken by the other.
        problem: What the codec says, where that is not about a field.
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
        now: The same event as the class writes it, where it can read it.
        problem: Why it cannot.
    """
    types = _field_types(cls)
    known = now if now is not None else _example(cls, codec)
    example: Mapping[str, Any] = known or {}
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
                    type_text=text_of(as_type),
                )
            )
        elif (why := _unfit(as_type, stored[name], codec)) or _differs(now, stored, name):
            changes.append(
                FieldChange(
                    name=name,
                    kind="changed",
                    stored=stored[name],
                    now=shown,
                    type_text=text_of(as_type),
                    problem=why or "",
                )
            )
    changes += [
        FieldChange(name=name, kind="removed", stored=stored[name])
        for name in stored
        if name not in types
    ]
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
    """Why data is not a value of a type, if it is not."""
    try:
        codec.decoder(as_type)(data)
    except CodecError as error:
        return f"{error.field}: {error.problem}".removeprefix(": ")
    return None


def _differs(now: Mapping[str, Any] | None, stored: Mapping[str, Any], name: str) -> bool:
    if now is None:
        return False
    return as_text(now[name]) != as_text(stored[name])


def as_text(data: Any) -> str:
    """Data as the text that it is stored as, in which ``1`` is not ``1.0``."""
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
