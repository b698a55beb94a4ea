"""A builder that is killed amid its work is followed by one that goes on where it was."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest

from eventhus import Application, BuildProgress
from eventhus.runtime.readers import building
from eventhus_cattrs import CattrsCodec
from eventhus_mongo import MongoStore
from eventhus_testing.servers.processes import room
from tests.adapters.mongo.faults.run import Soak
from tests.adapters.mongo.faults.test_killed_readers import folded
from tests.adapters.mongo.support import async_client
from tests.adapters.mongo.test_bank import followed
from tests.bank import Deposited, Script, account, always, note
from tests.core.readers import balances

KILLS = 3
COMMIT = 100  # events
NAME = "view_balances"
ACCOUNTS = [f"a{number}" for number in range(200)]
_ROOT = Path(__file__).parents[4]
_BUILDER = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from tests.adapters.mongo.faults import test_killed_builders as here

async def main():
    async with here.bank(*sys.argv[2:]) as app:
        await app.build(here.balances)

asyncio.run(main())
"""


def bank(url: str, bucket: str) -> Application:
    """The bank in a process that runs no view of its own accord."""
    return Application(
        bucket=bucket,
        aggregates=[account, note],
        views=[balances],
        store=MongoStore.open(url, bucket),
        codec=CattrsCodec(),
        work=False,
    )


async def test_killed_builders(
    mongo_url: str,
    mongo_bucket: str,
    soak: Soak,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each is killed with SIGKILL at a later position, while the log grows."""
    random = Random(soak.seed)
    builder = [sys.executable, "-c", _BUILDER, str(_ROOT), mongo_url, mongo_bucket]
    async with async_client(mongo_url) as client, bank(mongo_url, mongo_bucket) as app:
        await asyncio.gather(*[_write(app, random, commits=4) for _ in range(50)])
        store = app._store
        with room() as builders:
            for number in range(KILLS):
                before = await store.load_checkpoint(NAME)
                log = tmp_path / f"{number}.log"
                process = builders.run(builder, log)
                async with asyncio.timeout(60):
                    while (place := await store.load_checkpoint(NAME)) == before:
                        assert process.poll() is None, log.read_text()
                        await asyncio.sleep(0.002)
                assert place.position > before.position
                process.kill()
                await asyncio.to_thread(process.wait)
                # Its lease would run out within seconds.
                await client[mongo_bucket].leases.update_many(
                    {}, {"$set": {"until": datetime(2000, 1, 1, tzinfo=UTC)}}
                )
                await _write(app, random, commits=2)
        reached = (await store.load_checkpoint(NAME)).position
        head = await store.head()
        print(f"killed at {reached} of {head}")
        assert reached < head, "the builders were too fast to be killed amid their work"
        told: list[BuildProgress] = []
        monkeypatch.setattr(building, "EVERY_S", 0.001)  # so that no step back is missed
        await app.build(balances, on_progress=told.append)
        assert min(each.position for each in told) >= reached
        events = await followed(app, to=head)
        for key in ACCOUNTS:
            assert (key, folded(key, events)) == (key, await app.view(balances, key))


async def _write(app: Application, random: Random, commits: int) -> None:
    for _ in range(commits):
        events = [Deposited(random.randint(1, 9)) for _ in range(COMMIT)]
        await app.dispatch(
            Script(aggregate_id=random.choice(ACCOUNTS), decide=always(*events)),
        )
