"""Tests of a console whose MongoDB goes away and comes back."""

import asyncio
import html
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio
from httpx2 import AsyncClient

from eventhus.operations import health
from eventhus_console import Access, application, console
from eventhus_mongo import MongoStore
from eventhus_testing.servers import MongoServer, standalone_mongo
from tests.adapters.console.conftest import client_of
from tests.adapters.console.scene import GROUP, shop, until
from tests.adapters.console.test_pages import PAGES
from tests.adapters.mongo.test_leaving import paused

OPTIONS = "&timeoutMS=5000"  # a busy machine answers within it


@pytest_asyncio.fixture
async def served(mongod: Path) -> AsyncIterator[tuple[MongoServer, AsyncClient]]:
    """A server, and a client of the console of a shop on it."""
    with standalone_mongo() as server:
        async with (
            shop(MongoStore.open(server.url + OPTIONS, "shop")) as scene,
            client_of(console(scene.app, authorize=lambda _: Access.ACT)) as client,
        ):
            yield server, client
            if not server.is_running:
                server.start()


async def test_a_store_that_hangs_is_told_with_the_next_step(
    served: tuple[MongoServer, AsyncClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, client = served
    monkeypatch.setattr(application, "PATIENCE_S", 0.2)
    monkeypatch.setattr(health, "ANSWER_S", 0.2)
    async with paused(server):
        log, overview = await client.get("log"), await client.get("")
    assert (503, 503) == (log.status_code, overview.status_code)
    assert "did not answer within 0.2 s; eventhus doctor tells which and why" in log.text
    assert "Unknown, because the store does not answer." in overview.text
    assert "Nothing reads this log" not in overview.text


async def test_every_page_says_that_the_store_is_away_until_it_is_back(
    served: tuple[MongoServer, AsyncClient],
) -> None:
    server, client = served
    before = await client.get("log")
    assert before.status_code == 200
    server.kill()
    responses = await asyncio.gather(*(client.get(path) for path in PAGES))
    for path, response in zip(PAGES, responses, strict=True):
        text = html.unescape(response.text)
        assert (path, 503) == (path, response.status_code)
        assert "not answer" in text or "cannot be reached" in text, path
        assert 'href="log"' in text  # and so it stays usable
        assert "Traceback" not in text
    acted = await client.post("discard", data={"name": GROUP, "number": "1"})
    assert acted.status_code == 503
    assert (await client.get("console.css")).status_code == 200
    server.start()

    async def is_back(path: str) -> bool:
        return (await client.get(path)).status_code == 200

    for path in PAGES:
        await until(partial(is_back, path))
