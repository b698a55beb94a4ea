"""Handlers without a bus lose nothing and keep the order, whatever becomes of their processes."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from subprocess import Popen
from typing import Any

from eventhus import Application, Delivered, Recorded, Rejected, Replayed
from eventhus.errors import OutcomeUnknown, StoreUnavailable
from eventhus_cattrs import CattrsCodec
from eventhus_mongo import MongoStore
from eventhus_testing.servers import MongoReplicaSet, unused_name
from eventhus_testing.servers.processes import Room, room
from tests.adapters.mongo.faults.primary import FAULTS, replicated
from tests.adapters.mongo.faults.run import PATIENCE_S, Soak
from tests.adapters.mongo.support import async_client
from tests.adapters.mongo.test_bank import followed
from tests.bank import Deposit, Deposited, Open, Withdraw, account, note

ROUNDS = 8
WORKERS = 2
ACCOUNTS = [f"a{number}" for number in range(8)]
POISON = 9
_ROOT = Path(__file__).parents[4]
_WORKER = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from tests.adapters.mongo.faults.test_killed_handlers import work
asyncio.run(work(*sys.argv[2:]))
"""


def bank(url: str, bucket: str) -> Application:
    return Application(
        bucket=bucket,
        aggregates=[account, note],
        store=MongoStore.open(url, bucket),
        codec=CattrsCodec(),
    )


def noting(journal: str | Path) -> Callable[[Delivered[Any]], Awaitable[None]]:
    """Return a handler that notes each event once it is handled, and fails on poison."""
    # Once a write returns, SIGKILL does not take it away, and the lines of processes do not mix.
    file = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    random = Random()

    async def handle(delivered: Delivered[Any]) -> None:
        await asyncio.sleep(random.random() * 0.01)  # work, so that a kill may come amid it
        if delivered.event.amount == POISON:
            raise ValueError("poison")
        line = [str(delivered.stream), delivered.version, os.getpid()]
        os.write(file, f"{json.dumps(line)}\n".encode())

    return handle


async def subscribed(app: Application, journal: str | Path) -> None:
    await app.subscribe(
        noting(journal),
        group="mailer",
        types=[Deposited],
        start="beginning",
        concurrency=len(ACCOUNTS) // 2,
        attempts=2,
    )


async def work(url: str, bucket: str, journal: str) -> None:
    """Handle events until the end of the process."""
    async with bank(url, bucket) as app:
        await subscribed(app, journal)
        await app.run()


class Load:
    """A writer, and workers of one group on the same bucket.

    Attributes:
        kills: How many workers were killed while they handled events.
    """

    def __init__(
        self, url: str, bucket: str, random: Random, directory: Path, workers: Room
    ) -> None:
        self.url = url
        self.bucket = bucket
        self.random = random
        self.journal = directory / "journal"
        self._log = directory / "workers.log"
        self._workers = workers
        self._running: list[Popen[bytes]] = []
        self.kills = 0  # of a worker that was handling events
        self._writing: asyncio.Task[None] | None = None

    async def start(self, writer: Application) -> None:
        """Start to write, and start the workers."""
        self._writing = asyncio.create_task(_write(writer, Random(self.random.random())))
        for _ in range(WORKERS):
            self._start_worker()
        await self.progress()

    def _start_worker(self) -> None:
        command = [sys.executable, "-c", _WORKER, str(_ROOT), self.url, self.bucket]
        self._running.append(self._workers.run([*command, str(self.journal)], self._log))

    async def replace_worker(self) -> None:
        """End the worker that handled the last event with SIGKILL, and start another one."""
        _, _, handling = json.loads(self.journal.read_text().splitlines()[-1])
        (victim,) = [each for each in self._running if each.pid == handling]
        await self._kill(victim)
        self.kills += 1
        self._start_worker()

    async def _kill(self, worker: Popen[bytes]) -> None:
        self._running.remove(worker)
        worker.kill()
        await asyncio.to_thread(worker.wait)

    async def expire(self) -> None:
        """Make every lease run out now, as it would within seconds, whoever holds it."""
        async with async_client(self.url) as client:
            await client[self.bucket].leases.update_many(
                {}, {"$set": {"until": datetime(2000, 1, 1, tzinfo=UTC)}}
            )

    async def progress(self) -> None:
        """Wait until more events were handled."""
        wanted = self._handled() + self.random.randint(1, 100)
        assert self._writing is not None
        async with asyncio.timeout(PATIENCE_S):
            while self._handled() < wanted:
                assert not self._writing.done()
                assert all(each.poll() is None for each in self._running), self._log.read_text()
                await asyncio.sleep(0.005)

    async def stop(self) -> None:
        """Stop to write, and kill the workers."""
        assert self._writing is not None
        self._writing.cancel()
        await asyncio.wait([self._writing])
        for each in [*self._running]:
            await self._kill(each)
        await self.expire()

    def _handled(self) -> int:
        return self.journal.read_text().count("\n") if self.journal.exists() else 0


@asynccontextmanager
async def working(url: str, bucket: str, soak: Soak, directory: Path) -> AsyncIterator[Load]:
    """Write and handle, let the test do its worst, and check what was handled."""
    with room() as workers:
        load = Load(url, bucket, Random(soak.seed), directory, workers)
        async with bank(url, bucket) as writer:
            await load.start(writer)
            yield load
            await load.progress()
            await load.stop()
    async with bank(url, bucket) as app:
        await subscribed(app, load.journal)
        head = await app._store.head()
        async with asyncio.timeout(PATIENCE_S):
            while (await app._store.load_checkpoint("group_mailer")).position < head:
                await asyncio.sleep(0.01)
        await _check(app, await followed(app, to=head), load.journal)


async def test_killed_handlers(
    mongo_url: str, mongo_bucket: str, soak: Soak, tmp_path: Path
) -> None:
    """Of two workers, the one at work is killed with SIGKILL, or both are made to work at once."""
    async with working(mongo_url, mongo_bucket, soak, tmp_path) as load:
        for number in range(ROUNDS * soak.factor):
            await load.progress()
            if number % 4:
                await load.replace_worker()
            await load.expire()
    print(f"{load.kills} kills")


async def test_handlers_while_the_primary_is_replaced(
    replica_set: MongoReplicaSet, soak: Soak, tmp_path: Path
) -> None:
    url, bucket = f"{replica_set.url}&timeoutMS=3000", unused_name()
    async with working(url, bucket, soak, tmp_path) as load:
        # Each short run has another fault.
        faults = [load.random.choice(FAULTS)] if soak.factor == 1 else FAULTS * soak.factor
        for fault in faults:
            primary = await asyncio.to_thread(replica_set.wait_for_primary)
            await load.progress()
            print(fault.__name__)
            await fault(primary, load, replica_set)
            await replicated(replica_set)


async def _check(app: Application, log: Sequence[Recorded[Any]], journal: Path) -> None:
    deposits = [each for each in log if isinstance(each.event, Deposited)]
    poisoned = [each for each in deposits if each.event.amount == POISON]
    noted = [tuple(json.loads(line)[:2]) for line in journal.read_text().splitlines()]
    letters = await app.dead_letters(group="mailer", limit=len(log) + 1)
    print(f"{len(deposits)} deposits, {len(poisoned)} poisoned, handled {len(noted)} times")
    for key in ACCOUNTS:
        stream = f"Account/{key}"
        sound = [
            (stream, each.version)
            for each in deposits
            if str(each.stream) == stream and each.event.amount != POISON
        ]
        assert sound == [*dict.fromkeys(each for each in noted if each[0] == stream)]
        assert [each.id for each in poisoned if str(each.stream) == stream] == [
            each.id for each in letters if str(each.stream) == stream
        ]
    assert {("ValueError", "poison", 2)} == {(e.error, e.reason, e.attempts) for e in letters}

    replayed: list[str] = []

    async def mended(delivered: Delivered[Any]) -> None:
        replayed.append(delivered.id)

    assert Replayed(handled=len(letters), failed=0) == await app.replay(mended, group="mailer")
    assert [each.id for each in letters] == replayed
    assert [] == await app.dead_letters(group="mailer")


async def _write(app: Application, random: Random) -> None:
    while True:
        aggregate_id, amount = random.choice(ACCOUNTS), random.randint(1, POISON)
        command = random.choice(
            [
                Open(aggregate_id=aggregate_id),
                Withdraw(aggregate_id=aggregate_id, amount=amount),
                *[Deposit(aggregate_id=aggregate_id, amount=amount)] * 4,
            ]
        )
        with suppress(Rejected, StoreUnavailable, OutcomeUnknown):
            await app.dispatch(command)
        await asyncio.sleep(0.005)  # leaves the workers a share of the machine
