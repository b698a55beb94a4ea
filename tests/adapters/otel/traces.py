"""Traces as text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from opentelemetry.sdk.trace import ReadableSpan

Span: TypeAlias = Mapping[str, Any]
"""A span as the JSON that the SDK makes of it."""

ORDER = ("decide", "append", "publish", "handle", "project", "react")


def plain(spans: Iterable[ReadableSpan]) -> list[Span]:
    """Return spans as the JSON of the SDK."""
    return [json.loads(span.to_json()) for span in spans]


def lines_of(spans: Sequence[Span]) -> Iterator[str]:
    """Yield a line for each span: indented below its parent, with its kind, service and links.

    Siblings come in the order in which they depend on each other, since clocks differ.
    """
    names = {span["context"]["span_id"]: span["name"] for span in spans}
    for depth, span in _below(None, spans, names, 0):
        links = [names[link["context"]["span_id"]] for link in span["links"]]
        name = "  " * depth + span["name"]
        kind = span["kind"].removeprefix("SpanKind.")
        service = span["resource"]["attributes"]["service.name"]
        told = f"{name:<30}{kind:<10}{service:<8}"
        yield (told + "".join(f"links to {link}" for link in links)).rstrip()


def _below(
    parent: str | None, spans: Sequence[Span], names: Mapping[str, str], depth: int
) -> Iterator[tuple[int, Span]]:
    for span in sorted(spans, key=_place):
        above = span["parent_id"] if span["parent_id"] in names else None
        if above == parent:
            yield depth, span
            yield from _below(span["context"]["span_id"], spans, names, depth + 1)


def _place(span: Span) -> tuple[int, str]:
    kind = span["name"].partition(" ")[0]
    return ORDER.index(kind) if kind in ORDER else len(ORDER), span["start_time"]
