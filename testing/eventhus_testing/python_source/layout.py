"""Lays out Python source as Ruff and Black would."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import TypeAlias

from attrs import frozen

WIDTH = 100
_STEP = 4


@frozen
class Item:
    """An item in brackets with its prefix, such as ``amount=``."""

    prefix: str
    node: Node

    @property
    def flat(self) -> str:
        """Return the item in one line."""
        return self.prefix + flat(self.node)


@frozen
class Brackets:
    """Items in brackets: a call, whose name is part of ``opening``, a list, a set or a dict."""

    opening: str
    items: Sequence[Item]
    closing: str

    @property
    def is_call(self) -> bool:
        """Return whether these are the arguments of a call, which formatters treat differently."""
        return len(self.opening) > 1

    @property
    def flat(self) -> str:
        """Return the brackets and their items in one line."""
        inside = ", ".join(item.flat for item in self.items)
        comma = "," if self.opening == "(" and len(self.items) == 1 else ""
        return f"{self.opening}{inside}{comma}{self.closing}"


@frozen
class Chain:
    """A chain of method calls: ``spec(account)``, ``.when(…)``, ``.then(…)``."""

    links: Sequence[Brackets]

    @property
    def flat(self) -> str:
        """Return the calls in one line."""
        return "".join(link.flat for link in self.links)


Node: TypeAlias = "str | Brackets | Chain"
"""Source to lay out. A ``str`` is never broken into lines."""


def call(name: str, /, *arguments: Node, **named: Node) -> Brackets:
    """Return the call of a function."""
    items = [Item("", each) for each in arguments]
    items += [Item(f"{key}=", each) for key, each in named.items()]
    return Brackets(f"{name}(", items, ")")


def flat(node: Node) -> str:
    """Return source in one line."""
    return node if isinstance(node, str) else node.flat


def laid_out(node: Node, *, indent: int = 0, prefix: str = "", suffix: str = "") -> str:
    """Return source broken into lines that are short enough.

    Args:
        node: The source.
        indent: The number of spaces before each line.
        prefix: Text before the source in its first line.
        suffix: Text after the source in its last line.
    """
    margin = " " * indent
    line = f"{margin}{prefix}{flat(node)}{suffix}"
    if _fits(line) or isinstance(node, str):
        return line
    if isinstance(node, Chain):
        return _chained(node, indent, prefix, suffix)
    if not node.items:
        return line
    inner = indent + _STEP
    inside = " " * inner + ", ".join(item.flat for item in node.items)
    if node.is_call and (len(node.items) == 1 or _fits(inside)):
        (first, *others) = node.items
        body = inside if others else laid_out(first.node, indent=inner, prefix=first.prefix)
    else:
        body = "\n".join(
            laid_out(item.node, indent=inner, prefix=item.prefix, suffix=",") for item in node.items
        )
    return f"{margin}{prefix}{node.opening}\n{body}\n{margin}{node.closing}{suffix}"


def _chained(chain: Chain, indent: int, prefix: str, suffix: str) -> str:
    first, *others = chain.links
    if len(others) < 2:  # noqa: PLR2004 - formatters break a single call inside its brackets
        last = others[0]
        joined = Brackets(first.flat + last.opening, last.items, last.closing)
        return laid_out(joined, indent=indent, prefix=prefix, suffix=suffix)
    margin = " " * indent
    line = f"{margin}{' ' * _STEP}{chain.flat}"
    lines = (
        [line] if _fits(line) else [laid_out(each, indent=indent + _STEP) for each in chain.links]
    )
    return "\n".join([f"{margin}{prefix}(", *lines, f"{margin}){suffix}"])


def _fits(line: str) -> bool:
    # Ruff counts columns: wide characters take two, and combining ones none.
    wide = sum(unicodedata.east_asian_width(each) in "WF" for each in line)
    combining = sum(unicodedata.combining(each) > 0 for each in line)
    return len(line) + wide - combining <= WIDTH
