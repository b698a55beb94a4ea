"""Workers that are killed, or run at once, reach each deadline and record each refusal once."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from eventhus import Application, Command, DeadlineOvertaken, DeadlineReached, Recorded, Rejected
from eventhus_cattrs import CattrsCodec
from eventhus_mongo import MongoStore
from eventhus_testing.servers.processes import Room, room
from tests.adapters.mongo.faults.dunning import bank, dunning, violations
from tests.adapters.mongo.faults.run import Soak
from tests.adapters.mongo.support import Client, async_client
from tests.adapters.mongo.test_bank import followed
from tests.bank import Deposit, Open, Rename, Withdraw, account, note
from tests.core.readers import caught_up

KILLS = 6
ROUNDS = 3  # of two workers at once
LEAD = 8  # events by which the writer may be ahead of the workers: one of each account
ACCOUNTS = [f"a{number}" for number in range(8)]
_ROOT = Path(__file__).parents[4]
_WORKER = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from tests.adapters.mongo.faults.dunning import bank
asyncio.run(bank(*sys.argv[2:]).run())
"""


def worker(url: str, bucket: str) -> list[str]:
    """Return the command that starts a worker."""
    return [sys.executable, "-c", _WORKER, str(_ROOT), url, bucket]


async def expire(client: Client, bucket: str) -> None:
    """Let every lease expire, as it would within seconds."""
    await client[bucket].leases.update_many(
        {}, {"$set": {"until": datetime(2000, 1, 1, tzinfo=UTC)}}
    )


class Load:
    """A writer in this process, and workers in others, on one bucket."""

    def __init__(self, client: Client, url: str, bucket: str, workers: Room, path: Path) -> None:
        self._client, self._bucket = client, bucket
        self._command = worker(url, bucket)
        self._workers = workers
        self._path = path
        self._started = 0

    def start(self) -> Any:
        """Start a worker."""
        self._started += 1
        return self._workers.run(self._command, self._path / f"{self._started}.log")

    async def expire(self) -> None:
        """Let every lease expire, as it would within seconds."""
        await expire(self._client, self._bucket)

    async def progress(self, events: int) -> None:
        """Wait until the workers have gone over so many more events."""
        async with asyncio.timeout(60):
            await self._reach(await self._position() + events)

    async def write(self, app: Application, random: Random) -> None:
        """Send commands for ever.

        Workers that are far behind find most deadlines cancelled already, and are killed while
        they catch up, so the writer waits for them.
        """
        while True:
            with suppress(Rejected):
                await app.dispatch(command(random))
            await self._reach(await app._store.head() - LEAD)

    async def _reach(self, position: int) -> None:
        while await self._position() < position:
            await asyncio.sleep(0.005)

    async def _position(self) -> int:
        found = await self._client[self._bucket].checkpoints.find_one({"_id": "process_dunning"})
        return found["position"] if found else 0


@asynccontextmanager
async def loaded(
    url: str, bucket: str, seed: int, workers: Room, path: Path
) -> AsyncIterator[Load]:
    quiet = Application(
        bucket=bucket,
        aggregates=[account, note],
        store=MongoStore.open(url, bucket),
        codec=CattrsCodec(),
    )
    async with async_client(url) as client, quiet:
        load = Load(client, url, bucket, workers, path)
        writing = asyncio.create_task(load.write(quiet, Random(seed)))
        yield load
        assert not writing.done()
        writing.cancel()
        await asyncio.wait([writing])


def command(random: Random) -> Command:
    """Return a command that arms a deadline or cancels one, unless it is rejected."""
    aggregate_id = random.choice(ACCOUNTS)
    return random.choice(
        [
            Open(aggregate_id=aggregate_id, owner=str(random.randrange(0, 500))),
            Rename(aggregate_id=aggregate_id, owner=str(random.randrange(0, 300))),
            Deposit(aggregate_id=aggregate_id, amount=random.randint(1, 9)),
            Withdraw(aggregate_id=aggregate_id, amount=random.randint(1, 9)),
        ]
    )


async def handled(url: str, bucket: str) -> Sequence[Recorded[Any]]:
    """Let all deadlines pass, and return the log."""
    async with asyncio.timeout(120), bank(url, bucket) as app:
        store = app._store
        while True:
            await caught_up(app, dunning)
            if not await store.load_armed("process_dunning"):
                break
            await asyncio.sleep(0.05)
        await caught_up(app, dunning)
        assert [] == await app.parked(dunning)
        return await followed(app, to=await store.head())


def _check(log: Sequence[Recorded[Any]]) -> None:
    kinds = Counter(type(each.event).__name__ for each in log)
    print(f"{len(log)} events: {dict(kinds)}")
    assert kinds[DeadlineReached.__name__] > 10
    assert kinds["CommandRefused"] > 0
    assert kinds[DeadlineOvertaken.__name__] < kinds[DeadlineReached.__name__] / 2
    assert [] == violations(log)


async def test_killed_timers(mongo_url: str, mongo_bucket: str, soak: Soak, tmp_path: Path) -> None:
    """One worker at a time is killed with SIGKILL, and the next one goes on."""
    random = Random(soak.seed)
    with room() as workers:
        async with loaded(mongo_url, mongo_bucket, soak.seed, workers, tmp_path) as load:
            for _ in range(KILLS * soak.factor):
                process = load.start()
                await load.progress(random.randint(1, 80))
                assert process.poll() is None
                process.kill()
                await asyncio.to_thread(process.wait)
                await load.expire()
        log = await handled(mongo_url, mongo_bucket)
    print(f"{KILLS * soak.factor} kills")
    _check(log)


async def test_two_timers_at_once(
    mongo_url: str, mongo_bucket: str, soak: Soak, tmp_path: Path
) -> None:
    """Leases that expire all the time keep no two workers apart; one of them is killed."""
    random = Random(soak.seed)
    with room() as workers:
        async with loaded(mongo_url, mongo_bucket, soak.seed, workers, tmp_path) as load:
            for _ in range(ROUNDS * soak.factor):
                both = [load.start(), load.start()]
                await load.progress(random.randint(1, 40))
                for _ in range(40):
                    await load.expire()
                    await asyncio.sleep(0.05)
                for process in random.sample(both, 2):
                    assert process.poll() is None
                    process.kill()
                    await asyncio.to_thread(process.wait)
                await load.expire()
        log = await handled(mongo_url, mongo_bucket)
    _check(log)
