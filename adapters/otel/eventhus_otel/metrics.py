"""The metrics: their names, units and attributes, and how each operation and fact counts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from attrs import frozen
from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, Counter, Histogram, Meter, Observation

from eventhus.ports import (
    Appending,
    Dispatching,
    Ended,
    EventBuried,
    Fact,
    Handling,
    ObservedApplication,
    Operation,
    Projecting,
    Publishing,
    Reacting,
    ReaderFailed,
    ReaderLeft,
    ReaderProgress,
)
from eventhus_otel import names
from eventhus_otel.shapes import Attributes


@frozen(kw_only=True)
class Metric:
    """One metric.

    Attributes:
        name: Its name.
        kind: Its instrument. Gauges are read whenever metrics are collected.
        unit: Its unit in UCUM.
        description: A sentence about what it measures.
        attributes: The names of its attributes, all of low cardinality.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    unit: str
    description: str
    attributes: Sequence[str]


_MESSAGING = (
    names.BUCKET,
    names.SYSTEM,
    names.DESTINATION,
    names.OPERATION,
    names.OPERATION_TYPE,
    names.ERROR_TYPE,
)

COMMAND_DURATION = Metric(
    name="eventhus.command.duration",
    kind="histogram",
    unit="s",
    description="Duration of commands, from dispatch to answer.",
    attributes=(
        names.BUCKET,
        names.COMMAND,
        names.TARGET,
        names.OUTCOME,
        names.REJECTION,
        names.ERROR_TYPE,
    ),
)
APPEND_DURATION = Metric(
    name="eventhus.append.duration",
    kind="histogram",
    unit="s",
    description="Duration of appends to the log.",
    attributes=(names.BUCKET, names.STREAM_TYPE, names.OUTCOME, names.ERROR_TYPE),
)
APPENDED_EVENTS = Metric(
    name="eventhus.append.events",
    kind="counter",
    unit="{event}",
    description="Number of events appended to the log.",
    attributes=(names.BUCKET, names.STREAM_TYPE),
)
CONFLICTS = Metric(
    name="eventhus.append.conflicts",
    kind="counter",
    unit="{conflict}",
    description="Number of appends that lost to another writer, and are decided again.",
    attributes=(names.BUCKET, names.STREAM_TYPE),
)
PUBLISH_DURATION = Metric(
    name="messaging.client.operation.duration",
    kind="histogram",
    unit="s",
    description="Duration of publishing a batch of events on the bus.",
    attributes=_MESSAGING,
)
SENT_MESSAGES = Metric(
    name="messaging.client.sent.messages",
    kind="counter",
    unit="{message}",
    description="Number of events that the relay attempted to publish.",
    attributes=_MESSAGING,
)
CONSUMED_MESSAGES = Metric(
    name="messaging.client.consumed.messages",
    kind="counter",
    unit="{message}",
    description="Number of events given to handlers, processes and views, repeats included.",
    attributes=(*_MESSAGING, names.GROUP),
)
PROCESS_DURATION = Metric(
    name="messaging.process.duration",
    kind="histogram",
    unit="s",
    description="Duration of calls of handlers, reactions of processes and batches of views.",
    attributes=(*_MESSAGING, names.GROUP),
)
DEAD_LETTERS = Metric(
    name="eventhus.dead_letters",
    kind="counter",
    unit="{message}",
    description="Number of events that became dead letters.",
    attributes=(names.BUCKET, names.GROUP, names.ERROR_TYPE),
)
LAG = Metric(
    name="eventhus.reader.lag",
    kind="gauge",
    unit="{event}",
    description="Number of events in the log that a reader has not done yet.",
    attributes=(names.BUCKET, names.READER),
)
POSITION = Metric(
    name="eventhus.reader.position",
    kind="gauge",
    unit="{event}",
    description="Position in the log up to which a reader has done everything.",
    attributes=(names.BUCKET, names.READER),
)
PARKED = Metric(
    name="eventhus.reader.parked",
    kind="gauge",
    unit="{key}",
    description="Number of parked keys of a view or process.",
    attributes=(names.BUCKET, names.READER),
)
FAILURES = Metric(
    name="eventhus.reader.failures",
    kind="counter",
    unit="{failure}",
    description="Number of times that a reader has stopped with an error.",
    attributes=(names.BUCKET, names.READER, names.ERROR_TYPE),
)

METRICS: Sequence[Metric] = (
    COMMAND_DURATION,
    APPEND_DURATION,
    APPENDED_EVENTS,
    CONFLICTS,
    PUBLISH_DURATION,
    SENT_MESSAGES,
    CONSUMED_MESSAGES,
    PROCESS_DURATION,
    DEAD_LETTERS,
    LAG,
    POSITION,
    PARKED,
    FAILURES,
)

# Those of the conventions for messaging, and two below for operations in memory.
BOUNDARIES_S = (
    *(0.001, 0.0025),
    *(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10),
)


class Instruments:
    """The instruments of one meter, and the last progress of each reader."""

    def __init__(self, meter: Meter) -> None:
        self._progress: dict[tuple[ObservedApplication, str], ReaderProgress] = {}
        self._counters: dict[Metric, Counter] = {}
        self._histograms: dict[Metric, Histogram] = {}
        for each in METRICS:
            if each.kind == "counter":
                self._counters[each] = meter.create_counter(each.name, each.unit, each.description)
            elif each.kind == "histogram":
                self._histograms[each] = meter.create_histogram(
                    each.name,
                    each.unit,
                    each.description,
                    explicit_bucket_boundaries_advisory=BOUNDARIES_S,
                )
        gauges = {LAG: self._lags, POSITION: self._positions, PARKED: self._parked}
        for metric, look in gauges.items():
            meter.create_observable_gauge(metric.name, [look], metric.unit, metric.description)

    def operation(
        self,
        operation: Operation,
        attributes: Attributes,
        ended: Ended,
        seconds: float,
        context: Context,
    ) -> None:
        """Record an operation that has ended.

        Args:
            operation: The operation.
            attributes: Its attributes of low cardinality, with its outcome.
            ended: How it ended.
            seconds: Its duration.
            context: That of its span, which exemplars refer to.
        """

        def record(metric: Metric) -> None:
            self._histograms[metric].record(seconds, _of(metric, attributes), context)

        def add(metric: Metric, number: int) -> None:
            self._counters[metric].add(number, _of(metric, attributes), context)

        match operation:
            case Dispatching():
                record(COMMAND_DURATION)
            case Appending():
                record(APPEND_DURATION)
                if ended.outcome == "accepted":
                    add(APPENDED_EVENTS, operation.events)
                elif ended.outcome == "conflict":
                    add(CONFLICTS, 1)
            case Publishing():
                record(PUBLISH_DURATION)
                add(SENT_MESSAGES, len(operation.metadata))
            case Handling() | Reacting():
                record(PROCESS_DURATION)
                add(CONSUMED_MESSAGES, 1)
            case Projecting():
                record(PROCESS_DURATION)
                add(CONSUMED_MESSAGES, len(operation.metadata))
            case _:
                pass

    def fact(self, fact: Fact) -> None:
        """Record a fact."""
        match fact:
            case EventBuried(application=application, group=group, error=error):
                attributes: Attributes = {
                    names.BUCKET: application.bucket,
                    names.GROUP: group,
                    names.ERROR_TYPE: names.error_type(error),
                }
                self._counters[DEAD_LETTERS].add(1, attributes)
            case ReaderFailed(application=application, reader=reader, error=error):
                attributes = {
                    names.BUCKET: application.bucket,
                    names.READER: reader,
                    names.ERROR_TYPE: names.error_type(error),
                }
                self._counters[FAILURES].add(1, attributes)
            case ReaderProgress(application=application, reader=reader):
                self._progress[application, reader] = fact
            case ReaderLeft(application=application, reader=reader):
                self._progress.pop((application, reader), None)
            case _:
                pass

    # Collected in a thread of the exporter, so each takes a copy first.

    def _lags(self, _: CallbackOptions) -> Iterable[Observation]:
        for each in [*self._progress.values()]:
            yield Observation(each.head - each.position, _reader(each))

    def _positions(self, _: CallbackOptions) -> Iterable[Observation]:
        for each in [*self._progress.values()]:
            yield Observation(each.position, _reader(each))

    def _parked(self, _: CallbackOptions) -> Iterable[Observation]:
        for each in [*self._progress.values()]:
            yield Observation(each.parked, _reader(each))


def _of(metric: Metric, attributes: Attributes) -> Attributes:
    return {name: attributes[name] for name in metric.attributes if name in attributes}


def _reader(progress: ReaderProgress) -> Attributes:
    return {names.BUCKET: progress.application.bucket, names.READER: progress.reader}
