"""Coders for lists, tuples, sets and dicts. Encoding and decoding both make new ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from eventhus_cattrs.coder import Coder
from eventhus_cattrs.problems import Mismatch, Unsupported, expect_mapping, expected

_LIST = frozenset({list})


def list_coder(item: Coder) -> Coder:
    """Return a coder for ``list[X]``."""

    def encode(value: Any) -> list[Any]:
        return _each(item.encode, _exactly(list, value))

    def decode(data: Any, _: Any = None) -> list[Any]:
        return _each(item.decode, _exactly(list, data))

    return Coder(encode=encode, decode=decode, values=_LIST, data=_LIST)


def tuple_coder(item: Coder) -> Coder:
    """Return a coder for ``tuple[X, ...]``, stored as a list."""

    def encode(value: Any) -> list[Any]:
        return _each(item.encode, _exactly(tuple, value))

    def decode(data: Any, _: Any = None) -> tuple[Any, ...]:
        return tuple(_each(item.decode, _exactly(list, data)))

    return Coder(encode=encode, decode=decode, values=frozenset({tuple}), data=_LIST)


def fixed_tuple_coder(items: Sequence[Coder]) -> Coder:
    """Return a coder for ``tuple[X, Y]``, stored as a list."""
    encoders = [item.encode for item in items]
    decoders = [item.decode for item in items]

    def encode(value: Any) -> list[Any]:
        return _each_its_own(encoders, _exactly(tuple, value))

    def decode(data: Any, _: Any = None) -> tuple[Any, ...]:
        return tuple(_each_its_own(decoders, _exactly(list, data)))

    return Coder(encode=encode, decode=decode, values=frozenset({tuple}), data=_LIST)


def set_coder(cls: type, item: Coder) -> Coder:
    """Return a coder for ``frozenset[X]`` and ``set[X]``, stored as a list.

    The list is sorted, so that equal sets become equal data.
    """

    def encode(value: Any) -> list[Any]:
        result = _each(item.encode, _exactly(cls, value))
        try:
            result.sort()
        except TypeError:  # dicts cannot be compared, but their texts can
            result.sort(key=repr)
        return result

    def decode(data: Any, _: Any = None) -> Any:
        result = cls(_each(item.decode, _exactly(list, data)))
        if len(result) != len(data):
            raise Mismatch("holds the same item twice")
        return result

    return Coder(encode=encode, decode=decode, values=frozenset({cls}), data=_LIST)


def dict_coder(key: Coder, item: Coder) -> Coder:
    """Return a coder for ``dict[K, X]``, for keys that are stored as text."""
    if key.data != {str}:
        raise Unsupported(
            "the keys of a dict must be stored as text, as those of str, UUID, Decimal, date and "
            "an Enum of str are; use such keys, or a tuple of pairs"
        )

    def encode(value: Any) -> dict[str, Any]:
        return _each_pair(key.encode, item.encode, _exactly(dict, value))

    def decode(data: Any, _: Any = None) -> dict[Any, Any]:
        expect_mapping("dict", data)
        return _each_pair(key.decode, item.decode, data)

    return Coder(encode=encode, decode=decode, values=frozenset({dict}), data=frozenset({dict}))


def _exactly(cls: type, value: Any) -> Any:
    if type(value) is not cls:
        raise expected(cls.__name__, value)
    return value


def _each(convert: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
    result: list[Any] = []
    try:
        for item in items:
            result.append(convert(item))  # noqa: PERF401 - its length is the place of a mismatch
    except Mismatch as mismatch:
        mismatch.within(f"[{len(result)}]")
        raise
    return result


def _each_its_own(converters: Sequence[Callable[[Any], Any]], items: Sequence[Any]) -> list[Any]:
    if len(items) != len(converters):
        raise Mismatch(f"expected {len(converters)} items, found {len(items)}")
    pairs = zip(converters, items, strict=True)
    return _each(lambda pair: pair[0](pair[1]), pairs)


def _each_pair(
    convert_key: Callable[[Any], Any], convert: Callable[[Any], Any], items: Mapping[Any, Any]
) -> dict[Any, Any]:
    result: dict[Any, Any] = {}
    for key, item in items.items():
        try:
            converted = convert_key(key)
        except Mismatch as mismatch:
            raise Mismatch(f"a key: {mismatch.problem}") from None
        try:
            result[converted] = convert(item)
        except Mismatch as mismatch:
            mismatch.within("[*]")  # not the key, which may be personal
            raise
    if len(result) != len(items):
        raise Mismatch("holds two keys that are the same once converted")
    return result
