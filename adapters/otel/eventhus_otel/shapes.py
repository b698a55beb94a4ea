"""The span of each operation: its name, kind, attributes, parent and links."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from attrs import field, frozen
from opentelemetry.context import Context, get_current
from opentelemetry.trace import Link, SpanKind

from eventhus.domain.recorded import Metadata
from eventhus.ports import (
    Appending,
    Deciding,
    Dispatching,
    Handling,
    Operation,
    Projecting,
    Publishing,
    Reacting,
)
from eventhus_otel import names
from eventhus_otel.propagation import cause_of, causes_of, inside_of, within

Attributes: TypeAlias = Mapping[str, str | int]


@frozen(kw_only=True)
class Shape:
    """The beginning of a span.

    Attributes:
        name: Its name, of low cardinality.
        kind: Its kind.
        parent: The context that it belongs to.
        links: Its links.
        measured: The attributes that it shares with the metrics of the operation.
        details: Further attributes, which may be different for each operation.
    """

    name: str
    kind: SpanKind
    parent: Context
    links: Sequence[Link] = ()
    measured: Attributes
    details: Attributes = field(factory=dict)


def shape_of(operation: Operation) -> Shape | None:
    """Return the shape of an operation's span; ``None`` for an operation of an unknown class."""
    shape = _SHAPES.get(type(operation))
    return None if shape is None else shape(operation)


def _dispatching(operation: Dispatching) -> Shape:
    # The events carry the context of this span, so it is the producer of their messages.
    parent, links = inside_of(operation.metadata)
    return Shape(
        name=f"dispatch {operation.command}",
        kind=SpanKind.PRODUCER,
        parent=parent,
        links=links,
        measured={
            names.BUCKET: operation.application.bucket,
            names.COMMAND: operation.command,
            names.TARGET: operation.target,
        },
    )


def _deciding(operation: Deciding) -> Shape:
    return Shape(
        name=f"decide {operation.command}",
        kind=SpanKind.INTERNAL,
        parent=get_current(),
        measured={
            names.BUCKET: operation.application.bucket,
            names.COMMAND: operation.command,
        },
    )


def _appending(operation: Appending) -> Shape:
    database = names.database_of(operation.application.store)
    return Shape(
        name=f"append {operation.stream_type}",
        kind=SpanKind.INTERNAL if database == "memory" else SpanKind.CLIENT,
        parent=within(operation.metadata),
        measured={
            names.BUCKET: operation.application.bucket,
            names.STREAM_TYPE: operation.stream_type,
        },
        details={
            names.DB_SYSTEM: database,
            names.DB_OPERATION: "append",
            names.STREAMS: operation.streams,
            names.EVENTS: operation.events,
            names.ATTEMPT: operation.attempt,
        },
    )


def _publishing(operation: Publishing) -> Shape:
    # A client, because the messages carry the contexts of the spans that caused their events.
    application = operation.application
    parent, links = causes_of(operation.metadata)
    return Shape(
        name=f"publish {application.bucket}",
        kind=SpanKind.CLIENT,
        parent=parent,
        links=links,
        measured={
            names.BUCKET: application.bucket,
            names.SYSTEM: names.system_of(application.bus),
            names.DESTINATION: application.bucket,
            names.OPERATION: "publish",
            names.OPERATION_TYPE: "send",
        },
        details=_batch(operation.metadata),
    )


def _handling(operation: Handling) -> Shape:
    application = operation.application
    return Shape(
        name=f"handle {operation.group}",
        kind=SpanKind.CONSUMER,
        parent=cause_of(operation.metadata),
        measured=_consumer(
            "handle", operation.group, application.bucket, names.system_of(application.bus)
        ),
        details={**_message(operation), names.ATTEMPT: operation.attempt},
    )


def _reacting(operation: Reacting) -> Shape:
    return Shape(
        name=f"react {_own_name(operation.reader)}",
        kind=SpanKind.CONSUMER,
        parent=cause_of(operation.metadata),
        measured=_consumer("react", operation.reader, operation.application.bucket),
        details=_message(operation),
    )


def _projecting(operation: Projecting) -> Shape:
    parent, links = causes_of(operation.metadata)
    return Shape(
        name=f"project {_own_name(operation.reader)}",
        kind=SpanKind.CONSUMER,
        parent=parent,
        links=links,
        measured=_consumer("project", operation.reader, operation.application.bucket),
        details=_batch(operation.metadata),
    )


def _own_name(reader: str) -> str:
    """Return the label of a reader without its kind: ``orders`` for ``view orders``."""
    return reader.partition(" ")[2]


def _consumer(
    operation: str, consumer: str, bucket: str, system: str = names.system_of("LogBus")
) -> Attributes:
    return {
        names.BUCKET: bucket,
        names.SYSTEM: system,
        names.DESTINATION: bucket,
        names.OPERATION: operation,
        names.OPERATION_TYPE: "process",
        names.GROUP: consumer,
    }


def _message(operation: Handling | Reacting) -> Attributes:
    details: dict[str, str | int] = {
        names.MESSAGE_ID: operation.event_id,
        names.EVENT: operation.event,
        names.STREAM_TYPE: operation.stream_type,
    }
    if operation.metadata.correlation_id is not None:
        details[names.CONVERSATION_ID] = operation.metadata.correlation_id
    return details


def _batch(metadata: Sequence[Metadata]) -> Attributes:
    # The conventions count the messages of batches only.
    return {names.MESSAGE_COUNT: len(metadata)} if len(metadata) > 1 else {}


_SHAPES: Mapping[type, Callable[[Any], Shape]] = {
    Dispatching: _dispatching,
    Deciding: _deciding,
    Appending: _appending,
    Publishing: _publishing,
    Handling: _handling,
    Reacting: _reacting,
    Projecting: _projecting,
}
