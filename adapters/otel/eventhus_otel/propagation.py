"""Traces in the metadata of events, as W3C ``traceparent`` and ``tracestate``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from opentelemetry.context import Context, get_current
from opentelemetry.trace import Link, SpanContext, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from eventhus.domain.recorded import Metadata

LINKS = 128  # of one span, as the SDK limits them by default

_W3C = TraceContextTextMapPropagator()
_NOWHERE = Context()  # the current one may hold the span in which this task was started


def values_of(context: Context) -> Mapping[str, str]:
    """Return the pairs of metadata that carry a trace; none if there is no trace."""
    values: dict[str, str] = {}
    _W3C.inject(values, context)
    return values


def cause_of(metadata: Metadata) -> Context:
    """Return the context of the span that caused an event; an empty one if it is unknown."""
    return _W3C.extract(metadata.values, _NOWHERE)


def span_of(context: Context) -> SpanContext:
    """Return the span of a context, which is invalid if there is none."""
    return get_current_span(context).get_span_context()


def inside_of(metadata: Metadata) -> tuple[Context, Sequence[Link]]:
    """Return the parent of a command, and a link to its other cause, if any.

    It is the current span, such as that of a request. Without one, it is that in the metadata.
    """
    current, cause = get_current(), cause_of(metadata)
    here, there = span_of(current), span_of(cause)
    if not here.is_valid:
        return cause, ()
    if there.is_valid and there.trace_id != here.trace_id:
        return current, (Link(there),)
    return current, ()


def within(metadata: Metadata) -> Context:
    """Return the parent of an append: the current span, if it belongs to the trace of the events.

    A task that appends in the background may have been started inside any span.
    """
    current, cause = get_current(), cause_of(metadata)
    there = span_of(cause)
    if there.is_valid and there.trace_id != span_of(current).trace_id:
        return cause
    return current


def causes_of(metadata: Iterable[Metadata]) -> tuple[Context, Sequence[Link]]:
    """Return the parent of a batch of events, and links to their causes.

    All events of one cause continue its trace. Events of several causes begin a trace of their own.
    """
    distinct: dict[str, Metadata] = {}
    for each in metadata:
        distinct.setdefault(each.values.get("traceparent", ""), each)
        if len(distinct) > LINKS:
            break
    contexts = [cause_of(each) for each in distinct.values()]
    links = [Link(span) for each in contexts if (span := span_of(each)).is_valid]
    return (contexts[0] if len(contexts) == 1 else _NOWHERE), links[:LINKS]
