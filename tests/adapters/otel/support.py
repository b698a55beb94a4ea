"""Spans and metrics in memory, and a small shop that makes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrs import frozen
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from eventhus import Aggregate, Command, Process, Recorded, Rejected, View
from eventhus_otel import OtelObserver


class Telemetry:
    """An observer, and what it has made.

    Args:
        service: The name of the service.

    Attributes:
        observer: The observer.
        tracers: Makes its spans.
    """

    def __init__(self, service: str = "shop") -> None:
        self._spans = InMemorySpanExporter()
        self.tracers = TracerProvider(resource=Resource.create({"service.name": service}))
        self.tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        self._metrics = InMemoryMetricReader()
        self.observer = OtelObserver(self.tracers, MeterProvider([self._metrics]))

    @property
    def spans(self) -> Sequence[ReadableSpan]:
        """The spans that have ended, in the order of their ends."""
        return self._spans.get_finished_spans()

    def named(self, name: str) -> list[ReadableSpan]:
        """Return the spans of a name that have ended."""
        return [span for span in self.spans if span.name == name]

    def one(self, name: str) -> ReadableSpan:
        """Return the only span of a name."""
        [span] = self.named(name)
        return span

    @property
    def metrics(self) -> Mapping[str, Any]:
        """The metrics by name, as they are now."""
        data = self._metrics.get_metrics_data()
        if data is None:
            return {}
        return {
            metric.name: metric
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    def points(self, name: str) -> list[tuple[Mapping[str, Any], Any]]:
        """Return the attributes and values of a metric; the value of a histogram is its count."""
        metric = self.metrics.get(name)
        points = () if metric is None else metric.data.data_points
        return [
            (dict(each.attributes), each.count if hasattr(each, "count") else each.value)
            for each in points
        ]


def parent_of(span: ReadableSpan) -> int | None:
    """Return the id of the parent of a span."""
    return None if span.parent is None else span.parent.span_id


def id_of(span: ReadableSpan) -> int:
    """Return the id of a span."""
    assert span.context is not None
    number: int = span.context.span_id
    return number


def trace_of(span: ReadableSpan) -> int:
    """Return the id of the trace of a span."""
    assert span.context is not None
    number: int = span.context.trace_id
    return number


def attributes_of(span: ReadableSpan) -> dict[str, Any]:
    """Return the attributes of a span."""
    return dict(span.attributes or {})


@frozen(kw_only=True)
class PlaceOrder(Command):
    """Order something."""

    price: int


@frozen
class OrderPlaced:
    """Something was ordered."""

    price: int


class TooExpensive(Rejected):
    """Nobody orders that."""

    def __init__(self, price: int) -> None:
        super().__init__(f"{price} is too much")


def decide_order(command: PlaceOrder, count: int) -> Iterator[OrderPlaced]:
    """Refuse prices beyond 1,000, and change nothing for free ones."""
    if command.price > 1000:
        raise TooExpensive(command.price)
    if command.price:
        yield OrderPlaced(command.price)


def evolve_order(count: int, event: OrderPlaced) -> int:
    """Count."""
    return count + 1


order = Aggregate(name="Order", initial=0, decide=decide_order, evolve=evolve_order)


@frozen(kw_only=True)
class SendBill(Command):
    """Send a bill."""

    amount: int


@frozen
class BillSent:
    """A bill was sent."""

    amount: int


def decide_bill(command: SendBill, count: int) -> Iterator[BillSent]:
    """Send it."""
    yield BillSent(command.amount)


def evolve_bill(count: int, event: BillSent) -> int:
    """Count."""
    return count + 1


bill = Aggregate(name="Bill", initial=0, decide=decide_bill, evolve=evolve_bill)


def the_stream(recorded: Recorded[OrderPlaced]) -> str:
    """Key by order."""
    return recorded.stream.aggregate_id


def count_orders(count: int, recorded: Recorded[OrderPlaced]) -> int:
    """Count."""
    return count + 1


def send_a_bill(count: int, recorded: Recorded[OrderPlaced]) -> Iterator[Command]:
    """Send a bill for each order."""
    yield SendBill(aggregate_id=f"bill-{recorded.stream.aggregate_id}", amount=recorded.event.price)


billing = Process(name="billing", initial=0, key=the_stream, evolve=count_orders, react=send_a_bill)


def add_price(total: int, recorded: Recorded[OrderPlaced]) -> int:
    """Add up."""
    if recorded.event.price == 13:
        raise KeyError("s3cret")
    return total + recorded.event.price


spending = View(name="spending", initial=0, key=the_stream, evolve=add_price)
