"""Texts of an expected and an actual value: large ones are wrapped, without what is equal."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeAlias

from eventhus_testing.matching.matchers import Like, matches, text_of
from eventhus_testing.values.comparing import parts

WIDTH = 100  # characters that stay on one line
ELLIPSIS = "…"
_STEP = 4

_Pair: TypeAlias = tuple[str, str]
_Layout: TypeAlias = tuple[str, Mapping[str, str], Mapping[str, Any], str]


def excerpts(expected: Any, actual: Any, ignoring: Collection[str] = ()) -> _Pair:
    """Return the texts of two values that differ.

    A text up to ``WIDTH`` stays as it is. A longer one has a line for each part, and an ellipsis
    for parts that are equal, or that do not count.

    Args:
        expected: As for ``matches``.
        actual: As for ``matches``.
        ignoring: As for ``matches``.
    """
    return _excerpts(expected, actual, ignoring, WIDTH)


def wrapped(value: object, width: int = WIDTH, text: Callable[[object], str] = repr) -> str:
    """Return the text of a value. One that is longer than ``width`` has a line for each part."""
    layout = None if len(text(value)) <= width else _layout(value, text)
    if layout is None:
        return text(value)
    open_, prefixes, inside, close = layout
    narrower = width - _STEP
    lines = [f"{prefixes[key]}{wrapped(part, narrower, text)}," for key, part in inside.items()]
    if isinstance(value, Like) and not value.is_whole:
        lines.append(ELLIPSIS)
    return _wrapped(open_, lines, close)


def _excerpts(expected: Any, actual: Any, ignoring: Collection[str], width: int) -> _Pair:
    texts = text_of(expected), repr(actual)
    if max(map(len, texts)) <= width:
        return texts
    wanted, found = _layout(expected), _layout(actual)
    if wanted is None or found is None or wanted[0] != found[0]:
        return wrapped(expected, width, text_of), wrapped(actual, width)
    open_, prefixes, wanted_parts, close = wanted
    _, found_prefixes, found_parts, _ = found
    shown: dict[str, _Pair] = {}
    for key in {**wanted_parts, **found_parts}:
        if key.removeprefix(".") in ignoring or not _counts(expected, wanted_parts, key):
            continue
        if key not in wanted_parts:
            shown[key] = "", wrapped(found_parts[key], width - _STEP)
        elif key not in found_parts:
            shown[key] = wrapped(wanted_parts[key], width - _STEP, text_of), ""
        elif not matches(wanted_parts[key], found_parts[key], ignoring):
            narrower = width - _STEP
            shown[key] = _excerpts(wanted_parts[key], found_parts[key], ignoring, narrower)
    wanted_lines = _shown(prefixes, {key: texts[0] for key, texts in shown.items()})
    found_lines = _shown(found_prefixes, {key: texts[1] for key, texts in shown.items()})
    if isinstance(expected, Like) and not expected.is_whole and wanted_lines[-1:] != [ELLIPSIS]:
        wanted_lines.append(ELLIPSIS)
    return _wrapped(open_, wanted_lines, close), _wrapped(open_, found_lines, close)


def _counts(expected: Any, wanted: Mapping[str, Any], key: str) -> bool:
    return key in wanted or not isinstance(expected, Like)


def _shown(prefixes: Mapping[str, str], texts: Mapping[str, str]) -> list[str]:
    lines: list[str] = []
    for key, prefix in prefixes.items():
        if key in texts:
            lines.append(f"{prefix}{texts[key]},")
        elif lines[-1:] != [ELLIPSIS]:
            lines.append(ELLIPSIS)
    return lines


def _wrapped(open_: str, lines: Sequence[str], close: str) -> str:
    indent = "\n" + " " * _STEP
    inside = "".join(indent + line.replace("\n", indent) for line in lines)
    return f"{open_}{inside}\n{close}"


def wrapped_expectation(expected: object) -> str:
    """Return the text of an expectation, wrapped like a value."""
    return wrapped(expected, text=text_of)


def _layout(value: Any, text: Callable[[object], str] = text_of) -> _Layout | None:
    """Return the brackets, prefixes and parts of a value; ``None`` if its text has another form."""
    if isinstance(value, Like):
        inside: Mapping[str, Any] = {f".{name}": part for name, part in value.fields.items()}
        open_, close = f"{value.cls.__qualname__}(", ")"
    else:
        cls: Any = type(value)
        inside = parts(value) or {}
        brackets = {list: ("[", "]"), tuple: ("(", ")"), dict: ("{", "}")}
        open_, close = brackets.get(cls, (f"{cls.__qualname__}(", ")"))
    if not inside:
        return None
    prefixes = {key: _prefix(key, open_) for key in inside}
    texts = [prefixes[key] + text(part) for key, part in inside.items()]
    if isinstance(value, Like) and not value.is_whole:
        texts.append("...")
    comma = "," if open_ == "(" and len(texts) == 1 else ""
    if f"{open_}{', '.join(texts)}{comma}{close}" != text(value):
        return None
    return open_, prefixes, inside, close


def _prefix(key: str, open_: str) -> str:
    if open_ == "{":
        return f"{key[1:-1]}: "
    return f"{key[1:]}=" if key.startswith(".") else ""
