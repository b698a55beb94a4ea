"""The transport without JetStream: at most once, as the Go toolkit publishes."""

import asyncio

import nats.js.errors
import pytest

from eventhus.ports import Message
from eventhus_nats import NatsBus
from eventhus_nats import core_nats as module
from eventhus_testing.conformance.bus.cases import (
    FailingHandler,
    Gate,
    Inbox,
    message,
    messages,
    publish,
)
from tests.adapters.nats.support import heard, plain, until


async def test_every_subscriber_and_one_member_per_group_get_each_message(
    nats_url: str, nats_bucket: str
) -> None:
    """In order, and without a stream on the server."""
    alone, one, other = Inbox(), Inbox(), Inbox()
    async with NatsBus.open(nats_url, nats_bucket, jetstream=False) as bus:
        publisher = await bus.publisher()
        await publisher.publish([message("z")])  # no subscriber yet
        await bus.subscribe(alone)
        await bus.subscribe(one, group="g", concurrency=4)
        await bus.subscribe(other, group="g")
        await publisher.publish(messages("a", 50))
        assert 51 == publisher.acknowledged
        await until(lambda: len(alone.messages) == len(one.messages) + len(other.messages) == 50)
        assert messages("a", 50) == alone.messages
        async with plain(nats_url) as (_, jetstream):
            with pytest.raises(nats.js.errors.NotFoundError):
                await jetstream.stream_info(nats_bucket)
    assert sorted(alone.ids) == sorted(one.ids + other.ids)


async def test_a_failed_message_is_retried_and_holds_back_its_stream(
    nats_url: str, nats_bucket: str
) -> None:
    moody = FailingHandler({"a-1": 2})
    async with NatsBus.open(nats_url, nats_bucket, jetstream=False) as bus:
        await bus.subscribe(moody, concurrency=2)
        await publish(bus, [*messages("a", 2), message("b")])
        await until(lambda: len(moody.accepted) == 3)
    assert ["b-1", "a-1", "a-2"] == moody.accepted


async def test_a_handler_that_raises_cancelled_error_is_retried(
    nats_url: str, nats_bucket: str
) -> None:
    attempts: list[int] = []

    async def unlucky(given: Message) -> None:
        attempts.append(given.attempt)
        if given.attempt == 1:
            raise asyncio.CancelledError

    async with NatsBus.open(nats_url, nats_bucket, jetstream=False) as bus:
        await bus.subscribe(unlucky)
        await publish(bus, [message()])
        await until(lambda: len(attempts) == 2)
    assert [1, 2] == attempts


async def test_leaving_waits_for_begun_handlers_only(nats_url: str, nats_bucket: str) -> None:
    gate = Gate()
    bus = await NatsBus.open(nats_url, nats_bucket, jetstream=False).__aenter__()
    await bus.subscribe(gate)
    await publish(bus, messages("a", 3))
    await until(lambda: gate.entered)
    leaving = asyncio.create_task(bus.__aexit__(None, None, None))
    await asyncio.sleep(0)
    gate.open.set()
    await leaving
    assert ["a-1"] == gate.left


async def test_a_handler_can_close_its_own_subscription(nats_url: str, nats_bucket: str) -> None:
    handled: list[str] = []

    async def once(given: Message) -> None:
        handled.append(given.id)
        await subscription.close()

    async with NatsBus.open(nats_url, nats_bucket, jetstream=False) as bus:
        subscription = await bus.subscribe(once)
        await publish(bus, messages("a", 2))
        await until(lambda: handled)
        await subscription.close()
    assert ["a-1"] == handled


async def test_dead_letters_are_published_and_not_kept(nats_url: str, nats_bucket: str) -> None:
    async with (
        NatsBus.open(nats_url, nats_bucket, jetstream=False) as bus,
        plain(nats_url) as (client, _),
    ):
        listening = await client.subscribe(f"{nats_bucket}.dead.g")
        await heard(client)
        await bus.bury(message("a", headers={"Eventhus-Error": '"bang"'}), "g")
        letter = await listening.next_msg(timeout=10)
        assert ('"bang"', "a-1") == (
            (letter.headers or {})["Eventhus-Error"],
            (letter.headers or {})["Nats-Msg-Id"],
        )
        assert [] == [each async for each in bus.dead_letters("g")]


async def test_a_foreign_message_without_headers_gets_an_id(
    nats_url: str, nats_bucket: str
) -> None:
    inbox = Inbox()
    async with (
        NatsBus.open(nats_url, nats_bucket, jetstream=False) as bus,
        plain(nats_url) as (client, _),
    ):
        await bus.subscribe(inbox)
        await client.publish(f"{nats_bucket}.account", message().body)
        await until(lambda: inbox.messages)
    [given] = inbox.messages
    assert (message().stream, "Deposited", True) == (given.stream, given.type, bool(given.id))
    assert given.published_at is not None


async def test_a_slow_handler_holds_a_bounded_number_and_drops_are_logged(
    nats_url: str,
    nats_bucket: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(module, "MAX_IN_HAND", 2)
    gate = Gate()
    async with NatsBus.open(nats_url, nats_bucket, jetstream=False) as bus:
        subscription = await bus.subscribe(gate)
        assert isinstance(subscription, module.CoreNatsSubscription)
        driver = subscription._subscription
        assert driver is not None
        driver._pending_bytes_limit = 1000
        await publish(bus, messages("a", 100))
        await until(lambda: "a handler is too slow" in caplog.text)
        gate.open.set()
        await until(lambda: not driver.pending_msgs and not subscription._in_hand)
    kept = set(gate.left)
    assert 2 < len(kept) < 100
    assert [each.id for each in messages("a", 100) if each.id in kept] == gate.left
