"""While a deployment rolls out, old members make way for those that know the new events."""

import asyncio
from collections.abc import Sequence

import attrs
import pytest

from eventhus.ports import Message, NotHandledHere
from eventhus_nats import NatsBus
from eventhus_testing.conformance.bus.cases import Inbox, message, messages, publish
from tests.adapters.nats.support import plain, until

KNOWN = "Deposited"


class OldInbox(Inbox):
    """A member that knows one type of event and refuses all others."""

    refused = 0

    async def __call__(self, given: Message) -> None:
        """Keep a known event."""
        if given.type != KNOWN:
            self.refused += 1
            raise NotHandledHere("written by a newer version")
        await super().__call__(given)


def refunded(aggregate_id: str, version: int) -> Message:
    """A message of the new type."""
    known = message(aggregate_id, version)
    return attrs.evolve(known, type="Refunded", body=known.body.replace(b"Deposited", b"Refunded"))


def mixed() -> Sequence[Message]:
    """Events of two aggregates; one of each is new."""
    return [
        message("a", 1),
        message("b", 1),
        refunded("a", 2),
        message("b", 2),
        message("a", 3),
        refunded("b", 3),
    ]


async def test_a_new_member_takes_over_from_an_old_one(nats_url: str, nats_bucket: str) -> None:
    """Nothing is lost, and each aggregate keeps its order."""
    old, new = OldInbox(), Inbox()
    async with (
        NatsBus.open(nats_url, nats_bucket) as first,
        NatsBus.open(nats_url, nats_bucket) as second,
    ):
        await first.subscribe(old, group="g", concurrency=4)
        await publish(first, [message("a", 1)])
        await until(lambda: len(old.messages) == 1)
        await second.subscribe(new, group="g", concurrency=4)
        await publish(first, mixed()[1:])
        await until(lambda: len({each.id for each in [*old.messages, *new.messages]}) == 6)
    assert old.refused >= 1
    assert {KNOWN} == {each.type for each in old.messages}
    handled = [*old.messages, *new.messages]  # the old one had its turn first
    for aggregate_id in ("a", "b"):
        ids = [each.id for each in handled if each.stream.aggregate_id == aggregate_id]
        assert [f"{aggregate_id}-{n}" for n in (1, 2, 3)] == list(dict.fromkeys(ids))


async def test_an_old_member_alone_keeps_the_event_for_later(
    nats_url: str, nats_bucket: str
) -> None:
    """It refuses the event again and again, buries nothing, and a new member finds it."""
    old, new = OldInbox(), Inbox()
    async with NatsBus.open(nats_url, nats_bucket) as bus:
        await bus.subscribe(old, group="g")
        await publish(bus, mixed())
        await until(lambda: old.refused >= 2)
        assert [] == [each async for each in bus.dead_letters("g")]
        await bus.subscribe(new, group="g")
        await until(lambda: len({each.id for each in [*old.messages, *new.messages]}) == 6)


async def test_a_subscription_without_a_group_tries_again(nats_url: str, nats_bucket: str) -> None:
    """It has nobody to make way for."""
    old = OldInbox()
    async with NatsBus.open(nats_url, nats_bucket) as bus:
        await bus.subscribe(old)
        await publish(bus, mixed())
        await until(lambda: old.refused >= 2)


@pytest.mark.parametrize("count", [0, 3])
async def test_a_publisher_knows_what_was_published(
    nats_url: str, nats_bucket: str, count: int
) -> None:
    given = messages("a", count)
    async with NatsBus.open(nats_url, nats_bucket) as bus:
        await publish(bus, given)
        publisher = await bus.publisher()
        assert publisher.is_first is (count == 0)
        assert [(each.id, each.body) for each in given[::-1]] == [
            (each.id, each.body) async for each in publisher.published()
        ]


async def test_a_stream_whose_messages_have_expired_tells_of_none(
    nats_url: str, nats_bucket: str
) -> None:
    async with NatsBus.open(nats_url, nats_bucket) as bus:
        await publish(bus, messages("a", 3))
        async with plain(nats_url) as (_, jetstream):
            await jetstream.purge_stream(nats_bucket)
        publisher = await bus.publisher()
        assert not publisher.is_first
        assert [] == [each async for each in publisher.published()]


async def test_core_nats_tells_of_no_messages(nats_url: str, nats_bucket: str) -> None:
    async with NatsBus.open(f"{nats_url}", nats_bucket, jetstream=False) as bus:
        async with asyncio.timeout(10):
            publisher = await bus.publisher()
            assert not publisher.is_first
            assert [] == [each async for each in publisher.published()]
