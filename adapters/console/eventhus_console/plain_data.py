"""Plain data as coloured lines, such as the fields of an event."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Literal, TypeAlias

from attrs import frozen

MOST_LINES = 400
DEEPEST = 24
PREVIEW = 200  # characters

Kind: TypeAlias = Literal["name", "text", "number", "word", "mark"]
Token: TypeAlias = tuple[Kind, str]


@frozen
class Line:
    """A line of data.

    Attributes:
        indent: The spaces before it.
        tokens: Its parts, with the kind of each.
        is_changed: True if it is marked as changed.
    """

    indent: str
    tokens: Sequence[Token]
    is_changed: bool


def lines(data: Any, changed: Collection[str] = ()) -> tuple[Sequence[Line], bool]:
    """Return data as lines in the form of JSON, and whether there are more than are shown.

    Args:
        data: The data.
        changed: The paths of changed values, such as ``lines[2].price``. They are marked, with
            everything in them.
    """
    marks = frozenset(changed)
    made = [*islice(_lines(data, "", 0, marks, marked="" in marks), MOST_LINES + 1)]
    return made[:MOST_LINES], len(made) > MOST_LINES


def preview(data: Any) -> str:
    """Return the beginning of data on one line.

    >>> preview({"order": "o1", "lines": [{"product": "tea"}]})
    'order: "o1", lines: [{product: "tea"}]'
    """
    found = ""
    for part in _parts(data, 0):
        found += part
        if len(found) > PREVIEW:
            return f"{found[:PREVIEW].rstrip()} …"
    return found


def _parts(data: Any, depth: int) -> Iterator[str]:
    """Yield the parts of data on one line, without the braces around the whole."""
    if depth == DEEPEST:
        yield "…"
    elif isinstance(data, Mapping):
        is_inner = depth > 0 or not data
        yield "{" if is_inner else ""
        for number, (name, value) in enumerate(data.items()):
            yield f"{', ' if number else ''}{name}: "
            yield from _parts(value, depth + 1)
        yield "}" if is_inner else ""
    elif _is_list(data):
        yield "["
        for number, each in enumerate(data):
            yield ", " if number else ""
            yield from _parts(each, depth + 1)
        yield "]"
    else:
        yield scalar(data)[1]


def scalar(value: Any) -> Token:
    """Return a single value as a token."""
    match value:
        case str():
            return "text", json.dumps(value, ensure_ascii=False)
        case None | bool():
            return "word", json.dumps(value)
        case int() | float():
            return "number", str(value)
        case _:
            return "text", str(value)


def _lines(
    data: Any,
    path: str,
    depth: int,
    marks: frozenset[str],
    *,
    before: Sequence[Token] = (),
    after: Sequence[Token] = (),
    marked: bool,
) -> Iterator[Line]:
    indent = "  " * depth
    inner: Sequence[tuple[str, Sequence[Token], Any]]
    if isinstance(data, Mapping):
        opening, closing = "{", "}"
        inner = [(_member(path, str(name)), [_name(name)], value) for name, value in data.items()]
    elif _is_list(data):
        opening, closing = "[", "]"
        inner = [(f"{path}[{index}]", (), each) for index, each in enumerate(data)]
    else:
        yield Line(indent, (*before, scalar(data), *after), marked)
        return
    if not inner or depth == DEEPEST:
        whole = f"{opening} … {closing}" if inner else f"{opening}{closing}"
        yield Line(indent, (*before, ("mark", whole), *after), marked)
        return
    yield Line(indent, (*before, ("mark", opening)), marked)
    comma: Token = ("mark", ",")
    for number, (inner_path, start, value) in enumerate(inner, 1):
        yield from _lines(
            value,
            inner_path,
            depth + 1,
            marks,
            before=start,
            after=() if number == len(inner) else (comma,),
            marked=marked or inner_path in marks,
        )
    yield Line(indent, (("mark", closing), *after), marked)


def _is_list(data: Any) -> bool:
    return isinstance(data, Sequence) and not isinstance(data, (str, bytes))


def _member(path: str, name: str) -> str:
    """Return the path of a member, in the form of ``Difference.path``."""
    if not name.isidentifier():
        return f"{path}[{json.dumps(name, ensure_ascii=False)}]"
    return f"{path}.{name}" if path else name


def _name(name: object) -> Token:
    return "name", f"{json.dumps(str(name), ensure_ascii=False)}: "
