"""A cluster of three servers that loses one."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

import pytest

from eventhus.errors import BusUnavailable
from eventhus_nats import NatsBus
from eventhus_testing.conformance.bus.cases import Inbox, messages
from eventhus_testing.servers import nats_server
from eventhus_testing.servers.nats import NatsServer
from eventhus_testing.servers.processes import free_port
from tests.adapters.nats.support import plain, until
from tests.adapters.nats.test_publisher import insist

T = TypeVar("T")

PATIENCE_S = 60  # a cluster takes a while to elect a leader


@pytest.fixture(scope="module")
def cluster(nats_executable: Path) -> Iterator[list[NatsServer]]:
    """Three servers that replicate to each other."""
    ports = [free_port() for _ in range(3)]
    routes = ",".join(f"nats://127.0.0.1:{port}" for port in ports)
    with ExitStack() as stack:
        yield [
            stack.enter_context(
                nats_server(
                    arguments=[
                        *("--server_name", f"n{port}", "--cluster_name", "c"),
                        *("--cluster", f"nats://127.0.0.1:{port}", "--routes", routes),
                    ]
                )
            )
            for port in ports
        ]


async def settled(call: Callable[[], Awaitable[T]]) -> T:
    """Call until the servers have found each other."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                return await call()
            except BusUnavailable:
                await asyncio.sleep(0.1)


async def test_publishing_and_handling_survive_a_killed_leader(cluster: list[NatsServer]) -> None:
    url = ",".join(server.url for server in cluster)
    inbox = Inbox()
    bus = await settled(NatsBus.open(url, "bank", replicas=3).__aenter__)
    await settled(lambda: bus.subscribe(inbox, group="g", concurrency=4))
    async with plain(cluster[0].url) as (_, jetstream):
        infos = [await jetstream.stream_info(f"{name}") for name in ("bank", "bank_dead")]
        infos.append(await jetstream.stream_info("KV_bank_groups"))
    assert [3, 3, 3] == [info.config.num_replicas for info in infos]
    leader = infos[0].cluster and infos[0].cluster.leader
    publishing = asyncio.create_task(insist(bus, given := messages("a", 2000)))
    await until(lambda: len(inbox.messages) > 200)
    [gone] = [server for server in cluster if leader in server.command()]
    await asyncio.to_thread(gone.kill)
    async with asyncio.timeout(PATIENCE_S):
        await publishing
        while len(inbox.messages) < len(given):
            await asyncio.sleep(0.01)
    assert [each.id for each in given] == inbox.ids
    await bus.__aexit__(None, None, None)
    await asyncio.to_thread(gone.start)


async def test_leases_and_dead_letters_have_the_replicas_of_the_stream(
    cluster: list[NatsServer],
) -> None:
    url = ",".join(server.url for server in cluster)
    first = await settled(NatsBus.open(url, "shop", replicas=3).__aenter__)
    await settled(first.publisher)
    await first.__aexit__(None, None, None)
    async with plain(cluster[0].url) as (_, jetstream):
        await jetstream.delete_stream("shop_dead")
        bus = await settled(NatsBus.open(url, "shop").__aenter__)
        await settled(lambda: bus.subscribe(Inbox(), group="g"))
        for name in ("shop_dead", "KV_shop_groups"):
            assert 3 == (await jetstream.stream_info(name)).config.num_replicas
        await bus.__aexit__(None, None, None)
