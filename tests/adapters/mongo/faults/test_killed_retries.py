"""Retries of parked keys that are killed amid whatever they do leave every key right."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from eventhus import Application, Process, Recorded, View
from eventhus_cattrs import CattrsCodec
from eventhus_mongo import MongoStore
from eventhus_testing.servers.processes import room
from tests.adapters.mongo.faults.run import Soak
from tests.adapters.mongo.support import Client, async_client
from tests.adapters.mongo.test_bank import followed
from tests.bank import Deposited, account, note
from tests.core.runtime.readers.test_parked_processes import BUGS
from tests.core.runtime.readers.test_parked_processes import mended as mended_notes
from tests.core.runtime.readers.test_parking import POISON, broken, mended
from tests.core.support import add

KILLS = 4
PATIENCE_S = 60.0  # without a key that is released
KEYS = [f"a{number}" for number in range(6)]
_ROOT = Path(__file__).parents[4]
_WORKER = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from tests.adapters.mongo.faults.test_killed_retries import retry_for_ever
asyncio.run(retry_for_ever(*sys.argv[2:]))
"""


def bank(url: str, bucket: str, view: View[Any, Any], process: Process[Any, Any]) -> Application:
    return Application(
        bucket=bucket,
        aggregates=[account, note],
        views=[view],
        processes=[process],
        store=MongoStore.open(url, bucket),
        codec=CattrsCodec(),
    )


async def retry_for_ever(url: str, bucket: str) -> None:
    """Mend every key that is parked, and look again."""
    async with bank(url, bucket, mended, mended_notes) as app:
        while True:
            for reader in (mended, mended_notes):
                for each in await app.parked(reader):
                    await app.retry(reader, each.key)


async def test_killed_retries(
    mongo_url: str, mongo_bucket: str, soak: Soak, tmp_path: Path
) -> None:
    random, buggy = Random(soak.seed), BUGS["react raises"][0]
    worker = [sys.executable, "-c", _WORKER, str(_ROOT), mongo_url, mongo_bucket]
    with room() as workers:
        async with async_client(mongo_url) as client:
            for number in range(KILLS * soak.factor):
                async with bank(mongo_url, mongo_bucket, broken, buggy) as app:
                    await _write(app, random)
                    await app.caught_up(broken)
                    await app.caught_up(buggy)
                    parked = await _parked(client, mongo_bucket)
                    assert parked > len(KEYS)
                log = tmp_path / f"{number}.log"
                process = workers.run(worker, log)
                left = random.randrange(parked)
                async with asyncio.timeout(PATIENCE_S) as patience:
                    while (now := await _parked(client, mongo_bucket)) > left:
                        assert process.poll() is None, log.read_text()
                        if now < parked:  # each retry reads a log that grows with every kill
                            parked = now
                            patience.reschedule(asyncio.get_running_loop().time() + PATIENCE_S)
                        await asyncio.sleep(random.random() * 0.01)
                process.kill()
                await asyncio.to_thread(process.wait)
                # Its leases would run out within seconds.
                await client[mongo_bucket].leases.update_many(
                    {}, {"$set": {"until": datetime(2000, 1, 1, tzinfo=UTC)}}
                )
        async with bank(mongo_url, mongo_bucket, mended, mended_notes) as app:
            for reader in (mended, mended_notes):
                await app.caught_up(reader)
                for each in await app.parked(reader):
                    await app.retry(reader, each.key)
            events = await followed(app, to=await app._store.head())
            for key in KEYS:
                assert (key, _sums(events, key)[-1]) == (key, await app.view(mended, key))
    written = [each.event.text for each in events if str(each.stream) == "Note/x"]
    for key in KEYS:
        assert [f"{key} {each}" for each in _sums(events, key)] == [
            text for text in written if text.startswith(f"{key} ")
        ]


async def _write(app: Application, random: Random) -> None:
    """Deposit something everywhere, in any order, and something poisonous."""
    for amount, key in random.sample([(n, key) for n in (1, 2, POISON, 3) for key in KEYS], 24):
        await add(app, amount, aggregate_id=key)


async def _parked(client: Client, bucket: str) -> int:
    database = client[bucket]
    return sum(
        [
            await database[name].count_documents({"_parked": {"$exists": True}})
            for name in ("view_totals", "process_notes")
        ]
    )


def _sums(log: Sequence[Recorded[Any]], key: str) -> list[int]:
    """The sum of the key after each of its deposits, which is what the process writes down."""
    total, sums = 0, list[int]()
    for recorded in log:
        if isinstance(recorded.event, Deposited) and recorded.stream.aggregate_id == key:
            total += recorded.event.amount
            sums.append(total)
    return sums
