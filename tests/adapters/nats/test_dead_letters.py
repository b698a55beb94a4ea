"""Dead letters on JetStream: where they are kept, and how they are replayed."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from eventhus import Delivered, Recorded, Replayed
from eventhus_memory import MemoryStore
from eventhus_nats import NatsBus
from eventhus_testing.conformance.bus.cases import Inbox, messages
from eventhus_testing.servers import nats_server
from tests.adapters.nats.support import plain, until, until_so
from tests.adapters.nats.test_wire import Create, bank


async def test_a_dead_letter_names_its_failure_and_can_be_replayed(
    nats_url: str, nats_bucket: str
) -> None:
    store = MemoryStore()
    handled: list[str] = []

    async def refuse(recorded: Recorded[Any]) -> None:
        if recorded.event.owner == "Ada":
            raise ValueError("not Ada")
        handled.append(recorded.event.owner)

    async def accept(recorded: Recorded[Any]) -> None:
        handled.append(recorded.event.owner)

    async with bank(NatsBus.open(nats_url, nats_bucket), store) as app:
        await app.subscribe(refuse, group="billing", attempts=2)
        await app.dispatch(Create(aggregate_id="a", owner="Ada"))
        await app.dispatch(Create(aggregate_id="b", owner="Bob"))
        async with plain(nats_url) as (_, jetstream):
            stream = f"{nats_bucket}_dead"
            await until(lambda: handled == ["Bob"])

            async def buried() -> bool:
                return bool((await jetstream.stream_info(stream)).state.messages)

            await until_so(buried)
            letter = await jetstream.get_msg(stream, 1)
    headers = letter.headers or {}
    assert (f"{nats_bucket}.dead.billing", "builtins.ValueError", '"not Ada"', "2") == (
        letter.subject,
        headers["Eventhus-Error-Type"],
        headers["Eventhus-Error"],
        headers["Eventhus-Error-Attempts"],
    )

    async with bank(NatsBus.open(nats_url, nats_bucket), store) as app:
        assert Replayed(handled=1, failed=0) == await app.replay(accept, group="billing")
        assert (0, 0) == (
            (again := await app.replay(accept, group="billing")).handled,
            again.failed,
        )
    assert ["Bob", "Ada"] == handled


async def test_a_delivery_without_a_call_of_the_handler_is_no_attempt(
    nats_url: str, nats_bucket: str
) -> None:
    store = MemoryStore()
    begun, ending = asyncio.Event(), asyncio.Event()
    attempts: list[int] = []

    async def hang(recorded: Recorded[Any]) -> None:
        begun.set()
        await ending.wait()

    async def accept(delivered: Delivered[Any]) -> None:
        attempts.append(delivered.attempt)

    async with bank(NatsBus.open(nats_url, nats_bucket), store) as app:
        subscription = await app.subscribe(hang, group="billing", concurrency=1, attempts=1)
        for number in range(20):
            await app.dispatch(Create(aggregate_id=f"a{number}", owner="Ada"))
        async with plain(nats_url) as (_, jetstream):

            async def all_given() -> bool:
                consumer = await jetstream.consumer_info(nats_bucket, "billing")
                return begun.is_set() and consumer.num_ack_pending == 20

            await until_so(all_given)
        leaving = asyncio.create_task(subscription.close())
        await asyncio.sleep(0)
        ending.set()
        await leaving

    bus = NatsBus.open(nats_url, nats_bucket)
    async with bank(bus, store) as app:
        await app.subscribe(accept, group="billing", attempts=1)
        await until(lambda: len(attempts) == 19)
        assert [] == [letter async for letter in bus.dead_letters("billing")]
    assert 2 in attempts


async def test_a_deleted_stream_of_dead_letters_is_created_again(
    nats_url: str, nats_bucket: str
) -> None:
    """The handler is not called again for that."""
    attempts: list[int] = []

    async def refuse(delivered: Delivered[Any]) -> None:
        attempts.append(delivered.attempt)
        raise ValueError("never")

    bus = NatsBus.open(nats_url, nats_bucket)
    async with (
        bank(bus, MemoryStore()) as app,
        plain(nats_url) as (_, jetstream),
    ):
        await app.subscribe(refuse, group="billing", attempts=2)
        await jetstream.delete_stream(f"{nats_bucket}_dead")
        await app.dispatch(Create(aggregate_id="a", owner="Ada"))

        async def buried() -> list[str]:
            return [
                each.message.headers["Eventhus-Error"] async for each in bus.dead_letters("billing")
            ]

        await until_so(buried)
        assert ['"never"'] == await buried()
    assert [1, 2] == attempts


async def test_many_letters_of_several_groups_are_read_in_order(
    nats_url: str, nats_bucket: str
) -> None:
    async with NatsBus.open(nats_url, nats_bucket) as bus:
        for number, each in enumerate(messages("a", 120)):
            await bus.bury(each, "gh"[number % 2])
        found = [letter.message.id async for letter in bus.dead_letters("g")]
    assert [each.id for each in messages("a", 120)][::2] == found


LIMIT = 4096  # the max_payload of the server

STRANGE: dict[str, tuple[bytes, bytes]] = {
    "a name that the driver would not send": (b"a/b(c): x\r\nplain: y\r\n", b"?"),
    "a word to the server": (b"Nats-Expected-Stream: bank\r\nplain: y\r\n", b"?"),
    "as large as can be": (b"", b"?" * LIMIT),
    "as large as can be, with headers": (b"plain: y\r\n", b"?" * (LIMIT - 22)),
    "too large with what went wrong": (b"plain: y\r\n", b"?" * (LIMIT - 200)),
}


@pytest.mark.parametrize("name", STRANGE)
async def test_every_foreign_message_can_be_buried(nats_executable: Path, name: str) -> None:
    """With as much of the failure as fits, and the group goes on."""
    given, body = STRANGE[name]
    head = b"NATS/1.0\r\n" + given + b"\r\n" if given else b""
    handled: list[str] = []

    async def accept(recorded: Recorded[Any]) -> None:
        handled.append(recorded.event.owner)

    with nats_server(configuration=f"max_payload: {LIMIT}") as server:
        async with bank(NatsBus.open(server.url, "bank")) as app:
            await app.subscribe(accept, group="billing")
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            verb = b"HPUB bank.account %d %d" % (len(head), len(head + body))
            if not head:
                verb = b"PUB bank.account %d" % len(body)
            writer.write(b'CONNECT {"headers":true,"verbose":false}\r\n')
            writer.write(verb + b"\r\n" + head + body + b"\r\n")
            await writer.drain()
            async with plain(server.url) as (_, jetstream):

                async def buried() -> bool:
                    return bool((await jetstream.stream_info("bank_dead")).state.messages)

                await until_so(buried)
                letter = await jetstream.get_msg("bank_dead", 1)
            writer.close()
            await app.dispatch(Create(aggregate_id="a", owner="Ada"))
            await until(lambda: handled == ["Ada"])
            assert Replayed(handled=0, failed=1) == await app.replay(accept, group="billing")
    headers = letter.headers or {}
    assert body == letter.data
    fits = len(body) < LIMIT - 22
    assert (fits, len(body) == 1, fits) == (
        "Eventhus-Error-Type" in headers,
        "Eventhus-Error" in headers,
        headers.get("plain") == "y",
    )


async def test_a_foreign_message_with_the_largest_headers_can_be_buried(
    nats_url: str, nats_bucket: str
) -> None:
    """There is no room for those that describe the failure. Trying again would never end."""
    inbox = Inbox()
    async with NatsBus.open(nats_url, nats_bucket) as bus, plain(nats_url) as (_, jetstream):
        await bus.subscribe(inbox, group="g")
        room = 65_535 - len("NATS/1.0\r\na: \r\n\r\n")
        await jetstream.publish(f"{nats_bucket}.account", b"{}", headers={"a": "x" * room})
        await until(lambda: inbox.messages)
        headers = {**inbox.messages[0].headers, "Eventhus-Error": '"x"'}
        await bus.bury(evolve(inbox.messages[0], headers=headers), "g")
        assert [b"{}"] == [each.message.body async for each in bus.dead_letters("g")]
