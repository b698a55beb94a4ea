"""The shop on real servers: a web process, and a worker beside it."""

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from eventhus_testing.servers.nats import delete_streams
from examples.shop.composition import compose
from examples.shop.fulfilment import fulfilment
from examples.shop.test_web import BASKET, client_of
from examples.shop.web.app import create_app

ROOT = Path(__file__).parents[2]


@asynccontextmanager
async def worker() -> AsyncIterator[Process]:
    """Run the worker as its own process, and stop it in the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "examples.shop.worker", cwd=ROOT, stderr=PIPE
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        assert 0 == await process.wait()


async def logged(process: Process, text: str) -> bool:
    """Return True once a process has logged a text, or False at the end of its log."""
    assert process.stderr is not None
    async for line in process.stderr:
        if text in line.decode():
            return True
    return False


@pytest.fixture(params=["MongoDB", "MongoDB and NATS"])
def servers(
    request: pytest.FixtureRequest,
    mongo_url: str,
    mongo_bucket: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[None]:
    """Name the servers in the environment."""
    monkeypatch.setenv("SHOP_STORE", mongo_url)
    monkeypatch.setenv("SHOP_BUCKET", mongo_bucket)
    if request.param == "MongoDB":
        yield
        return
    nats_url = request.getfixturevalue("nats_url")
    monkeypatch.setenv("SHOP_BUS", nats_url)
    yield
    delete_streams(nats_url, mongo_bucket)


@pytest.mark.usefixtures("servers")
async def test_a_worker_ships_what_was_ordered_and_paid_on_the_web() -> None:
    async with (
        asyncio.timeout(60),
        worker() as process,
        compose(work=False) as shop,
        client_of(create_app(shop)) as web,
    ):
        for product in ("tea", "pot"):
            delivered = await web.post(
                f"/products/{product}/deliveries", json={"quantity": 2, "price": "10.00"}
            )
            web.headers["X-Position"] = delivered.headers["X-Position"]
        url = (await web.post("/orders", json=BASKET)).headers["Location"]
        await shop.caught_up(fulfilment)  # has reserved the goods
        await shop.caught_up(fulfilment)  # has asked for the money
        paid = await web.post(f"{url}/payment", json={"amount": "30.00"})
        await shop.caught_up(fulfilment)
        assert (204, "shipped") == (paid.status_code, (await web.get(url)).json()["status"])
        assert await logged(
            process, f"order {url.removeprefix('/orders/')} is on its way to Berlin"
        )
