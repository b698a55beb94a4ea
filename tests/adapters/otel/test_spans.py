"""Spans: names, kinds, attributes, and nothing of what commands and events hold."""

import asyncio
from contextvars import copy_context
from functools import partial
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, StatusCode, TraceFlags
from opentelemetry.trace import use_span as used

from eventhus import Application, Delivered, Metadata
from eventhus.ports import (
    Appending,
    Deciding,
    Dispatching,
    Ended,
    ObservedApplication,
    Projecting,
    Publishing,
)
from eventhus_cattrs import CattrsCodec
from eventhus_memory import MemoryStore
from eventhus_otel import OtelObserver
from tests.adapters.otel.support import (
    PlaceOrder,
    Telemetry,
    TooExpensive,
    attributes_of,
    bill,
    billing,
    id_of,
    order,
    parent_of,
    spending,
    trace_of,
)
from tests.core.waiting import eventually

HERE = ObservedApplication(bucket="shop", store="MongoStore", bus="NatsBus")


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry()


def shop(telemetry: Telemetry, **options: Any) -> Application:
    return Application.open(
        bucket="shop", aggregates=[order, bill], observer=telemetry.observer, **options
    )


async def test_a_command_is_a_producer_with_its_decision_and_append_inside(
    telemetry: Telemetry,
) -> None:
    async with shop(telemetry) as app:
        await app.dispatch(PlaceOrder(aggregate_id="o1", price=5))
    dispatch = telemetry.one("dispatch PlaceOrder")
    decide, append = telemetry.one("decide PlaceOrder"), telemetry.one("append Order")
    assert [id_of(dispatch)] * 2 == [parent_of(decide), parent_of(append)]
    assert SpanKind.PRODUCER == dispatch.kind
    assert {
        "eventhus.bucket": "shop",
        "eventhus.command.type": "PlaceOrder",
        "eventhus.command.target": "Order",
        "eventhus.outcome": "accepted",
        "eventhus.events": 1,
    } == attributes_of(dispatch)
    assert SpanKind.INTERNAL == decide.kind
    assert SpanKind.INTERNAL == append.kind  # in memory
    assert {
        "eventhus.bucket": "shop",
        "eventhus.stream.type": "Order",
        "eventhus.streams": 1,
        "eventhus.events": 1,
        "eventhus.attempt": 1,
        "eventhus.outcome": "accepted",
        "db.system.name": "memory",
        "db.operation.name": "append",
    } == attributes_of(append)


def test_an_append_to_a_database_is_a_client(telemetry: Telemetry) -> None:
    operation = Appending(
        application=HERE,
        stream_type="Order",
        streams=1,
        events=1,
        attempt=2,
        metadata=Metadata(),
    )
    begin_and_finish(telemetry.observer, operation)
    append = telemetry.one("append Order")
    assert SpanKind.CLIENT == append.kind
    assert "mongodb" == attributes_of(append)["db.system.name"]


def begin_and_finish(observer: OtelObserver, operation: Any, ended: Ended | None = None) -> None:
    observation = observer.begin(operation)
    assert observation is not None
    observation.finish(ended or Ended())


async def test_a_refusal_is_no_error_of_the_span(telemetry: Telemetry) -> None:
    """The domain has answered, and nothing is wrong with the system."""
    async with shop(telemetry) as app:
        with pytest.raises(TooExpensive):
            await app.dispatch(PlaceOrder(aggregate_id="o1", price=4242))
    dispatch = telemetry.one("dispatch PlaceOrder")
    assert StatusCode.UNSET == dispatch.status.status_code
    attributes = attributes_of(dispatch)
    assert "rejected" == attributes["eventhus.outcome"]
    assert f"{TooExpensive.__module__}.TooExpensive" == attributes["eventhus.rejection.type"]
    assert "error.type" not in attributes


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (ValueError("s3cret"), "ValueError"),
        (asyncio.CancelledError("s3cret"), "asyncio.exceptions.CancelledError"),
    ],
    ids=["builtin", "of a module"],
)
def test_an_error_is_told_by_its_class_alone(
    telemetry: Telemetry, error: BaseException, name: str
) -> None:
    operation = Deciding(application=HERE, command="PlaceOrder")
    begin_and_finish(telemetry.observer, operation, Ended(outcome="failed", error=error))
    [span] = telemetry.spans
    assert StatusCode.ERROR == span.status.status_code
    assert not span.status.description
    assert name == attributes_of(span)["error.type"]
    assert "s3cret" not in span.to_json()


def test_a_conflict_is_no_error_of_the_span(telemetry: Telemetry) -> None:
    """It belongs to optimistic concurrency, and the command is decided again."""
    operation = Appending(
        application=HERE,
        stream_type="Order",
        streams=1,
        events=1,
        attempt=1,
        metadata=Metadata(),
    )
    ended = Ended(outcome="conflict", error=RuntimeError())
    begin_and_finish(telemetry.observer, operation, ended)
    [span] = telemetry.spans
    assert StatusCode.UNSET == span.status.status_code
    assert "conflict" == attributes_of(span)["eventhus.outcome"]
    assert "error.type" not in attributes_of(span)


async def test_handlers_processes_and_views_are_consumers_of_the_trace(
    telemetry: Telemetry,
) -> None:
    handled: list[Delivered[Any]] = []

    async def handle(delivered: Delivered[Any]) -> None:
        handled.append(delivered)

    async with shop(telemetry, bus="memory://", processes=[billing], views=[spending]) as app:
        await app.subscribe(handle, group="mailer")
        committed = await app.dispatch(PlaceOrder(aggregate_id="o1", price=5))
        await app.caught_up(spending)
        await eventually(lambda: len(handled) == 2)
    dispatch, billed = (telemetry.one(f"dispatch {name}") for name in ("PlaceOrder", "SendBill"))
    react = telemetry.one("react billing")
    project = telemetry.one("project spending")
    first, second = telemetry.named("handle mailer")
    assert {trace_of(dispatch)} == {trace_of(span) for span in telemetry.spans}
    assert id_of(dispatch) == parent_of(react) == parent_of(project)
    assert {id_of(dispatch), id_of(billed)} == {parent_of(first), parent_of(second)}
    assert id_of(react) == parent_of(billed)
    assert [id_of(dispatch)] == [link.context.span_id for link in project.links]
    assert {SpanKind.CONSUMER} == {span.kind for span in (react, project, first, second)}
    [event] = committed.events
    common = {
        "eventhus.bucket": "shop",
        "messaging.system": "eventhus",
        "messaging.destination.name": "shop",
        "messaging.operation.type": "process",
        "eventhus.outcome": "accepted",
    }
    message = {
        "messaging.message.id": event.id,
        "messaging.message.conversation_id": event.metadata.correlation_id,
        "eventhus.event.type": "OrderPlaced",
        "eventhus.stream.type": "Order",
    }
    assert {
        **common,
        **message,
        "messaging.operation.name": "react",
        "messaging.consumer.group.name": "process billing",
    } == attributes_of(react)
    assert {
        **common,
        **message,
        "messaging.operation.name": "handle",
        "messaging.consumer.group.name": "mailer",
        "eventhus.attempt": 1,
    } in [attributes_of(first), attributes_of(second)]
    assert {
        **common,
        "messaging.operation.name": "project",
        "messaging.consumer.group.name": "view spending",
    } == attributes_of(project)


def caused_by(number: int) -> Metadata:
    """The metadata of an event in the trace of a number, from the span of the same number."""
    return Metadata(values={"traceparent": f"00-{number:032x}-{number:016x}-01"})


def links_of(span: ReadableSpan) -> list[int]:
    return [link.context.span_id for link in span.links]


@pytest.mark.parametrize("kind", [Publishing, Projecting])
def test_a_batch_of_several_causes_links_to_each_once(telemetry: Telemetry, kind: Any) -> None:
    options = {"reader": "view spending"} if kind is Projecting else {}
    metadata = [caused_by(1), caused_by(2), caused_by(1), Metadata()]
    begin_and_finish(telemetry.observer, kind(application=HERE, metadata=metadata, **options))
    [span] = telemetry.spans
    assert [1, 2] == links_of(span)
    assert span.parent is None
    assert 4 == attributes_of(span)["messaging.batch.message_count"]


def test_a_batch_of_one_cause_continues_its_trace(telemetry: Telemetry) -> None:
    metadata = [caused_by(7), caused_by(7)]
    begin_and_finish(telemetry.observer, Publishing(application=HERE, metadata=metadata))
    [span] = telemetry.spans
    assert ("publish shop", SpanKind.CLIENT) == (span.name, span.kind)
    assert (7, [7], 7) == (parent_of(span), links_of(span), trace_of(span))
    assert {
        "eventhus.bucket": "shop",
        "messaging.system": "nats",
        "messaging.destination.name": "shop",
        "messaging.operation.name": "publish",
        "messaging.operation.type": "send",
        "messaging.batch.message_count": 2,
        "eventhus.outcome": "accepted",
    } == attributes_of(span)


def test_the_links_of_a_large_batch_are_bounded(telemetry: Telemetry) -> None:
    metadata = [caused_by(number) for number in range(1, 5000)]
    begin_and_finish(telemetry.observer, Publishing(application=HERE, metadata=metadata))
    [span] = telemetry.spans
    assert [*range(1, 129)] == links_of(span)


def dispatching(metadata: Metadata) -> Dispatching:
    return Dispatching(application=HERE, command="PlaceOrder", target="Order", metadata=metadata)


def current(number: int) -> Any:
    """Make a remote span the current one."""
    context = SpanContext(number, number, is_remote=True, trace_flags=TraceFlags(1))
    return used(NonRecordingSpan(context))


def test_a_command_without_a_current_span_continues_the_trace_in_its_metadata(
    telemetry: Telemetry,
) -> None:
    begin_and_finish(telemetry.observer, dispatching(caused_by(7)))
    [span] = telemetry.spans
    assert (7, 7, []) == (trace_of(span), parent_of(span), links_of(span))


def test_a_command_with_a_current_span_links_to_another_trace_in_its_metadata(
    telemetry: Telemetry,
) -> None:
    with current(8):
        begin_and_finish(telemetry.observer, dispatching(caused_by(7)))
        begin_and_finish(telemetry.observer, dispatching(caused_by(8)))
    first, second = telemetry.spans
    assert (8, [7]) == (parent_of(first), links_of(first))
    assert (8, []) == (parent_of(second), links_of(second))


def test_an_append_in_the_background_belongs_to_the_trace_of_its_events(
    telemetry: Telemetry,
) -> None:
    """The timer of a process may have been started inside any span, such as that of a startup."""
    with current(8):
        for number in (7, 8):
            operation = Appending(
                application=HERE,
                stream_type="eventhus:process/billing",
                streams=1,
                events=1,
                attempt=1,
                metadata=caused_by(number),
            )
            begin_and_finish(telemetry.observer, operation)
    assert [7, 8] == [trace_of(span) for span in telemetry.spans]


async def test_readers_do_not_belong_to_the_span_that_the_application_was_entered_in(
    telemetry: Telemetry,
) -> None:
    """It has ended long before."""
    store, codec = MemoryStore(), CattrsCodec()
    composed = partial(Application, bucket="shop", aggregates=[order], store=store, codec=codec)
    async with composed() as unobserved:  # its events carry no trace
        with current(8):
            app = composed(views=[spending], observer=telemetry.observer)
            await app.__aenter__()
        await unobserved.dispatch(PlaceOrder(aggregate_id="o1", price=5))
        await app.caught_up(spending)
        await app.__aexit__(None, None, None)
    assert {None} == {span.parent for span in telemetry.named("project spending")}


async def test_a_parked_key_is_an_event_of_the_span(telemetry: Telemetry) -> None:
    async with shop(telemetry, views=[spending]) as app:
        await app.dispatch(PlaceOrder(aggregate_id="o1", price=13))
        await app.caught_up(spending)
    [event] = telemetry.one("project spending").events
    assert "eventhus.parked" == event.name
    assert {"eventhus.reader": "view spending", "error.type": "KeyError"} == dict(
        event.attributes or {}
    )


async def test_no_span_has_the_data_of_a_command_or_an_event(telemetry: Telemetry) -> None:
    """Nor the id of an aggregate, which may be somebody's address, or the message of an error."""

    async def fail(delivered: Delivered[Any]) -> None:
        raise KeyError(f"s3cret {delivered.event}")

    async with shop(telemetry, processes=[billing], views=[spending]) as app:
        await app.subscribe(fail, group="mailer", attempts=1)
        await app.dispatch(PlaceOrder(aggregate_id="ann@example.org", price=424))
        with pytest.raises(TooExpensive):
            await app.dispatch(PlaceOrder(aggregate_id="ann@example.org", price=4242))
        await app.caught_up(spending)
        await eventually(lambda: len(telemetry.named("handle mailer")) == 2)
    told = "".join(span.to_json() for span in telemetry.spans)
    assert [] == [secret for secret in ("s3cret", "example.org") if secret in told]
    values = {value for span in telemetry.spans for value in attributes_of(span).values()}
    assert set() == values & {424, "424", 4242, "4242"}


def test_a_task_that_is_thrown_away_ends_its_span_without_a_complaint(
    telemetry: Telemetry, caplog: pytest.LogCaptureFixture
) -> None:
    """The garbage collector ends it in another context, where the token means nothing."""
    operation = Deciding(application=HERE, command="PlaceOrder")
    observation = copy_context().run(telemetry.observer.begin, operation)
    assert observation is not None
    copy_context().run(observation.finish, Ended(outcome="failed", error=GeneratorExit()))
    assert ["GeneratorExit"] == [attributes_of(span)["error.type"] for span in telemetry.spans]
    assert [] == caplog.records


def test_operations_and_facts_of_later_versions_are_ignored(telemetry: Telemetry) -> None:
    later: Any = object()
    assert telemetry.observer.begin(later) is None
    telemetry.observer.note(later)
    assert () == tuple(telemetry.spans)


async def test_without_an_sdk_nothing_is_added_to_events() -> None:
    """The API alone makes no spans."""
    async with Application.open(bucket="shop", aggregates=[order], observer=OtelObserver()) as app:
        committed = await app.dispatch(
            PlaceOrder(aggregate_id="o1", price=5), metadata=Metadata(values={"user": "ann"})
        )
    assert {"user": "ann"} == committed.events[0].metadata.values
