"""Coders for unions. The class of the data tells members apart; a tag tells attrs classes apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from eventhus_cattrs.coder import Coder
from eventhus_cattrs.problems import Mismatch, Unsupported, expect_mapping, expected, type_text
from eventhus_cattrs.scalars import SCALARS, store_int

TAG = "_type"

_NONE = SCALARS[None]


def optional_coder(member: Coder) -> Coder:
    """Return a coder for ``X | None``, the most frequent union, without a look-up."""
    encode_member, decode_member = member.encode, member.decode

    def encode(value: Any) -> Any:
        return None if value is None else encode_member(value)

    def decode(data: Any, _: Any = None) -> Any:
        return None if data is None else decode_member(data)

    return Coder(
        encode=encode,
        decode=decode,
        values=member.values | _NONE.values,
        data=member.data | _NONE.data,
    )


def union_coder(members: Sequence[Coder], text: str) -> Coder:
    """Return a coder for a union.

    Args:
        members: The members, with nested unions flattened.
        text: The name of the union in messages.
    """
    tagged = [member for member in members if member.tag is not None]
    if len(tagged) > 1:
        others = [member for member in members if member.tag is None]
        return union_coder([_tagged_coder(tagged, text), *others], text)
    if len(members) == 1:
        return members[0]
    if not all(member.data for member in members):
        raise Unsupported(
            "a Hook cannot store a class as a union of that class; make it an attrs class, which "
            "needs no Hook"
        )

    by_value = _by_class([(cls, member) for member in members for cls in member.values])
    by_data = _by_class([(cls, member) for member in members for cls in member.data])

    def encode(value: Any) -> Any:
        member = by_value.get(type(value))
        if member is None:
            # A hook may be for a base of the class. Any other member says why it refuses.
            member = next((by_value[cls] for cls in by_value if isinstance(value, cls)), None)
        if member is None:
            raise expected(text, value)
        return member.encode(value)

    def decode(data: Any, _: Any = None) -> Any:
        member = by_data.get(type(data)) or by_data.get(_plain_class(data))
        if member is None:
            raise expected(text, data)
        return member.decode(data)

    return Coder(encode=encode, decode=decode, values=frozenset(by_value), data=frozenset(by_data))


def _plain_class(data: Any) -> type:
    return dict if isinstance(data, Mapping) else type(store_int(data))


def _by_class(pairs: Sequence[tuple[type, Coder]]) -> dict[type, Coder]:
    result: dict[type, Coder] = {}
    for cls, member in pairs:
        if cls in result:
            raise Unsupported(
                f"two members of the union cannot be told apart, since both are stored as "
                f"{type_text(cls)}; use attrs classes, which are stored with their names"
            )
        result[cls] = member
    if float in result:  # accepts any int, unless int is a member, too
        result.setdefault(int, result[float])
    return result


def _tagged_coder(members: Sequence[Coder], text: str) -> Coder:
    """Return a coder for a union of attrs classes, whose names are stored with their fields."""
    by_class: dict[type, Coder] = {}
    by_tag: dict[str | None, Coder] = {}
    for member in members:
        if member.tag in by_tag:
            raise Unsupported(f"two classes of the union are named {member.tag}; rename one")
        for cls in member.values:
            if any(field.alias == TAG for field in attrs.fields(cls)):
                raise Unsupported(f"{member.tag} has a field {TAG}, where its name is stored")
        by_tag[member.tag] = member
        by_class.update(dict.fromkeys(member.values, member))

    def encode(value: Any) -> dict[str, Any]:
        member = by_class.get(type(value))
        if member is None:
            raise expected(text, value)
        return {TAG: member.tag, **member.encode(value)}

    def decode(data: Any, _: Any = None) -> Any:
        expect_mapping(text, data)
        untagged = dict(data)
        tag = untagged.pop(TAG, None)
        if type(tag) is not str:
            raise Mismatch("is missing" if tag is None else expected("str", tag).problem, f".{TAG}")
        if tag not in by_tag:
            raise Mismatch(f"does not name a member of {text}", f".{TAG}")
        return by_tag[tag].decode(untagged)

    return Coder(encode=encode, decode=decode, values=frozenset(by_class), data=frozenset({dict}))
