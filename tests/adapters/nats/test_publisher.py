"""Publishing to JetStream: in order, once, and never by a publisher that was replaced."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from eventhus import EventhusError
from eventhus.errors import BusUnavailable, PublisherReplaced
from eventhus.ports import EventBus, Message
from eventhus_nats import NatsBus
from eventhus_nats import publisher as module
from eventhus_testing.conformance.bus.cases import message, messages, publish
from eventhus_testing.servers import nats_server
from tests.adapters.nats.support import heard, plain, until, with_streams


async def ids(url: str, bucket: str) -> list[str]:
    """Return the ids of the messages in the stream, in order."""
    async with plain(url) as (_, jetstream):
        state = (await jetstream.stream_info(bucket)).state
        found = [await jetstream.get_msg(bucket, n + 1) for n in range(state.messages)]
    return [(each.headers or {}).get("Nats-Msg-Id", "") for each in found]


async def test_a_repeated_message_is_acknowledged_and_stored_once(
    nats_url: str, nats_bucket: str
) -> None:
    given = messages("a", 600)
    async with NatsBus.open(nats_url, nats_bucket) as bus:
        await publish(bus, given[:400])
        publisher = await bus.publisher()
        await publisher.publish(given[300:])
        assert 300 == publisher.acknowledged
    assert [each.id for each in given] == await ids(nats_url, nats_bucket)


async def test_repeats_that_are_answered_while_sending_are_counted(
    nats_url: str, nats_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WINDOW", 100)
    given = messages("a", 100)
    async with NatsBus.open(nats_url, nats_bucket) as bus:
        await publish(bus, given)
        publisher = await bus.publisher()
        assert isinstance(publisher, module.JetStreamPublisher)
        for number, each in enumerate(given):
            await publisher._send(each)
            await until(lambda number=number: publisher._answers > number)  # type: ignore[misc]
        async with asyncio.timeout(module.ACK_S / 2):
            await publisher.publish([])
        assert 100 == publisher.acknowledged


async def test_an_earlier_publisher_is_refused_once_another_has_published(
    nats_url: str, nats_bucket: str
) -> None:
    async with (
        NatsBus.open(nats_url, nats_bucket) as one,
        NatsBus.open(nats_url, nats_bucket) as two,
    ):
        paused = await one.publisher()
        await paused.publish([message("a", 1)])
        await publish(two, [message("a", 2)])
        with pytest.raises(PublisherReplaced):
            await paused.publish([message("a", 3), message("a", 4)])
        assert 1 == paused.acknowledged
        with pytest.raises(PublisherReplaced):
            await paused.publish([message("a", 5)])
        begun = await one.publisher()
        await publish(two, [message("b", 1)])
        with pytest.raises(PublisherReplaced):  # before it has said anything
            await begun.publish([message("a", 3)])
    assert ["a-1", "a-2", "b-1"] == await ids(nats_url, nats_bucket)


async def test_a_late_repeat_of_a_replaced_publisher_is_refused(
    nats_url: str, nats_bucket: str
) -> None:
    """The server does not recognise it any more, as the window has passed."""
    window = timedelta(milliseconds=100)
    async with (
        NatsBus.open(nats_url, nats_bucket, duplicate_window=window) as one,
        NatsBus.open(nats_url, nats_bucket) as two,
    ):
        paused = await one.publisher()
        await paused.publish(messages("a", 2))
        await publish(two, messages("a", 3, after=2))
        await asyncio.sleep(0.3)  # the server's clock alone ends the window
        with pytest.raises(PublisherReplaced):
            await paused.publish(messages("a", 2, after=2))
    assert ["a-1", "a-2", "a-3", "a-4", "a-5"] == await ids(nats_url, nats_bucket)


async def test_the_later_of_two_publishers_replaces_the_earlier_one(
    nats_url: str, nats_bucket: str
) -> None:
    async with NatsBus.open(nats_url, nats_bucket) as bus:
        earlier, later = await bus.publisher(), await bus.publisher()
        await later.publish([message("a", 1)])
        with pytest.raises(PublisherReplaced):
            await earlier.publish([message("b", 1)])
        await later.publish([message("a", 2)])
        assert (0, 2) == (earlier.acknowledged, later.acknowledged)


async def test_a_foreign_message_replaces_the_publisher_once(
    nats_url: str, nats_bucket: str
) -> None:
    async with NatsBus.open(nats_url, nats_bucket) as bus, plain(nats_url) as (client, _):
        publisher = await bus.publisher()
        await publisher.publish(messages("a", 3))
        await client.publish(f"{nats_bucket}.account", b"{}")
        await heard(client)
        with pytest.raises(PublisherReplaced):
            await publisher.publish(messages("a", 300, after=3))
        assert 3 == publisher.acknowledged
        await publish(bus, messages("a", 300, after=3))
    expected = [each.id for each in messages("a", 303)]
    assert [*expected[:3], "", *expected[3:]] == await ids(nats_url, nats_bucket)


async def test_a_full_stream_is_reported_and_accepted_messages_are_counted(
    nats_url: str, nats_bucket: str
) -> None:
    async with with_streams(nats_url, nats_bucket) as bus, plain(nats_url) as (_, jetstream):
        config = (await jetstream.stream_info(nats_bucket)).config
        await jetstream.update_stream(config.evolve(max_msgs=5, discard="new"))
        publisher = await bus.publisher()
        with pytest.raises(BusUnavailable, match="maximum messages exceeded"):
            await publisher.publish(messages("a", 8))
        assert 5 == publisher.acknowledged


async def test_publishing_does_not_wait_for_ever(
    nats_executable: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ACK_S", 0.3)
    with nats_server() as server:
        async with NatsBus.open(server.url, "bank") as bus:
            publisher = await bus.publisher()
            server.pause()
            with pytest.raises(BusUnavailable, match="did not answer in time"):
                await publisher.publish(messages("a", 3))
            server.resume()
            monkeypatch.undo()
            await publish(bus, messages("a", 3))
        assert ["a-1", "a-2", "a-3"] == await ids(server.url, "bank")


async def test_no_message_overtakes_a_lost_one_when_the_server_is_killed(
    nats_executable: Path,
) -> None:
    with nats_server() as server:
        async with NatsBus.open(server.url, "bank") as bus:
            publishing = asyncio.create_task(insist(bus, messages("a", 3000)))
            for _ in range(4):
                await asyncio.sleep(0.15)  # somewhere in the middle
                await asyncio.to_thread(server.kill)
                await asyncio.to_thread(server.start)
            await publishing
        found = await ids(server.url, "bank")
    assert [each.id for each in messages("a", 3000)] == [*dict.fromkeys(found)]


async def insist(bus: EventBus, given: list[Message]) -> None:
    """Publish in small batches, and start again after the last acknowledged message."""
    done = 0
    while done < len(given):
        try:
            publisher = await bus.publisher()
            start = done
            while done < len(given):
                try:
                    await publisher.publish(given[done : done + 40])
                finally:
                    done = start + publisher.acknowledged
                await asyncio.sleep(0.005)
        except EventhusError:
            await asyncio.sleep(0.01)
