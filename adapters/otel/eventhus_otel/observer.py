"""The observer that makes spans and metrics of OpenTelemetry."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter

from opentelemetry.context import attach, detach
from opentelemetry.metrics import MeterProvider, get_meter_provider
from opentelemetry.trace import (
    Span,
    StatusCode,
    TracerProvider,
    get_current_span,
    get_tracer_provider,
    set_span_in_context,
)

from eventhus.ports import Ended, EventParked, Fact, Operation
from eventhus_otel import names
from eventhus_otel.metrics import Instruments
from eventhus_otel.propagation import values_of
from eventhus_otel.shapes import Attributes, Shape, shape_of

SCOPE = "eventhus"
"""The name of the instrumentation."""


class OtelObserver:
    """An observer that makes spans and metrics, and carries traces in events.

    ``Application(..., observer=OtelObserver())``. One observer is enough for all applications of a
    process.

    The span of a command is a child of the current span, such as that of a request. Its context
    travels with the events as ``traceparent`` and ``tracestate`` in ``Metadata.values``. So the
    spans of the handlers and processes that get them, on whichever machine, belong to the same
    trace.

    Spans have ids of events and conversations, metrics have not. Neither hold data of commands and
    events, ids of aggregates, or messages of errors.

    Args:
        tracer_provider: Makes the spans; by default the global one.
        meter_provider: Collects the metrics; by default the global one.
    """

    def __init__(
        self,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
    ) -> None:
        self._tracer = (tracer_provider or get_tracer_provider()).get_tracer(SCOPE)
        self._instruments = Instruments((meter_provider or get_meter_provider()).get_meter(SCOPE))

    def begin(self, operation: Operation) -> SpanObservation | None:
        """See ``Observer.begin``."""
        shape = shape_of(operation)
        if shape is None:
            return None
        span = self._tracer.start_span(
            shape.name,
            shape.parent,
            shape.kind,
            {**shape.measured, **shape.details},
            shape.links,
        )
        return SpanObservation(operation, shape, span, self._instruments)

    def note(self, fact: Fact) -> None:
        """See ``Observer.note``."""
        self._instruments.fact(fact)
        if isinstance(fact, EventParked):
            get_current_span().add_event(
                "eventhus.parked",
                {names.READER: fact.reader, names.ERROR_TYPE: names.error_type(fact.error)},
            )


class SpanObservation:
    """An operation as the current span.

    Args:
        operation: The operation.
        shape: The shape of the span.
        span: The span, which has started.
        instruments: The metrics.
    """

    def __init__(
        self, operation: Operation, shape: Shape, span: Span, instruments: Instruments
    ) -> None:
        self._operation = operation
        self._measured = shape.measured
        self._span = span
        self._instruments = instruments
        self._context = set_span_in_context(span, shape.parent)
        self._token = attach(self._context)
        self._started = perf_counter()

    @property
    def values(self) -> Mapping[str, str]:
        """See ``Observation.values``."""
        return values_of(self._context)

    def finish(self, ended: Ended) -> None:
        """See ``Observation.finish``."""
        seconds = perf_counter() - self._started
        # The garbage collector raises GeneratorExit, in another context.
        if not isinstance(ended.error, GeneratorExit):
            detach(self._token)
        result = _result(ended)
        self._span.set_attributes(result)
        if ended.outcome == "failed":
            self._span.set_status(StatusCode.ERROR)  # an error's message may quote data
        self._span.end()
        attributes = {**self._measured, **result}
        self._instruments.operation(self._operation, attributes, ended, seconds, self._context)


def _result(ended: Ended) -> Attributes:
    result: dict[str, str | int] = {names.OUTCOME: ended.outcome}
    if ended.events:
        result[names.EVENTS] = ended.events
    if ended.error is not None and ended.outcome != "conflict":
        kind = names.REJECTION if ended.outcome == "rejected" else names.ERROR_TYPE
        result[kind] = names.error_type(ended.error)
    return result
