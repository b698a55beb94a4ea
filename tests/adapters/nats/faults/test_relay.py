"""The relay under fire: every event arrives, in order, whatever is killed."""

import asyncio
import signal
from contextlib import ExitStack
from pathlib import Path
from random import Random

import pytest

from eventhus_mongo import MongoStore
from eventhus_testing.servers import MongoReplicaSet, nats_server
from tests.adapters.mongo.faults.run import Soak
from tests.adapters.nats.faults.support import WINDOW_MS, all_published, verdict, worker, writing


async def progress(store: MongoStore, by: int) -> None:
    """Wait until the relay has come so much further."""
    goal = (await store.load_checkpoint("relay")).position + by
    async with asyncio.timeout(60):
        while (await store.load_checkpoint("relay")).position < goal:
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("window_ms", [WINDOW_MS, 100], ids=["recognised", "forgotten"])
async def test_a_relay_that_is_killed(
    mongo_url: str, nats_url: str, bucket: str, soak: Soak, window_ms: int
) -> None:
    """At random, again and again; another stands by, or it is started anew."""
    random = Random(soak.seed)
    kills = 1 if soak.factor == 1 else 2 * soak.factor
    arguments = ("relay", mongo_url, nats_url, bucket, str(window_ms))
    async with writing(mongo_url, bucket, soak.seed) as store:
        with ExitStack() as stack:
            alive = [stack.enter_context(worker(*arguments)) for _ in range(2)]
            for number in range(kills):
                await progress(store, random.randint(1, 400))
                await asyncio.sleep(random.random() * 0.2)  # somewhere in its work
                alive[number % 2].kill()
                alive[number % 2] = stack.enter_context(worker(*arguments))
            head = await all_published(store)
    async with MongoStore.open(mongo_url, bucket) as store:
        with worker(*arguments):
            head = await all_published(store)
        repeats = await verdict(store, nats_url, bucket)
    print(f"{head} events, {kills} kills, {repeats} repeats")
    if window_ms == WINDOW_MS:
        assert 0 == repeats


async def test_a_relay_that_is_paused(
    mongo_url: str, nats_url: str, bucket: str, soak: Soak
) -> None:
    """Until another has published more, beyond what the server recognises: it says nothing late."""
    arguments = ("relay", mongo_url, nats_url, bucket, "100")
    async with writing(mongo_url, bucket, soak.seed) as store:
        with worker(*arguments) as paused, worker(*arguments):
            await progress(store, 200)
            paused.send_signal(signal.SIGSTOP)
            await progress(store, 500)  # by the other, once the lease has run out, or is in charge
            paused.send_signal(signal.SIGCONT)
            await progress(store, 200)
            await all_published(store)
    async with MongoStore.open(mongo_url, bucket) as store:
        with worker(*arguments):
            head = await all_published(store)
        repeats = await verdict(store, nats_url, bucket)
    print(f"{head} events, {repeats} repeats")


async def test_a_bus_that_is_restarted(
    mongo_url: str, bucket: str, nats_executable: Path, soak: Soak
) -> None:
    """Killed and stopped in turns, under a relay that goes on."""
    random = Random(soak.seed)
    restarts = 2 * soak.factor
    with nats_server() as server:
        arguments = ("relay", mongo_url, server.url, bucket, str(WINDOW_MS))
        async with writing(mongo_url, bucket, soak.seed) as store:
            with worker(*arguments):
                for number in range(restarts):
                    await progress(store, random.randint(1, 300))
                    await asyncio.sleep(random.random() * 0.1)  # somewhere in its work
                    await asyncio.to_thread(server.kill if number % 2 else server.stop)
                    await asyncio.sleep(random.random() * 0.3)
                    await asyncio.to_thread(server.start)
                await all_published(store)
        async with MongoStore.open(mongo_url, bucket) as store:
            with worker(*arguments):
                head = await all_published(store)
            repeats = await verdict(store, server.url, bucket)
    print(f"{head} events, {restarts} restarts, {repeats} repeats")
    assert 0 == repeats


async def test_a_primary_that_is_replaced(
    mongo_replica_set_of_three: MongoReplicaSet, nats_url: str, nats_bucket: str, soak: Soak
) -> None:
    """The log's server is killed, and another takes its place, under a relay that goes on."""
    random = Random(soak.seed)
    replica_set = mongo_replica_set_of_three
    moves = 1 if soak.factor == 1 else soak.factor
    arguments = ("relay", replica_set.url, nats_url, nats_bucket, str(WINDOW_MS))
    async with writing(replica_set.url, nats_bucket, soak.seed) as store:
        with worker(*arguments):
            for _ in range(moves):
                await progress(store, random.randint(1, 300))
                primary = await asyncio.to_thread(replica_set.wait_for_primary)
                await asyncio.to_thread(primary.kill)
                await asyncio.to_thread(replica_set.wait_for_primary)
                await progress(store, 100)
                await asyncio.to_thread(primary.start)
            await all_published(store)
    async with MongoStore.open(replica_set.url, nats_bucket) as store:
        with worker(*arguments):
            head = await all_published(store)
        repeats = await verdict(store, nats_url, nats_bucket)
    print(f"{head} events, {moves} moves, {repeats} repeats")
    assert 0 == repeats
