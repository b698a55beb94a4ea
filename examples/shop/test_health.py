"""The health of the shop over HTTP: each way of being sick, and what a platform does about it."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient

from eventhus import Application, Delivered, Recorded, View
from eventhus.errors import BusUnavailable
from eventhus.operations import Operations
from eventhus.ports import Storage
from eventhus_cattrs import CattrsCodec
from eventhus_memory import MemoryBus, MemoryStore
from eventhus_testing import FaultyStore
from examples.shop.order import order
from examples.shop.payment import payment
from examples.shop.stock import GoodsReceived, ReceiveGoods, stock
from examples.shop.views import orders, shelf
from examples.shop.web.app import create_app, create_worker

PATIENCE_S = 10.0  # far beyond what anything here takes
README = Path(__file__).with_name("README.md")
DELIVERY = ReceiveGoods(aggregate_id="tea", quantity=3, price=Decimal("4.50"))


def shop_on(store: Storage, *views: View[Any, Any], **options: Any) -> Application:
    """Compose the shop without its process."""
    return Application(
        bucket="shop",
        aggregates=[order, stock, payment],
        views=[orders, shelf, *views],
        store=store,
        codec=CattrsCodec(),
        **options,
    )


def web_of(app: FastAPI) -> AsyncClient:
    """Return a client that asks for health."""
    return AsyncClient(transport=ASGITransport(app), base_url="http://shop")


@asynccontextmanager
async def web(shop: Application) -> AsyncIterator[AsyncClient]:
    """Serve a shop in which a reader that does not move while events wait is sick at once."""
    app = create_app(shop, operations=Operations(shop, stalled_after_s=0))
    async with app.router.lifespan_context(app), web_of(app) as client:
        yield client


async def probed(client: AsyncClient) -> tuple[bool, bool]:
    """Return whether a platform restarts the process, and sends customers to it."""
    live = await client.get("/health/live")
    ready = await client.get("/health/ready")
    assert {"live": live.status_code == 200} == live.json()
    assert {"ready": ready.status_code == 200} == ready.json()
    return live.status_code == 200, ready.status_code == 200


async def problems(client: AsyncClient) -> list[str]:
    """Return what is wrong."""
    answer = await client.get("/health")
    found: list[str] = answer.json()["problems"]
    assert (503 if found else 200) == answer.status_code
    assert "no-store" == answer.headers["Cache-Control"]
    return found


async def eventually(look: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(PATIENCE_S):
        while not await look():  # noqa: ASYNC110 - what is waited for sets no event
            await asyncio.sleep(0.001)


async def test_a_shop_that_is_well() -> None:
    shop = shop_on(MemoryStore())
    async with web(shop) as client:
        await shop.dispatch(DELIVERY)
        await shop.caught_up(shelf)
        await shop.caught_up(orders)
        assert (True, True) == await probed(client)
        assert [] == await problems(client)
        readers = (await client.get("/health")).json()["readers"]
    assert [("view", "orders", 1, 0), ("view", "shelf", 1, 0)] == [
        (each["kind"], each["name"], each["position"], each["waiting"]) for each in readers
    ]


async def test_lists_that_are_not_filled_yet() -> None:
    """Customers wait until they are; nothing is wrong with a long list."""
    store = MemoryStore()
    async with shop_on(store, work=False) as filling:
        await filling.dispatch(DELIVERY)
    shop = shop_on(slow := FaultyStore(store))
    hold = slow.delays("load_documents")
    async with web(shop) as client:
        await hold.reached()
        assert not (await probed(client))[1]
        hold.release()
        await shop.caught_up(shelf)
        await shop.caught_up(orders)
        assert (True, True) == await probed(client)


async def test_a_reader_that_is_frozen() -> None:
    shop = shop_on(store := FaultyStore(MemoryStore()))
    hold = store.delays("load_documents")
    async with web(shop) as client:
        assert (True, True) == await probed(client)
        await shop.dispatch(DELIVERY)
        await hold.reached()
        assert (False, True) == await probed(client)
        (problem,) = await problems(client)
        assert "has stood at position 0" in problem
        assert problem.endswith("restart the process")
        hold.release()


async def test_a_leader_elsewhere_that_is_sick() -> None:
    """To restart this process would not help."""
    log = MemoryStore()
    sick = shop_on(store := FaultyStore(log))
    hold = store.delays("load_documents")
    async with sick, web(shop_on(log)) as client:
        assert (True, True) == await probed(client)
        await sick.dispatch(DELIVERY)
        await hold.reached()
        assert (True, True) == await probed(client)
        (problem,) = await problems(client)
        assert "look at the process that holds its lease" in problem
        hold.release()


async def test_a_shop_without_a_worker() -> None:
    store = MemoryStore()
    shop = shop_on(store, work=False)
    async with web(shop) as client:
        await shop.dispatch(DELIVERY)
        assert (True, False) == await probed(client)
        (problem,) = await problems(client)
        assert problem.endswith("nobody holds its lease; start a worker")


def fold(total: int, recorded: Recorded[GoodsReceived]) -> int:
    raise ValueError


def product(recorded: Recorded[GoodsReceived]) -> str:
    return recorded.stream.aggregate_id


async def test_a_parked_key() -> None:
    broken = View(name="broken", initial=0, key=product, evolve=fold)
    shop = shop_on(MemoryStore(), broken, max_parked=10)
    async with web(shop) as client:
        await shop.dispatch(DELIVERY)
        for view in (broken, orders, shelf):
            await shop.caught_up(view)
        assert (True, True) == await probed(client)
        assert ["view broken has 1 parked key"] == await problems(client)


async def test_dead_letters() -> None:
    async def refuse(_: Delivered[GoodsReceived]) -> None:
        raise ValueError

    shop = shop_on(MemoryStore())
    async with web(shop) as client:
        await shop.subscribe(refuse, group="mail", types=[GoodsReceived], attempts=1)
        await shop.dispatch(DELIVERY)

        async def is_reported() -> bool:
            return ["group mail has 1 dead letter"] == await problems(client)

        await eventually(is_reported)
        assert (True, True) == await probed(client)


class LostBus(MemoryBus):
    """A bus whose server is gone."""

    async def publisher(self) -> Any:
        """Fail."""
        raise BusUnavailable("shop", "its server is gone")


async def test_a_relay_that_is_behind() -> None:
    shop = shop_on(MemoryStore(), bus=LostBus(), shutdown_timeout_s=0.1)
    async with asyncio.timeout(PATIENCE_S), web(shop) as client:
        await shop.dispatch(DELIVERY)

        async def is_reported() -> bool:
            return any("relay fails in this process" in each for each in await problems(client))

        await eventually(is_reported)
        assert (True, True) == await probed(client)


async def test_a_store_that_is_away() -> None:
    """To restart this process would not help, and customers go elsewhere."""
    shop = shop_on(store := FaultyStore(MemoryStore()))
    async with web(shop) as client:
        assert (True, True) == await probed(client)
        store.fails("leases", times=3)
        assert (True, False) == await probed(client)
        (problem,) = await problems(client)
        assert problem.startswith("the store did not answer: StoreUnavailable")


async def test_a_reader_that_has_ended() -> None:
    async with web(shop_on(MemoryStore())) as client:
        (task,) = [each for each in asyncio.all_tasks() if "shelf" in each.get_name()]
        task.cancel()
        await asyncio.wait([task])
        assert not (await probed(client))[0]
        assert ["view shelf has ended in this process; restart the process"] == await problems(
            client
        )


async def test_a_worker_serves_its_health_and_nothing_else() -> None:
    app = create_worker()
    async with app.router.lifespan_context(app), web_of(app) as client:
        assert (True, True) == await probed(client)
        readers = (await client.get("/health")).json()["readers"]
        assert {"orders", "shelf", "fulfilment", "mail"} == {each["name"] for each in readers}
        assert 404 == (await client.get("/products")).status_code


@pytest.mark.parametrize("app", [create_app(shop_on(MemoryStore())), create_worker()])
def test_the_probes_of_the_readme_exist(app: FastAPI) -> None:
    probes = re.findall(r"path: (/\S+?)[,} ]", README.read_text(encoding="utf-8"))
    assert {"/health/live", "/health/ready"} == {*probes}
    assert {*probes} <= {*app.openapi()["paths"]}
