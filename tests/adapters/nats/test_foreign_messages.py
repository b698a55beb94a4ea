"""Messages of other programs must not be taken for ours, whatever their ids."""

import json
from datetime import timedelta

import pytest
from nats.js import JetStreamContext

from eventhus import Application
from eventhus.errors import BusUnavailable
from eventhus_memory import MemoryStore
from eventhus_nats import NatsBus
from eventhus_nats.messages import encode_id, message_from
from eventhus_testing.conformance.bus.cases import Inbox, message
from tests.adapters.nats.support import plain, say_raw, until, until_so, with_streams
from tests.core.support import add, compose


def body(aggregate_id: str) -> bytes:
    fields = {"aggregate_id": aggregate_id, "aggregate_type": "Account", "type": "Opened"}
    return json.dumps(fields).encode()


async def publish(jetstream: JetStreamContext, bucket: str, owner: str, id_: str | None) -> None:
    headers = None if id_ is None else {"Nats-Msg-Id": id_}
    await jetstream.publish(f"{bucket}.account", body(owner), headers=headers)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("BUCKET-2", None),
        ("order-%41", "order-A"),
        ("order-%c3%a9", "order-%C3%A9"),
        ("a b", "a%20b"),
    ],
)
async def test_a_message_is_not_lost_because_of_the_id_of_another(
    nats_url: str, nats_bucket: str, first: str, second: str | None
) -> None:
    inbox = Inbox()
    async with NatsBus.open(nats_url, nats_bucket) as bus, plain(nats_url) as (_, jetstream):
        await bus.subscribe(inbox, group="g")
        await publish(jetstream, nats_bucket, "one", first.replace("BUCKET", nats_bucket))
        await publish(jetstream, nats_bucket, "other", second)
        await publish(jetstream, nats_bucket, "last", "z")
        await until(lambda: inbox.messages and inbox.messages[-1].id == "z")
    assert ["one", "other", "last"] == [each.stream.aggregate_id for each in inbox.messages]
    assert 3 == len(set(inbox.ids))


async def test_a_later_message_with_the_same_id_and_another_body_is_handled(
    nats_url: str, nats_bucket: str
) -> None:
    """The server's own duplicate window has passed, or the stream was created again."""
    inbox = Inbox()
    async with NatsBus.open(nats_url, nats_bucket) as bus, plain(nats_url) as (_, jetstream):
        await bus.subscribe(inbox, group="g")
        config = (await jetstream.stream_info(nats_bucket)).config
        await jetstream.update_stream(config.evolve(duplicate_window=0.1))
        await publish(jetstream, nats_bucket, "one", "x")
        await until(lambda: inbox.messages)
        while (await jetstream.stream_info(nats_bucket)).state.messages < 2:
            await publish(jetstream, nats_bucket, "other", "x")
        await publish(jetstream, nats_bucket, "last", "z")
        await until(lambda: inbox.messages[-1].id == "z")
    assert ["one", "other", "last"] == [each.stream.aggregate_id for each in inbox.messages]


async def test_a_place_in_a_new_stream_is_not_taken_for_one_in_the_old(
    nats_url: str, nats_bucket: str
) -> None:
    inbox = Inbox()
    async with NatsBus.open(nats_url, nats_bucket) as bus, plain(nats_url) as (_, jetstream):
        await bus.subscribe(inbox, group="g")
        await publish(jetstream, nats_bucket, "one", None)
        await until(lambda: len(inbox.messages) == 1)
        await jetstream.delete_stream(nats_bucket)
        await bus.publisher()  # creates the stream again
        await publish(jetstream, nats_bucket, "one", None)
        await publish(jetstream, nats_bucket, "last", "z")
        await until(lambda: inbox.messages[-1].id == "z")
    assert [f"{nats_bucket}-1", f"{nats_bucket}-1", "z"] == inbox.ids


async def test_two_dead_letters_with_one_id_are_both_kept(nats_url: str, nats_bucket: str) -> None:
    async with NatsBus.open(nats_url, nats_bucket) as bus:
        for text in (b"one", b"other", b"other"):
            await bus.bury(message("a", body=text), "g")
        letters = [each.message async for each in bus.dead_letters("g")]
    assert [("a-1", b"one"), ("a-1", b"other")] == [(each.id, each.body) for each in letters]


async def test_an_id_that_is_not_ascii_does_not_stop_the_group(
    nats_url: str, nats_bucket: str
) -> None:
    inbox = Inbox()
    async with NatsBus.open(nats_url, nats_bucket) as bus:
        await bus.subscribe(inbox, group="g")
        head = b"NATS/1.0\r\nNats-Msg-Id: \xff\r\nother: \xff\r\n\r\n"
        line = f"HPUB {nats_bucket}.account {len(head)} {len(head) + 2}\r\n".encode()
        await say_raw(nats_url, line + head + b"{}\r\n")
        await until(lambda: inbox.messages)
    assert [f"{nats_bucket}-1"] == inbox.ids
    assert all(type(value) is str for value in inbox.messages[0].headers.values())


@pytest.mark.parametrize("id_", ["a", "é 1%", "a%41", "commit 1%-1", "bank-x", "other-7"])
def test_every_id_survives_the_header(id_: str) -> None:
    headers = {"Nats-Msg-Id": encode_id(id_)}
    assert id_ == message_from(b"", headers, unnamed="bank-7").id


async def test_an_event_whose_id_a_foreign_message_has_taken_is_published_later(
    nats_url: str, nats_bucket: str
) -> None:
    """The server drops the event as a duplicate, and acknowledges it."""
    ours = [message("a", 1), message("a", 2), message("a", 3)]
    window = timedelta(seconds=1)
    async with (
        with_streams(nats_url, nats_bucket, duplicate_window=window) as bus,
        plain(nats_url) as (_, jetstream),
    ):
        await publish(jetstream, nats_bucket, "foreign", "a-2")
        publisher = await bus.publisher()
        with pytest.raises(BusUnavailable, match=r"a-2 .* foreign message 1 "):
            await publisher.publish(ours)
        assert 1 == publisher.acknowledged

        async def is_published() -> bool:
            try:
                await (await bus.publisher()).publish(ours[1:])
            except BusUnavailable:
                return False
            return True

        await until_so(is_published)
        state = (await jetstream.stream_info(nats_bucket)).state
        bodies = [(await jetstream.get_msg(nats_bucket, n + 1)).data for n in range(state.last_seq)]
    assert set(bodies) >= {body("foreign"), *(each.body for each in ours)}


async def test_a_position_that_is_not_ascii_does_not_stop_the_relay(
    nats_url: str, nats_bucket: str
) -> None:
    async with with_streams(nats_url, nats_bucket) as bus:
        head = b"NATS/1.0\r\nEventhus-Position: \xff\r\n\r\n"
        line = f"HPUB {nats_bucket}.account {len(head)} {len(head) + 2}\r\n".encode()
        await say_raw(nats_url, line + head + b"{}\r\n")
        publisher = await bus.publisher()
        [found] = [each async for each in publisher.published()]
    assert all(type(value) is str for value in found.headers.values())


async def test_a_foreign_last_message_neither_repeats_nor_stops_the_relay(
    nats_url: str, nats_bucket: str
) -> None:
    """It names a position that the relay passed long ago."""
    store = MemoryStore()
    async with compose(store, bucket=nats_bucket, bus=NatsBus.open(nats_url, nats_bucket)) as app:
        await add(app, 1, 2, 3)
        await until_so(lambda: _is_published(app))
    async with plain(nats_url) as (_, jetstream):
        foreign = {"Eventhus-Position": "1", "Nats-Msg-Id": "foreign"}
        await jetstream.publish(f"{nats_bucket}.Account", b"{}", headers=foreign)
        async with compose(
            store, bucket=nats_bucket, bus=NatsBus.open(nats_url, nats_bucket)
        ) as app:
            await add(app, 4)
            await until_so(lambda: _is_published(app))
        state = (await jetstream.stream_info(nats_bucket)).state
    assert 3 + 1 + 1 == state.last_seq


@pytest.mark.parametrize("is_restored", [True, False])
async def test_foreign_messages_at_the_end_hide_no_loss_and_repeat_nothing(
    nats_url: str, nats_bucket: str, is_restored: bool
) -> None:
    """One copies the id and the position of an event, and one names no position."""
    store = MemoryStore()

    async def run(*amounts: int) -> None:
        async with compose(
            store, bucket=nats_bucket, bus=NatsBus.open(nats_url, nats_bucket)
        ) as app:
            await add(app, *amounts)
            await until_so(lambda: _is_published(app))

    async with plain(nats_url) as (_, jetstream):
        await run(1, 2)
        config = (await jetstream.stream_info(nats_bucket)).config
        second = await jetstream.get_msg(nats_bucket, 2)
        copied = {
            key: value
            for key, value in (second.headers or {}).items()
            if not key.startswith("Nats-Expected")
        }
        changed = (second.data or b"").replace(b'"version":2', b'"version":7')
        if is_restored:  # to the state that it has now, while the log goes on
            backup = [await jetstream.get_msg(nats_bucket, number) for number in (1, 2)]
            await run(3, 4)
            await jetstream.delete_stream(nats_bucket)
            await jetstream.add_stream(config)
            for each in backup:
                await jetstream.publish(each.subject or "", each.data or b"", headers=each.headers)
        else:
            await run(3, 4)
        await jetstream.update_stream(config.evolve(duplicate_window=0.1))
        for content, headers in ((changed, copied), (b"{}", None)):
            before = (await jetstream.stream_info(nats_bucket)).state.last_seq
            while (await jetstream.stream_info(nats_bucket)).state.last_seq == before:
                await jetstream.publish(f"{nats_bucket}.Account", content, headers=headers)
        await jetstream.update_stream(config)
        await run(5)
        last = (await jetstream.stream_info(nats_bucket)).state.last_seq
        bodies = [(await jetstream.get_msg(nats_bucket, n + 1)).data or b"" for n in range(last)]
    found = [json.loads(each).get("version") for each in bodies]
    assert found == [1, 2, 7, None, 3, 4, 5] if is_restored else [1, 2, 3, 4, 7, None, 5]


async def _is_published(app: Application) -> bool:
    return await app.relay_lag() == 0
