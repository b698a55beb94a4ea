"""Groups and handlers on JetStream, beyond the conformance suite."""

import asyncio
import logging
from datetime import timedelta
from pathlib import Path

import nats.js.errors
import pytest

from eventhus.ports import Message
from eventhus_nats import NatsBus
from eventhus_nats import consumer as consumer_module
from eventhus_nats import group_leases as group_leases_module
from eventhus_nats import subscription as subscription_module
from eventhus_testing.conformance.bus.cases import Gate, Inbox, message, messages, publish
from eventhus_testing.servers import nats_server
from tests.adapters.nats.support import Tunnel, heard, plain, until, until_so


async def test_one_member_holds_the_lease_and_hands_it_over(
    nats_url: str, nats_bucket: str
) -> None:
    inboxes = [Inbox(), Inbox(), Inbox()]
    async with NatsBus.open(nats_url, nats_bucket) as bus:
        members = [await bus.subscribe(inbox, group="g") for inbox in inboxes]
        await publish(bus, messages("a", 3))
        await until(lambda: sum(len(inbox.messages) for inbox in inboxes) == 3)
        [first] = [n for n, inbox in enumerate(inboxes) if inbox.messages]
        await members[first].close()
        await publish(bus, messages("a", 3, after=3))
        await until(lambda: sum(len(inbox.messages) for inbox in inboxes) == 6)
    assert ["a-1", "a-2", "a-3"] == inboxes[first].ids
    assert [[], ["a-4", "a-5", "a-6"]] == sorted(
        inbox.ids for n, inbox in enumerate(inboxes) if n != first
    )


async def test_unacknowledged_messages_of_a_crashed_member_come_first(
    nats_url: str, nats_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a higher attempt."""
    monkeypatch.setattr(consumer_module, "ACK_WAIT_S", 1.0)
    async with NatsBus.open(nats_url, nats_bucket) as bus:
        subscription = await bus.subscribe(Inbox(), group="g")
        await subscription.close()
        await publish(bus, messages("a", 4))
        async with plain(nats_url) as (_, jetstream):
            vanishing = await jetstream.pull_subscribe_bind("g", nats_bucket)
            assert 3 == len(await vanishing.fetch(3, timeout=5))
        inbox = Inbox()
        await bus.subscribe(inbox, group="g")
        await until(lambda: len(inbox.messages) == 4)
    assert [("a-1", 2), ("a-2", 2), ("a-3", 2), ("a-4", 1)] == [
        (each.id, each.attempt) for each in inbox.messages
    ]


async def test_completed_pull_requests_are_not_failures(
    nats_url: str,
    nats_bucket: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Newer servers answer "409 Batch Completed" where a request still had room for bytes."""
    monkeypatch.setattr(consumer_module, "BATCH", 4)
    monkeypatch.setattr(consumer_module, "MAX_IN_HAND", 8)
    inbox = Inbox()
    async with NatsBus.open(nats_url, nats_bucket) as bus:
        await bus.subscribe(inbox, group="g")
        await publish(bus, given := messages("a", 100))
        await until(lambda: len(inbox.messages) >= len(given))
    assert [each.id for each in given] == inbox.ids
    assert [] == caplog.messages


async def test_a_slow_handler_does_not_get_its_message_again(
    nats_url: str, nats_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer_module, "ACK_WAIT_S", 1.5)  # a busy machine may pause that long
    monkeypatch.setattr(subscription_module, "PROGRESS_S", 0.1)
    monkeypatch.setattr(subscription_module, "TICK_S", 0.05)
    gate = Gate()
    async with NatsBus.open(nats_url, nats_bucket) as bus, plain(nats_url) as (_, jetstream):
        await bus.subscribe(gate, group="g")
        await publish(bus, [message()])
        await until(lambda: gate.entered)
        loop = asyncio.get_running_loop()
        later = loop.time() + 3  # twice as long as the server waits
        await until(lambda: loop.time() > later)
        info = await jetstream.consumer_info(nats_bucket, "g")
        assert (1, 0) == (info.num_ack_pending, info.num_redelivered)
        gate.open.set()
        await until(lambda: gate.left)
    assert ["a-1"] == gate.entered


async def test_an_event_published_after_the_duplicate_window_is_handled_once(
    nats_url: str, nats_bucket: str
) -> None:
    inbox = Inbox()
    window = timedelta(milliseconds=100)
    async with NatsBus.open(nats_url, nats_bucket, duplicate_window=window) as bus:
        await bus.subscribe(inbox, group="g")
        await publish(bus, [message("a", 1)])
        await until(lambda: inbox.messages)
        async with plain(nats_url) as (_, jetstream):
            while (await jetstream.stream_info(nats_bucket)).state.messages < 2:
                await publish(bus, [message("a", 1)])
        await publish(bus, [message("a", 2)])
        await until(lambda: inbox.of("a")[-1] == "a-2")
    assert ["a-1", "a-2"] == inbox.ids


async def test_only_the_consumer_of_a_group_outlives_its_subscription(
    nats_url: str, nats_bucket: str
) -> None:
    async with NatsBus.open(nats_url, nats_bucket) as bus, plain(nats_url) as (_, jetstream):
        alone = await bus.subscribe(Inbox())
        group = await bus.subscribe(Inbox(), group="g")
        assert 2 == len(await jetstream.consumers_info(nats_bucket))
        await alone.close()
        await group.close()
        assert ["g"] == [each.name for each in await jetstream.consumers_info(nats_bucket)]


@pytest.mark.parametrize("group", [None, "g"])
async def test_a_deleted_consumer_is_created_after_the_last_handled_message(
    nats_url: str, nats_bucket: str, group: str | None
) -> None:
    inbox = Inbox()
    async with NatsBus.open(nats_url, nats_bucket) as bus, plain(nats_url) as (_, jetstream):
        await bus.subscribe(inbox, group=group)
        await publish(bus, messages("a", 3))
        await until(lambda: len(inbox.messages) == 3)
        [info] = await jetstream.consumers_info(nats_bucket)
        await jetstream.delete_consumer(nats_bucket, info.name)
        await publish(bus, messages("a", 3, after=3))
        await until(lambda: len(inbox.messages) == 6)
    assert [each.id for each in messages("a", 6)] == inbox.ids


async def test_retention_by_interest_keeps_messages_until_every_group_handled_them(
    nats_url: str, nats_bucket: str
) -> None:
    gate, inbox = Gate(), Inbox()
    async with (
        NatsBus.open(nats_url, nats_bucket, retention="interest") as bus,
        plain(nats_url) as (_, jetstream),
    ):
        await bus.subscribe(gate, group="g")
        await bus.subscribe(inbox, group="h")
        await publish(bus, messages("a", 3))
        await until(lambda: gate.entered and len(inbox.messages) == 3)
        assert 3 == (await jetstream.stream_info(nats_bucket)).state.messages
        gate.open.set()
        await until(lambda: len(gate.left) == 3)

        async def is_empty() -> bool:
            return not (await jetstream.stream_info(nats_bucket)).state.messages

        await until_so(is_empty)


async def test_messages_are_handled_once_and_in_order_across_a_restart_of_the_server(
    nats_executable: Path,
) -> None:
    handled: list[tuple[str, int]] = []
    going_on = asyncio.Event()

    async def handle(given: Message) -> None:
        handled.append((given.id, given.attempt))
        await going_on.wait()

    with nats_server() as server:
        async with NatsBus.open(server.url, "bank") as bus:
            await bus.subscribe(handle, group="g", concurrency=2)
            await publish(bus, [*messages("a", 50), *messages("b", 50)])
            await until(lambda: len(handled) == 2)
            await asyncio.to_thread(server.stop)
            await asyncio.to_thread(server.start)
            going_on.set()
            await until(lambda: len(handled) >= 100)
            await publish(bus, [message("c")])
            await until(lambda: len(handled) >= 101)
    ids = [id_ for id_, _ in handled]
    assert len(set(ids)) == len(ids)
    for aggregate_id in "ab":
        own = [each.id for each in messages(aggregate_id, 50)]
        assert own == [id_ for id_ in ids if id_[0] == aggregate_id]


@pytest.mark.parametrize(
    ("template", "subject"),
    [
        ("{aggregate_type}", "account"),
        ("events.{aggregate_type}.{aggregate_id}", "events.account.a%2E%20b"),
        ("{type}", "Deposited"),
        ("{aggregate_id}.x.{type}", "a%2E%20b.x.Deposited"),
    ],
)
async def test_each_template_makes_its_subjects(
    nats_url: str, nats_bucket: str, template: str, subject: str
) -> None:
    inbox = Inbox()
    async with (
        NatsBus.open(nats_url, nats_bucket, subject=template) as bus,
        plain(nats_url) as (client, _),
    ):
        foreign = await client.subscribe(f"{nats_bucket}.>")
        await heard(client)
        await bus.subscribe(inbox, group="g")
        await publish(bus, [message("a. b", 1)])
        assert f"{nats_bucket}.{subject}" == (await foreign.next_msg(timeout=10)).subject
        await until(lambda: inbox.messages)
    assert ["a. b-1"] == inbox.ids


async def test_a_subscription_starts_at_the_first_message_of_a_new_stream(
    nats_url: str, nats_bucket: str
) -> None:
    inbox = Inbox()
    async with NatsBus.open(nats_url, nats_bucket) as bus, plain(nats_url) as (_, jetstream):
        await bus.subscribe(inbox, group="g")
        await publish(bus, messages("a", 5))
        await until(lambda: len(inbox.messages) == 5)
        await jetstream.delete_stream(nats_bucket)
        with pytest.raises(nats.js.errors.NotFoundError):
            await jetstream.consumer_info(nats_bucket, "g")
        await publish(bus, messages("b", 8))
        await until(lambda: len(inbox.of("b")) == 8)
    assert [each.id for each in messages("b", 8)] == inbox.of("b")


@pytest.mark.parametrize("group", [None, "g"])
async def test_messages_in_hand_survive_a_deleted_consumer(
    nats_url: str, nats_bucket: str, group: str | None
) -> None:
    gate = Gate()
    async with NatsBus.open(nats_url, nats_bucket) as bus, plain(nats_url) as (_, jetstream):
        await bus.subscribe(gate, group=group)
        await publish(bus, messages("a", 5))
        await until(lambda: gate.entered)
        [info] = await jetstream.consumers_info(nats_bucket)

        async def all_given() -> object:
            return 5 == (await jetstream.consumer_info(nats_bucket, info.name)).num_ack_pending

        await until_so(all_given)
        await jetstream.delete_consumer(nats_bucket, info.name)
        await publish(bus, [message("a", 6)])
        gate.open.set()
        await until(lambda: len(gate.left) >= 6)
    assert [each.id for each in messages("a", 6)] == [*dict.fromkeys(gate.left)]


@pytest.mark.parametrize("jetstream", [True, False])
async def test_leaving_that_is_cancelled_leaves_no_task_behind(
    nats_url: str, nats_bucket: str, jetstream: bool
) -> None:
    before = asyncio.all_tasks()
    gates = [Gate(), Gate()]
    bus = await NatsBus.open(nats_url, nats_bucket, jetstream=jetstream).__aenter__()
    for gate in gates:
        await bus.subscribe(gate)
    await publish(bus, [message()])
    await until(lambda: gates[0].entered and gates[1].entered)
    leaving = asyncio.create_task(bus.__aexit__(None, None, None))
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    await until(lambda: asyncio.all_tasks() == before)


@pytest.mark.parametrize("jetstream", [True, False])
async def test_closed_subscriptions_are_forgotten(
    nats_url: str, nats_bucket: str, jetstream: bool
) -> None:
    async with NatsBus.open(nats_url, nats_bucket, jetstream=jetstream) as bus:
        for _ in range(5):
            await (await bus.subscribe(Inbox())).close()
        running = bus._running
        assert running is not None
        assert 1 == len(running.subscriptions)


async def test_a_backlog_survives_a_deleted_consumer(
    nats_url: str, nats_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer_module, "MAX_IN_HAND", 8)
    monkeypatch.setattr(consumer_module, "BATCH", 4)
    gate = Gate()
    async with (
        Tunnel(nats_url) as tunnel,
        NatsBus.open(nats_url, nats_bucket) as publishing,
        NatsBus.open(tunnel.url, nats_bucket) as bus,
        plain(nats_url) as (_, jetstream),
    ):
        earlier = await publishing.subscribe(Inbox(), group="g")
        await earlier.close()
        await publish(publishing, messages("a", 40))
        await bus.subscribe(gate, group="g")

        async def is_full() -> bool:
            given = (await jetstream.consumer_info(nats_bucket, "g")).num_ack_pending
            return bool(gate.entered) and given == 8

        await until_so(is_full)
        tunnel.cut()
        gate.open.set()
        await until(lambda: len(gate.left) == 8)
        await jetstream.delete_consumer(nats_bucket, "g")
        await tunnel.restore()
        await until(lambda: len(gate.left) >= 40)
    assert [each.id for each in messages("a", 40)] == gate.left


@pytest.mark.parametrize("handled", [0, 2])
async def test_a_group_never_gets_messages_from_before_it_began(
    nats_url: str, nats_bucket: str, handled: int
) -> None:
    """Not even when its consumer is created again."""
    inbox = Inbox()
    async with NatsBus.open(nats_url, nats_bucket) as bus, plain(nats_url) as (_, jetstream):
        await publish(bus, messages("old", 5))
        await bus.subscribe(inbox, group="g")
        await publish(bus, messages("a", handled))
        await until(lambda: len(inbox.messages) == handled)
        await jetstream.delete_consumer(nats_bucket, "g")
        await publish(bus, messages("a", 2, after=handled))
        await until(lambda: len(inbox.messages) >= handled + 2)
        await bus.subscribe(
            Inbox(), group="other"
        )  # the server has answered: nothing is on its way
    assert [each.id for each in messages("a", handled + 2)] == inbox.ids


async def test_a_slow_handler_keeps_its_message_when_the_consumer_is_deleted(
    nats_url: str, nats_bucket: str
) -> None:
    """And the others go on."""
    gate, inbox = Gate(), Inbox()

    async def handle(given: Message) -> None:
        await (gate(given) if given.stream.aggregate_id == "slow" else inbox(given))

    async with NatsBus.open(nats_url, nats_bucket) as bus, plain(nats_url) as (_, jetstream):
        await bus.subscribe(handle, group="g", concurrency=2)
        await publish(bus, [message("slow")])
        await until(lambda: gate.entered)
        await jetstream.delete_consumer(nats_bucket, "g")
        await publish(bus, messages("b", 3))
        await until(lambda: len(inbox.messages) == 3)
        gate.open.set()

        async def is_idle() -> bool:
            return not (await jetstream.consumer_info(nats_bucket, "g")).num_ack_pending

        await until_so(is_idle)
    assert ["slow-1"] == gate.entered
    assert ["b-1", "b-2", "b-3"] == inbox.ids


async def test_a_handler_that_outlasts_its_lease_is_not_called_again(
    nats_url: str, nats_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If no other member took the lease."""
    monkeypatch.setattr(consumer_module, "ACK_WAIT_S", 1.0)
    monkeypatch.setattr(group_leases_module, "LEASE_S", 1.0)
    monkeypatch.setattr(group_leases_module, "RENEW_S", 0.3)
    monkeypatch.setattr(subscription_module, "RENEW_S", 0.3)
    gate = Gate()
    loop = asyncio.get_running_loop()
    async with (
        Tunnel(nats_url) as tunnel,
        NatsBus.open(nats_url, nats_bucket) as publishing,
        NatsBus.open(tunnel.url, nats_bucket) as bus,
    ):
        await bus.subscribe(gate, group="g")
        await publish(publishing, [message("a", 1)])
        await until(lambda: gate.entered)
        tunnel.cut()
        beyond_doubt_s = loop.time() + 1.0
        await until(lambda: loop.time() > beyond_doubt_s)
        gate.open.set()
        await until(lambda: gate.left)
        await tunnel.restore()
        await publish(publishing, [message("a", 2)])
        await until(lambda: "a-2" in gate.left)
    assert ["a-1", "a-2"] == gate.entered


async def test_a_handler_that_raises_a_base_exception_is_retried(
    nats_url: str, nats_bucket: str
) -> None:
    given: list[str] = []

    async def handle(message: Message) -> None:
        given.append(message.id)
        if given == ["a-1"]:
            raise pytest.fail.Exception("what pytest.fail raises is no Exception")

    async with NatsBus.open(nats_url, nats_bucket) as bus:
        await bus.subscribe(handle, group="g")
        await publish(bus, messages("a", 3))
        await until(lambda: len(given) == 4)
    assert ["a-1", "a-1", "a-2", "a-3"] == given


@pytest.mark.parametrize("is_filtered", [True, False])
async def test_a_group_handles_messages_with_old_and_new_subjects(
    nats_url: str, nats_bucket: str, is_filtered: bool
) -> None:
    inbox = Inbox()
    new = "events.{aggregate_type}.{aggregate_id}"
    async with plain(nats_url) as (_, jetstream):
        async with NatsBus.open(nats_url, nats_bucket) as bus:
            await (await bus.subscribe(Inbox(), group="g")).close()
            await publish(bus, messages("a", 3))
        if is_filtered:
            consumer = (await jetstream.consumer_info(nats_bucket, "g")).config
            await jetstream.add_consumer(
                nats_bucket, consumer.evolve(filter_subject=f"{nats_bucket}.*")
            )
        config = (await jetstream.stream_info(nats_bucket)).config
        await jetstream.update_stream(config.evolve(subjects=[f"{nats_bucket}.events.*.*"]))
        async with NatsBus.open(nats_url, nats_bucket, subject=new) as bus:
            await publish(bus, messages("a", 3, after=3))
            await bus.subscribe(inbox, group="g")
            await until(lambda: len(inbox.messages) == 6)
    assert [each.id for each in messages("a", 6)] == inbox.ids


def missed(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the errors that were logged about lost messages."""
    return [each.getMessage() for each in caplog.records if each.levelno == logging.ERROR]


async def test_messages_that_expired_before_delivery_are_reported_once(
    nats_url: str, nats_bucket: str, caplog: pytest.LogCaptureFixture
) -> None:
    inbox = Inbox()
    async with NatsBus.open(nats_url, nats_bucket) as bus, plain(nats_url) as (_, jetstream):
        await publish(bus, messages("a", 2))
        await (await bus.subscribe(Inbox(), group="g")).close()
        await publish(bus, messages("b", 3))
        config = (await jetstream.stream_info(nats_bucket)).config
        await jetstream.update_stream(config.evolve(max_age=0.1, duplicate_window=0.1))

        async def is_empty() -> bool:
            return not (await jetstream.stream_info(nats_bucket)).state.messages

        await until_so(is_empty)
        await jetstream.update_stream(config)
        await publish(bus, [message("c")])
        await bus.subscribe(inbox, group="g")
        await until(lambda: inbox.messages)
    assert ["c-1"] == inbox.ids
    [line] = missed(caplog)
    assert f"3 events, messages 3 to 5, were gone from the stream {nats_bucket} before" in line


async def test_messages_deleted_when_no_group_needed_them_are_not_reported(
    nats_url: str, nats_bucket: str, caplog: pytest.LogCaptureFixture
) -> None:
    inbox = Inbox()
    async with NatsBus.open(nats_url, nats_bucket) as bus, plain(nats_url) as (_, jetstream):

        async def delete(*sequences: int) -> None:
            for each in sequences:
                await jetstream.delete_msg(nats_bucket, each)

        await publish(bus, messages("a", 3))
        await (await bus.subscribe(Inbox(), group="g")).close()
        await delete(1, 2, 3)
        await publish(bus, messages("b", 3))
        await delete(5)
        handling = await bus.subscribe(inbox, group="g")
        await until(lambda: len(inbox.messages) == 2)
        await handling.close()
        await delete(4, 6)
        await (await bus.subscribe(Inbox(), group="g")).close()
        await publish(bus, [message("c")])
        await jetstream.purge_stream(nats_bucket)
        await (await bus.subscribe(Inbox(), group="g")).close()
    assert ["b-1", "b-3"] == inbox.ids
    assert [] == missed(caplog)
