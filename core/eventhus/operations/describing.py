"""The domain of an application as tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import attrs

from eventhus.domain.aggregate import Aggregate
from eventhus.domain.catalog import EventType, Route
from eventhus.domain.decision import Decision
from eventhus.domain.indexes import IndexField
from eventhus.domain.shape import shape_of
from eventhus.domain.type_hints import field_types
from eventhus.operations.app_parts import AppParts
from eventhus.operations.values import CommandInfo, Description, EventInfo, FieldInfo, ReaderInfo


def described(parts: AppParts) -> Description:
    """Return the domain of an application, as ``Operations.describe`` does."""
    routes = parts.catalog.routes
    return Description(
        bucket=parts.bucket,
        commands=tuple(
            CommandInfo(
                name=command.__name__,
                handled_by=f"{type(part).__name__.lower()} {part.name}",
                fields=_fields(command),
                doc=_doc(command),
            )
            for command, part in routes.items()
        ),
        events=tuple(_events(parts, dict.fromkeys(routes.values()))),
        readers=tuple(_readers(parts)),
    )


def _events(parts: AppParts, routes: Iterable[Route]) -> Iterator[EventInfo]:
    catalog = parts.catalog
    for part in routes:
        if isinstance(part, Aggregate):
            stream_type = part.stream_type
        elif isinstance(part, Decision):
            stream_type = catalog.stream_type(part.aggregate_type)
        else:
            continue  # a transaction has the events of its aggregates
        for cls in part.events:
            yield _event(catalog.of_class(cls), stream_type)


def _event(event_type: EventType, stream_type: str) -> EventInfo:
    return EventInfo(
        name=event_type.name,
        stream_type=stream_type,
        schema=event_type.schema,
        fields=_fields(event_type.cls),
        doc=_doc(event_type.cls),
    )


def _readers(parts: AppParts) -> Iterator[ReaderInfo]:
    for view in parts.views:
        yield ReaderInfo(
            kind="view",
            name=view.name,
            version=view.version,
            reads=_names(parts, view.events),
            indexes=tuple(tuple(map(_written, index)) for index in view.indexing.declared),
        )
    for process in parts.processes:
        yield ReaderInfo(
            kind="process",
            name=process.name,
            version=process.version,
            reads=_names(parts, process.events),
        )


def _names(parts: AppParts, classes: Iterable[type]) -> Sequence[str]:
    return tuple(sorted(parts.catalog.of_class(cls).name for cls in classes))


def _written(field: IndexField) -> str:
    return f"-{field.name}" if field.descending else field.name


def _fields(cls: Any) -> Sequence[FieldInfo]:
    try:
        types = field_types(cls)
    except (NameError, TypeError, AttributeError, SyntaxError):  # a name is not visible here
        types = {}
    return tuple(
        FieldInfo(
            name=each.name,
            type=shape_of(types[each.name])[0] if each.name in types else str(each.type or "Any"),
        )
        for each in attrs.fields(cls)
    )


def _doc(cls: type) -> str:
    own = vars(cls).get("__doc__") or ""
    return next(iter(str(own).strip().splitlines()), "")
