"""Writers that are killed at any moment leave an intact log."""

from pathlib import Path

from tests.adapters.mongo.faults.run import Soak, running

WRITERS = 4
KILLS = 4


async def test_killed_writers(
    mongo_url: str, mongo_bucket: str, soak: Soak, tmp_path: Path
) -> None:
    """One of the writing processes is killed with SIGKILL and comes back, and so on."""
    async with running(
        url=mongo_url, bucket=mongo_bucket, seed=soak.seed, directory=tmp_path
    ) as run:
        for number in range(WRITERS):
            run.start_process(number)
        await run.progress()
        for _ in range(KILLS * soak.factor):
            await run.growth(run.random.randint(1, 200))
            victim = run.random.randrange(WRITERS)
            run.kill_process(victim)
            run.start_process(victim)
        await run.progress()
        await run.finish()
