"""Python source as a tree, and that tree as lines, broken where Ruff and Black would."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from attrs import frozen

WIDTH = 100
_STEP = 4


@frozen
class Part:
    """One of the things in brackets: what stands before it, such as ``amount=``, and itself."""

    before: str
    node: Node

    @property
    def flat(self) -> str:
        """The part in one line."""
        return self.before + flat(self.node)


@frozen
class Brackets:
    """Some parts in brackets: a call, with its name in ``opening``, or a list, a set, a dict."""

    opening: str
    parts: Sequence[Part]
    closing: str

    @property
    def is_call(self) -> bool:
        """Whether something is called; a formatter lays out the others in another way."""
        return len(self.opening) > 1

    @property
    def flat(self) -> str:
        """The brackets and what is in them in one line."""
        inside = ", ".join(part.flat for part in self.parts)
        comma = "," if self.opening == "(" and len(self.parts) == 1 else ""
        return f"{self.opening}{inside}{comma}{self.closing}"


@frozen
class Chain:
    """Calls on the result of one another: ``spec(account)``, ``.when(…)``, ``.then(…)``."""

    links: Sequence[Brackets]

    @property
    def flat(self) -> str:
        """The calls in one line."""
        return "".join(link.flat for link in self.links)


Node: TypeAlias = "str | Brackets | Chain"
"""Source that can be laid out; text is never broken."""


def call(name: str, /, *arguments: Node, **named: Node) -> Brackets:
    """The call of a function."""
    parts = [Part("", each) for each in arguments]
    parts += [Part(f"{key}=", each) for key, each in named.items()]
    return Brackets(f"{name}(", parts, ")")


def flat(node: Node) -> str:
    """Source in one line."""
    return node if isinstance(node, str) else node.flat


def laid_out(node: Node, *, indent: int = 0, before: str = "", after: str = "") -> str:
    """Source in as many lines as it takes.

    Args:
        node: The source.
        indent: How many spaces stand before it.
        before: What stands before it in its first line.
        after: What stands behind it in its last line.
    """
    margin = " " * indent
    line = f"{margin}{before}{flat(node)}{after}"
    if len(line) <= WIDTH or isinstance(node, str):
        return line
    if isinstance(node, Chain):
        return _chained(node, indent, before, after)
    if not node.parts:
        return line
    inner = indent + _STEP
    inside = " " * inner + ", ".join(part.flat for part in node.parts)
    if node.is_call and (len(node.parts) == 1 or len(inside) <= WIDTH):
        (first, *others) = node.parts
        body = inside if others else laid_out(first.node, indent=inner, before=first.before)
    else:
        body = "\n".join(
            laid_out(part.node, indent=inner, before=part.before, after=",") for part in node.parts
        )
    return f"{margin}{before}{node.opening}\n{body}\n{margin}{node.closing}{after}"


def _chained(chain: Chain, indent: int, before: str, after: str) -> str:
    first, *others = chain.links
    if len(others) < 2:  # noqa: PLR2004 - a formatter breaks a single one between its brackets
        last = others[0]
        joined = Brackets(first.flat + last.opening, last.parts, last.closing)
        return laid_out(joined, indent=indent, before=before, after=after)
    margin = " " * indent
    lines = [laid_out(link, indent=indent + _STEP) for link in chain.links]
    return "\n".join([f"{margin}{before}(", *lines, f"{margin}){after}"])
