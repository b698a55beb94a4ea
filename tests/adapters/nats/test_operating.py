"""How consumer groups are described and moved on a server that others use, too."""

from __future__ import annotations

from typing import Any

import pytest
from nats.js.api import AckPolicy, ConsumerConfig

from eventhus.errors import IncompatibleBucket, InvalidArgument, ReaderBusy
from eventhus_nats import NatsBus
from eventhus_testing.conformance.bus.cases import Gate, Inbox, message, publish
from eventhus_testing.conformance.bus.operating import was_member
from eventhus_testing.conformance.bus.starting import placed
from tests.adapters.nats.support import plain, until, with_streams


async def test_core_nats_has_no_groups_to_describe_move_or_delete(
    nats_url: str, nats_bucket: str
) -> None:
    async with NatsBus.open(nats_url, nats_bucket, jetstream=False) as bus:
        await bus.subscribe(Inbox(), group="g")
        assert [] == [*await bus.groups()]
        with pytest.raises(InvalidArgument, match="keeps no messages"):
            await bus.move("g", "now")
        with pytest.raises(InvalidArgument, match="keeps no groups"):
            await bus.delete_group("g")


async def test_a_moved_group_loses_no_message_of_a_stream_with_retention_by_interest(
    nats_url: str, nats_bucket: str
) -> None:
    """Deleting its consumer would let the server drop what nobody else waits for."""
    inbox = Inbox()
    async with NatsBus.open(nats_url, nats_bucket, retention="interest") as bus:
        subscription = await bus.subscribe(inbox, group="g")
        await publish(bus, placed(3))
        await until(lambda: len(inbox.messages) >= 3)
        await subscription.close()
        await publish(bus, placed(3, after=3))
        await bus.move("g", 4)
        await bus.subscribe(inbox, group="g")
        await until(lambda: len(inbox.messages) >= 5)
    assert ["a-1", "a-2", "a-3", "a-5", "a-6"] == inbox.ids


async def test_a_consumer_of_another_program_is_neither_moved_nor_deleted(
    nats_url: str, nats_bucket: str
) -> None:
    async with with_streams(nats_url, nats_bucket) as bus, plain(nats_url) as (_, jetstream):
        await jetstream.add_consumer(
            nats_bucket,
            ConsumerConfig(
                durable_name="g", deliver_subject="elsewhere", ack_policy=AckPolicy.EXPLICIT
            ),
        )
        before = await jetstream.consumer_info(nats_bucket, "g")
        with pytest.raises(IncompatibleBucket, match="consumer g that cannot serve a group"):
            await bus.move("g", "beginning")
        with pytest.raises(IncompatibleBucket, match="consumer g that cannot serve a group"):
            await bus.delete_group("g")
        after = await jetstream.consumer_info(nats_bucket, "g")
        assert before.created == after.created
        assert [nats_bucket] == [
            each.stream_name for each in await jetstream.consumers_info(nats_bucket)
        ]


async def test_a_group_that_new_members_keep_creating_is_busy(
    nats_url: str, nats_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with NatsBus.open(nats_url, nats_bucket) as bus, plain(nats_url) as (_, other):
        await publish(bus, placed(3))
        await was_member(bus, "g", 3)
        assert bus._running is not None
        jetstream = bus._running.connection.jetstream
        delete, creations = jetstream.delete_consumer, [3]

        async def delete_and_create(stream: str, consumer: str) -> Any:
            deleted = await delete(stream, consumer)
            if consumer == "g" and creations[0]:
                creations[0] -= 1
                await other.add_consumer(
                    stream, ConsumerConfig(durable_name="g", ack_policy=AckPolicy.EXPLICIT)
                )
            return deleted

        monkeypatch.setattr(jetstream, "delete_consumer", delete_and_create)
        with pytest.raises(ReaderBusy, match="working on group g"):
            await bus.move("g", 2)
        creations[0] = 1
        await bus.move("g", 2)
        assert ["g"] == [each.name for each in await other.consumers_info(nats_bucket)]
        inbox = Inbox()
        await bus.subscribe(inbox, group="g")
        await until(lambda: inbox.messages)
        assert ["a-3"] == inbox.ids


async def test_a_description_leaves_out_what_is_no_group(nats_url: str, nats_bucket: str) -> None:
    """The consumers of subscriptions alone, and those under names that no group has."""
    async with NatsBus.open(nats_url, nats_bucket) as bus, plain(nats_url) as (_, jetstream):
        await publish(bus, [*placed(2), message("b")])
        gate = Gate()
        await bus.subscribe(gate, start="beginning")
        await was_member(bus, "g", 3)
        await jetstream.add_consumer(
            nats_bucket, ConsumerConfig(durable_name="g+h", ack_policy=AckPolicy.EXPLICIT)
        )
        try:
            # Another program publishes where dead letters are.
            await jetstream.publish(f"{nats_bucket}.dead.g+h", b"{}")
            await until(lambda: gate.entered)
            [found] = await bus.groups()
            assert ("g", None, 0) == (found.name, found.position, found.waiting)
            await bus.move("g", 1)
            [found] = await bus.groups()
            assert ("g", 1, 2) == (found.name, found.position, found.waiting)
            await jetstream.purge_stream(nats_bucket)
            [found] = await bus.groups()
            assert ("g", None, 0) == (found.name, found.position, found.waiting)
        finally:
            gate.open.set()


async def test_more_groups_than_one_answer_of_the_server_are_described(
    nats_url: str, nats_bucket: str
) -> None:
    async with with_streams(nats_url, nats_bucket) as bus, plain(nats_url) as (_, jetstream):
        names = [f"g{number:03}" for number in range(300)]
        for name in names:
            await jetstream.add_consumer(
                nats_bucket, ConsumerConfig(durable_name=name, ack_policy=AckPolicy.EXPLICIT)
            )
        await bus.bury(message(), "z")
        assert [*names, "z"] == [each.name for each in await bus.groups()]
