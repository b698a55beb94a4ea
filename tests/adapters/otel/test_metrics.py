"""Metrics: names, units and attributes, and what they count."""

from collections.abc import Mapping
from typing import Any

import pytest
from opentelemetry.sdk.metrics.export import Gauge, Histogram, Sum

from eventhus import Application, Delivered, Metadata
from eventhus.ports import (
    Appending,
    Ended,
    EventBuried,
    Handling,
    ObservedApplication,
    Projecting,
    Publishing,
    ReaderFailed,
    ReaderLeft,
    ReaderProgress,
)
from eventhus_otel.metrics import BOUNDARIES_S, METRICS
from tests.adapters.otel.support import (
    PlaceOrder,
    Telemetry,
    TooExpensive,
    bill,
    billing,
    order,
    spending,
)
from tests.core.waiting import eventually

HERE = ObservedApplication(bucket="shop", store="MongoStore", bus="NatsBus")
APPENDING = Appending(
    application=HERE,
    stream_type="Order",
    streams=1,
    events=3,
    attempt=1,
    metadata=Metadata(),
)
KINDS: Mapping[str, type[Any]] = {"counter": Sum, "gauge": Gauge, "histogram": Histogram}


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry()


async def everything(telemetry: Telemetry) -> None:
    """Have each metric counted at least once."""

    async def fail(_: Delivered[Any]) -> None:
        raise KeyError("s3cret")

    async with Application.open(
        bucket="shop",
        aggregates=[order, bill],
        processes=[billing],
        views=[spending],
        bus="memory://",
        observer=telemetry.observer,
    ) as app:
        await app.subscribe(fail, group="mailer", attempts=1)
        await app.dispatch(PlaceOrder(aggregate_id="o1", price=5))
        with pytest.raises(TooExpensive):
            await app.dispatch(PlaceOrder(aggregate_id="o1", price=4242))
        await app.caught_up(spending)
        await eventually(lambda: telemetry.points("eventhus.dead_letters"))
    observation = telemetry.observer.begin(APPENDING)
    assert observation is not None
    observation.finish(Ended(outcome="conflict", error=RuntimeError()))
    telemetry.observer.note(
        ReaderFailed(application=HERE, reader="view spending", error=KeyError("s3cret"))
    )
    telemetry.observer.note(progress())


def progress(**changes: Any) -> ReaderProgress:
    values: dict[str, Any] = {
        "application": HERE,
        "reader": "view spending",
        "position": 7,
        "head": 10,
        "parked": 2,
    }
    return ReaderProgress(**{**values, **changes})


async def test_every_metric_has_the_name_unit_and_attributes_that_it_announces(
    telemetry: Telemetry,
) -> None:
    """And no others: an id in an attribute would make one time series for each."""
    await everything(telemetry)
    metrics: Mapping[str, Any] = telemetry.metrics
    assert {each.name for each in METRICS} == metrics.keys()
    for each in METRICS:
        made = metrics[each.name]
        assert (each.unit, each.description) == (made.unit, made.description)
        assert KINDS[each.kind] is type(made.data)
        given = {key for point in made.data.data_points for key in point.attributes}
        assert given <= {*each.attributes}


async def test_every_announced_attribute_is_given_by_something(telemetry: Telemetry) -> None:
    await everything(telemetry)
    observation = telemetry.observer.begin(Publishing(application=HERE, metadata=[Metadata()]))
    assert observation is not None
    failed = Ended(outcome="failed", error=ConnectionError())
    observation.finish(failed)
    for operation in (APPENDING,):
        observation = telemetry.observer.begin(operation)
        assert observation is not None
        observation.finish(failed)
    metrics = telemetry.metrics
    for each in METRICS:
        points = metrics[each.name].data.data_points
        given = {key for point in points for key in point.attributes}
        if each.name == "eventhus.command.duration":
            given.add("error.type")  # a command that fails, not one that is refused
        assert {*each.attributes} == given, each.name


async def test_the_duration_of_a_command_is_counted_by_its_outcome(telemetry: Telemetry) -> None:
    async with Application.open(
        bucket="shop", aggregates=[order], observer=telemetry.observer
    ) as app:
        await app.dispatch(PlaceOrder(aggregate_id="o1", price=5))
        await app.dispatch(PlaceOrder(aggregate_id="o1", price=5))
        await app.dispatch(PlaceOrder(aggregate_id="o1", price=0))
        with pytest.raises(TooExpensive):
            await app.dispatch(PlaceOrder(aggregate_id="o1", price=4242))
    common = {
        "eventhus.bucket": "shop",
        "eventhus.command.type": "PlaceOrder",
        "eventhus.command.target": "Order",
    }
    refusal = f"{TooExpensive.__module__}.TooExpensive"
    points = telemetry.points("eventhus.command.duration")
    assert ({**common, "eventhus.outcome": "accepted"}, 2) in points
    assert ({**common, "eventhus.outcome": "unchanged"}, 1) in points
    rejected = {"eventhus.outcome": "rejected", "eventhus.rejection.type": refusal}
    assert ({**common, **rejected}, 1) in points
    assert 3 == len(points)
    [point, *_] = telemetry.metrics["eventhus.command.duration"].data.data_points
    assert BOUNDARIES_S == tuple(point.explicit_bounds)
    assert 0 < point.sum < 10  # seconds


async def test_a_metric_of_a_duration_is_that_of_its_span(telemetry: Telemetry) -> None:
    async with Application.open(
        bucket="shop", aggregates=[order], observer=telemetry.observer
    ) as app:
        await app.dispatch(PlaceOrder(aggregate_id="o1", price=5))
    span = telemetry.one("dispatch PlaceOrder")
    [point] = telemetry.metrics["eventhus.command.duration"].data.data_points
    assert span.start_time is not None
    assert span.end_time is not None
    assert pytest.approx((span.end_time - span.start_time) / 1e9, abs=0.02) == point.sum


def test_conflicts_and_appended_events_are_counted(telemetry: Telemetry) -> None:
    for ended in (
        Ended(outcome="conflict", error=RuntimeError()),
        Ended(outcome="failed", error=ConnectionError()),
        Ended(),
    ):
        observation = telemetry.observer.begin(APPENDING)
        assert observation is not None
        observation.finish(ended)
    stream = {"eventhus.bucket": "shop", "eventhus.stream.type": "Order"}
    assert [(stream, 1)] == telemetry.points("eventhus.append.conflicts")
    assert [(stream, 3)] == telemetry.points("eventhus.append.events")
    assert [
        ({**stream, "eventhus.outcome": "conflict"}, 1),
        ({**stream, "eventhus.outcome": "failed", "error.type": "ConnectionError"}, 1),
        ({**stream, "eventhus.outcome": "accepted"}, 1),
    ] == telemetry.points("eventhus.append.duration")


def test_published_messages_are_counted_one_by_one(telemetry: Telemetry) -> None:
    observation = telemetry.observer.begin(
        Publishing(application=HERE, metadata=[Metadata(), Metadata("talk")])
    )
    assert observation is not None
    observation.finish(Ended())
    expected = {
        "eventhus.bucket": "shop",
        "messaging.system": "nats",
        "messaging.destination.name": "shop",
        "messaging.operation.name": "publish",
        "messaging.operation.type": "send",
    }
    assert [(expected, 2)] == telemetry.points("messaging.client.sent.messages")
    assert [(expected, 1)] == telemetry.points("messaging.client.operation.duration")


def test_the_events_of_a_batch_of_a_view_are_counted_one_by_one(telemetry: Telemetry) -> None:
    observation = telemetry.observer.begin(
        Projecting(
            application=HERE, reader="view spending", metadata=[Metadata(), Metadata("talk")]
        )
    )
    assert observation is not None
    observation.finish(Ended())
    expected = {
        "eventhus.bucket": "shop",
        "messaging.system": "eventhus",
        "messaging.destination.name": "shop",
        "messaging.operation.name": "project",
        "messaging.operation.type": "process",
        "messaging.consumer.group.name": "view spending",
    }
    assert [(expected, 2)] == telemetry.points("messaging.client.consumed.messages")
    assert [(expected, 1)] == telemetry.points("messaging.process.duration")


def test_each_attempt_of_a_handler_is_counted(telemetry: Telemetry) -> None:
    for attempt, ended in enumerate((Ended(outcome="failed", error=KeyError("s3cret")), Ended())):
        observation = telemetry.observer.begin(
            Handling(
                application=HERE,
                group="mailer",
                event="OrderPlaced",
                event_id="c1-1",
                stream_type="Order",
                metadata=Metadata(),
                attempt=attempt,
            )
        )
        assert observation is not None
        observation.finish(ended)
    (first, one), (second, other) = telemetry.points("messaging.process.duration")
    assert ("KeyError", 1, 1) == (first["error.type"], one, other)
    assert first == {**second, "error.type": "KeyError"}
    assert "mailer" == second["messaging.consumer.group.name"]


def test_dead_letters_are_counted_by_group_and_error(telemetry: Telemetry) -> None:
    for _ in range(2):
        telemetry.observer.note(
            EventBuried(application=HERE, group="mailer", error=KeyError("s3cret"))
        )
    expected = {
        "eventhus.bucket": "shop",
        "messaging.consumer.group.name": "mailer",
        "error.type": "KeyError",
    }
    assert [(expected, 2)] == telemetry.points("eventhus.dead_letters")


def test_gauges_tell_the_last_progress_of_each_reader_until_it_is_left(
    telemetry: Telemetry,
) -> None:
    """They are told at every collection, whether there was progress since the last one or not."""
    other = ObservedApplication(bucket="bank", store="MongoStore", bus="NatsBus")
    for each in (
        progress(position=1),
        progress(),
        progress(reader="relay", position=10, parked=0),
        progress(application=other),
    ):
        telemetry.observer.note(each)

    def gauges(bucket: str) -> Mapping[str, list[tuple[str, int]]]:
        return {
            name: [
                (key["eventhus.reader"], value)
                for key, value in telemetry.points(f"eventhus.reader.{name}")
                if key["eventhus.bucket"] == bucket
            ]
            for name in ("lag", "position", "parked")
        }

    expected = {
        "lag": [("view spending", 3), ("relay", 0)],
        "position": [("view spending", 7), ("relay", 10)],
        "parked": [("view spending", 2), ("relay", 0)],
    }
    assert expected == gauges("shop") == gauges("shop")
    for _ in range(2):
        telemetry.observer.note(ReaderLeft(application=HERE, reader="view spending"))
    assert [("relay", 0)] == gauges("shop")["lag"]
    assert [("view spending", 3)] == gauges("bank")["lag"]
