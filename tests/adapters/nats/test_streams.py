"""The streams of a bucket: how they are created, and which existing ones are refused."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from nats.js.api import DiscardPolicy, KeyValueConfig, StreamConfig

from eventhus.errors import (
    BusUnavailable,
    CompositionError,
    IncompatibleBucket,
    InvalidArgument,
)
from eventhus_nats import NatsBus
from eventhus_testing.conformance.bus.cases import Inbox, message, publish
from tests.adapters.nats.support import plain, until, with_streams


async def test_a_new_stream_has_the_default_settings(nats_url: str, nats_bucket: str) -> None:
    async with with_streams(nats_url, nats_bucket), plain(nats_url) as (_, jetstream):
        events = (await jetstream.stream_info(nats_bucket)).config
        dead = (await jetstream.stream_info(f"{nats_bucket}_dead")).config
    assert ([f"{nats_bucket}.*"], "limits", "file", 7 * 24 * 3600, 120, 1) == (
        events.subjects,
        events.retention,
        events.storage,
        events.max_age,
        events.duplicate_window,
        events.num_replicas,
    )
    assert ([f"{nats_bucket}.dead.*"], 0) == (dead.subjects, dead.max_age)


async def test_every_setting_reaches_the_stream_and_can_be_left_out_later(
    nats_url: str, nats_bucket: str
) -> None:
    options: dict[str, Any] = {
        "subject": "events.{aggregate_type}.{aggregate_id}",
        "retention": "interest",
        "max_age": timedelta(seconds=60),
        "duplicate_window": timedelta(seconds=5),
        "replicas": 1,
    }
    for _ in range(2):
        async with with_streams(nats_url, nats_bucket, **options):
            pass
    async with NatsBus.open(nats_url, nats_bucket, subject=options["subject"]):
        pass
    async with plain(nats_url) as (_, jetstream):
        config = (await jetstream.stream_info(nats_bucket)).config
    assert ([f"{nats_bucket}.events.*.*"], "interest", 60, 5) == (
        config.subjects,
        config.retention,
        config.max_age,
        config.duplicate_window,
    )


async def test_the_default_duplicate_window_is_not_longer_than_max_age(
    nats_url: str, nats_bucket: str
) -> None:
    """The server would refuse it."""
    async with (
        with_streams(nats_url, nats_bucket, max_age=timedelta(seconds=30)),
        plain(nats_url) as (_, jetstream),
    ):
        assert 30 == (await jetstream.stream_info(nats_bucket)).config.duplicate_window


DIFFERENCES: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"subjects": ["BUCKET.x", "BUCKET.y"]}, {}, "subjects BUCKET.x, BUCKET.y, not BUCKET.*"),
    ({"retention": "interest"}, {"retention": "limits"}, "retention interest, not limits"),
    ({"max_age": 60}, {"max_age": timedelta(hours=1)}, "max_age 60 s, not 3600 s"),
    (
        {"duplicate_window": 1.5},
        {"duplicate_window": timedelta(minutes=2)},
        "duplicate_window 1.5 s, not 120 s",
    ),
    ({}, {"replicas": 3}, "num_replicas 1, not 3"),
    ({"no_ack": True}, {}, "no_ack true"),
    ({"storage": "memory"}, {}, "storage memory"),
    ({"max_msgs": 1000}, {}, "max_msgs 1000, not -1"),
    ({"max_bytes": 1 << 20}, {}, "max_bytes 1048576, not -1"),
    ({"max_msgs_per_subject": 10, "discard": "new"}, {}, "max_msgs_per_subject 10, not -1"),
]


@pytest.mark.parametrize(("found", "wanted", "difference"), DIFFERENCES)
async def test_a_stream_with_other_settings_is_refused_and_left_alone(
    nats_url: str,
    nats_bucket: str,
    found: dict[str, Any],
    wanted: dict[str, Any],
    difference: str,
) -> None:
    named: dict[str, Any] = {
        key: [each.replace("BUCKET", nats_bucket) for each in value] if key == "subjects" else value
        for key, value in found.items()
    }
    named = {"name": nats_bucket, "subjects": [f"{nats_bucket}.*"], **named}
    config = StreamConfig(**named)
    async with plain(nats_url) as (_, jetstream):
        before = (await jetstream.add_stream(config)).config
        with pytest.raises(IncompatibleBucket) as caught:
            await NatsBus.open(nats_url, nats_bucket, **wanted).__aenter__()
        assert before == (await jetstream.stream_info(nats_bucket)).config
    assert difference.replace("BUCKET", nats_bucket) in str(caught.value)
    assert f"nats stream edit {nats_bucket}" in str(caught.value)


async def test_a_bounded_stream_that_refuses_new_messages_is_accepted(
    nats_url: str, nats_bucket: str
) -> None:
    """It discards nothing, so the relay waits for room."""
    config = StreamConfig(
        name=nats_bucket,
        subjects=[f"{nats_bucket}.*"],
        discard=DiscardPolicy.NEW,
        max_msgs=1,
        max_bytes=1 << 20,
    )
    async with plain(nats_url) as (_, jetstream):
        await jetstream.add_stream(config)
        async with NatsBus.open(nats_url, nats_bucket) as bus:
            await publish(bus, [message("a", 1)])
            with pytest.raises(BusUnavailable, match="maximum messages exceeded"):
                await publish(bus, [message("a", 2)])


async def test_a_dead_letter_stream_with_a_limit_is_refused(
    nats_url: str, nats_bucket: str
) -> None:
    config = StreamConfig(
        name=f"{nats_bucket}_dead", subjects=[f"{nats_bucket}.dead.*"], max_msgs=10
    )
    async with plain(nats_url) as (_, jetstream):
        await jetstream.add_stream(config)
        with pytest.raises(IncompatibleBucket, match="_dead has max_msgs 10"):
            await NatsBus.open(nats_url, nats_bucket).__aenter__()


async def test_all_differences_are_named_in_one_error(nats_url: str, nats_bucket: str) -> None:
    async with with_streams(nats_url, nats_bucket, max_age=timedelta(minutes=5)):
        pass
    other = NatsBus.open(
        nats_url, nats_bucket, max_age=timedelta(minutes=6), retention="interest", subject="a.b"
    )
    with pytest.raises(IncompatibleBucket) as caught:
        await other.__aenter__()
    for name in ("subjects", "retention", "max_age"):
        assert name in str(caught.value)


async def test_the_reason_of_a_refused_setting_is_in_the_error(
    nats_url: str, nats_bucket: str
) -> None:
    async with NatsBus.open(nats_url, nats_bucket, replicas=3) as bus:
        for create in (bus.publisher, lambda: bus.subscribe(Inbox())):
            with pytest.raises(CompositionError, match="replicas > 1 not supported"):
                await create()


async def test_to_look_creates_nothing(nats_url: str, nats_bucket: str) -> None:
    """The name of the bucket may be misspelt."""
    async with NatsBus.open(nats_url, nats_bucket) as bus, plain(nats_url) as (_, jetstream):
        assert [] == [*await bus.groups()]
        assert not await bus.has_group("g")
        assert [] == [each async for each in bus.dead_letters("g")]
        for change in (bus.move("g", "now"), bus.delete_group("g")):
            with pytest.raises(InvalidArgument, match="there is no group 'g'"):
                await change
        assert [] == [
            each.config.name
            for each in await jetstream.streams_info()
            if nats_bucket in (each.config.name or "")
        ]


@pytest.mark.parametrize("way", ["publisher", "subscribe", "bury"])
async def test_to_take_part_creates_the_streams(nats_url: str, nats_bucket: str, way: str) -> None:
    async with NatsBus.open(nats_url, nats_bucket) as bus, plain(nats_url) as (_, jetstream):
        ways: dict[str, Callable[[], Awaitable[object]]] = {
            "publisher": bus.publisher,
            "subscribe": lambda: bus.subscribe(Inbox()),
            "bury": lambda: bus.bury(message(), "g"),
        }
        await ways[way]()
        for name in (nats_bucket, f"{nats_bucket}_dead"):
            assert (await jetstream.stream_info(name)).config.subjects


async def test_buses_that_open_at_once_share_one_stream(nats_url: str, nats_bucket: str) -> None:
    buses = [NatsBus.open(nats_url, nats_bucket) for _ in range(5)]
    await asyncio.gather(*(bus.__aenter__() for bus in buses))
    inboxes = [Inbox() for _ in buses]
    await asyncio.gather(
        *(bus.subscribe(inbox, group="g") for bus, inbox in zip(buses, inboxes, strict=True))
    )
    await publish(buses[0], [message()])
    await until(lambda: sum(len(inbox.messages) for inbox in inboxes) == 1)
    for bus in buses:
        await bus.__aexit__(None, None, None)


async def test_a_publisher_creates_a_deleted_stream_again(nats_url: str, nats_bucket: str) -> None:
    async with NatsBus.open(nats_url, nats_bucket) as bus, plain(nats_url) as (_, jetstream):
        await publish(bus, [message("a", 1)])
        await jetstream.delete_stream(nats_bucket)
        await publish(bus, [message("a", 2)])
        assert 1 == (await jetstream.stream_info(nats_bucket)).state.messages


async def test_a_key_value_bucket_with_another_expiry_is_refused(
    nats_url: str, nats_bucket: str
) -> None:
    """A member that crashed would keep its lease for too long."""
    async with NatsBus.open(nats_url, nats_bucket) as bus, plain(nats_url) as (_, jetstream):
        await jetstream.create_key_value(KeyValueConfig(bucket=f"{nats_bucket}_groups", ttl=60))
        with pytest.raises(IncompatibleBucket, match="expire after 60 s, not 6 s"):
            await bus.subscribe(Inbox(), group="g")
        await bus.subscribe(Inbox())  # needs no lease
