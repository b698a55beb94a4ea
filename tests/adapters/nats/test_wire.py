"""The wire format, byte for byte, which other programs can read and write."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nats
import pytest
from attrs import frozen

from eventhus import Aggregate, Application, Command, Metadata, Recorded, StreamId
from eventhus.ports import (
    Commit,
    EventData,
    Part,
    StoredCommit,
)
from eventhus.runtime.messaging.wire import to_message
from eventhus_cattrs import CattrsCodec
from eventhus_memory import MemoryStore
from eventhus_nats import NatsBus
from tests.adapters.nats.support import heard, plain, until

GOLDEN = Path(__file__).parent / "golden"
AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


@frozen(kw_only=True)
class Create(Command):
    owner: str


@frozen
class AccountCreated:
    owner: str


def decide(command: Create, owner: str) -> Iterator[AccountCreated]:
    yield AccountCreated(command.owner)


def evolve(owner: str, event: AccountCreated) -> str:
    return event.owner


account = Aggregate(name="Account", initial="", decide=decide, evolve=evolve)


def bank(bus: NatsBus, store: MemoryStore | None = None) -> Application:
    """Return the bank on a bus."""
    return Application(
        bucket="bank",
        aggregates=[account],
        store=store or MemoryStore(),
        bus=bus,
        codec=CattrsCodec(),
    )


def stored(aggregate_id: str, event: EventData, commit_id: str, **metadata: Any) -> StoredCommit:
    """Return a stored commit of one event."""
    commit = Commit(
        id=commit_id,
        parts=[Part(stream=StreamId("Account", aggregate_id), events=[event], expected_version=0)],
        recorded_at=AT,
        metadata=Metadata(**metadata),
    )
    return StoredCommit(commit=commit, versions=[1], position=7)


COMMITS = {
    "seed": stored(
        "0000XSNJG0N0ZVS3YXM4D7ZZ9Z",
        EventData("AccountCreated", {"owner": "mishudark"}),
        "0000XSNJG0N0ZVS3YXM4D7ZZ9Y",
    ),
    "everything": stored(
        "é 1",
        EventData("OwnerChanged", {"owner": "Zoë 🏦", "limit": None, "rates": [0.5, 1]}, 2),
        "commit 1%",
        correlation_id="talk",
        causation_id="cause\n",
        values={"user": "Zoë\n", "traceparent": "00-0af7651916cd43dd-b7ad6b7169203331-01"},
    ),
}


@pytest.mark.parametrize("name", COMMITS)
async def test_the_wire_format_does_not_change(nats_url: str, nats_bucket: str, name: str) -> None:
    """Subject, headers in order and body, as a server passes them on."""
    host = urlsplit(nats_url)
    reader, writer = await asyncio.open_connection(host.hostname, host.port)
    writer.write(b'CONNECT {"headers":true,"verbose":false}\r\n')
    writer.write(f"SUB {nats_bucket}.> 1\r\nPING\r\n".encode())
    while b"PONG" not in await reader.readline():
        pass
    async with NatsBus.open(nats_url, nats_bucket) as bus:
        publisher = await bus.publisher()
        await publisher.publish([to_message(COMMITS[name].recorded()[0])])
    verb, subject, _, _, size, total = (await reader.readline()).decode().split()
    found = await reader.readexactly(int(total))
    writer.close()
    assert "HMSG" == verb
    head, body = found[: int(size)], found[int(size) :]
    text = f"{subject}\r\n".encode() + head + body
    expected = (GOLDEN / f"{name}.txt").read_bytes()
    assert expected.replace(b"BUCKET", nats_bucket.encode()) == text


async def test_a_plain_client_reads_the_json_of_the_go_toolkit(
    nats_url: str, nats_bucket: str
) -> None:
    client = await nats.connect(nats_url)
    listening = await client.subscribe(f"{nats_bucket}.account")
    await heard(client)
    async with bank(NatsBus.open(nats_url, nats_bucket)) as app:
        await app.dispatch(Create(aggregate_id="0000XSNJG0N0ZVS3YXM4D7ZZ9Z", owner="mishudark"))
    message = await listening.next_msg(timeout=10)
    await client.close()
    assert (
        '{"aggregate_id":"0000XSNJG0N0ZVS3YXM4D7ZZ9Z","aggregate_type":"Account","version":1,'
        '"type":"AccountCreated","data":{"owner":"mishudark"}}'
    ) == message.data.decode()
    assert ["aggregate_id", "aggregate_type", "version", "type", "data"] == [
        *json.loads(message.data)
    ]


async def test_a_message_of_a_plain_client_is_handled_and_the_relay_goes_on(
    nats_url: str, nats_bucket: str
) -> None:
    got: list[Recorded[Any]] = []

    async def keep(recorded: Recorded[Any]) -> None:
        got.append(recorded)

    async with bank(NatsBus.open(nats_url, nats_bucket)) as app:
        await app.subscribe(keep, group="g")
        await app.dispatch(Create(aggregate_id="a", owner="Ada"))
        await until(lambda: len(got) == 1)
        async with plain(nats_url) as (client, _):
            await client.publish(
                f"{nats_bucket}.account",
                b'{"aggregate_id": "x", "aggregate_type": "Account", "version": 3,'
                b' "type": "AccountCreated", "data": {"owner": "Go"}}',
            )
            await heard(client)
        await until(lambda: len(got) == 2)
        for number in range(3):
            await app.dispatch(Create(aggregate_id=f"b{number}", owner="Bob"))
        await until(lambda: len(got) == 5)
    foreign = got[1]
    assert AccountCreated("Go") == foreign.event
    assert (StreamId("Account", "x"), 3, 0, f"{nats_bucket}-2") == (
        foreign.stream,
        foreign.version,
        foreign.position,
        foreign.id,
    )
    assert foreign.recorded_at.utcoffset() is not None
    assert ["b0", "b1", "b2"] == [each.stream.aggregate_id for each in got[2:]]
