"""Tests of the live tail over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from httpx2 import AsyncClient, Response

from eventhus_console import console
from eventhus_console.pages import tail
from tests.adapters.console.conftest import serving
from tests.adapters.console.scene import Scene, place, shop, until

PATIENCE_S = 30


@asynccontextmanager
async def tailing(scene: Scene, path: str, last_seen: str = "") -> AsyncIterator[Response]:
    """Open the tail over HTTP."""
    headers = {"Last-Event-ID": last_seen} if last_seen else {}
    async with (
        serving(console(scene.app)) as url,
        AsyncClient(base_url=url) as client,
        client.stream("GET", path, headers=headers) as response,
        asyncio.timeout(PATIENCE_S),
    ):
        yield response


async def ids_of(response: Response, number: int) -> list[str]:
    """Return the ids of the next messages."""
    found: list[str] = []
    async for line in response.aiter_lines():
        if line.startswith("id: "):
            found.append(line.removeprefix("id: "))
            if len(found) == number:
                return found
    raise AssertionError(f"the tail ended after {found}")


async def test_a_tail_begins_after_a_position_and_goes_on_with_new_events(scene: Scene) -> None:
    async with tailing(scene, "tail?after=34") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-store"
        reading = asyncio.create_task(ids_of(response, 3))
        await place(scene.app, "new", "tea")
        assert await reading == ["35", "36", "37"]


async def test_a_browser_that_connects_again_misses_and_repeats_nothing(scene: Scene) -> None:
    async with tailing(scene, "tail?after=1", last_seen="35") as response:
        assert await ids_of(response, 1) == ["36"]


async def test_a_tail_is_filtered(scene: Scene) -> None:
    async with tailing(scene, "tail?after=0&type=OrderShipped") as response:
        assert await ids_of(response, 1) == ["35"]


async def test_a_bad_place_is_told(scene: Scene) -> None:
    async with tailing(scene, "tail?after=x") as response:
        assert response.status_code == 400
    async with tailing(scene, "tail", last_seen="<b>") as response:
        assert response.status_code == 400


async def test_a_tail_ends_with_the_application() -> None:
    async with AsyncExitStack() as stack:
        scene = await stack.enter_async_context(shop())
        async with tailing(scene, "tail?after=36") as response:
            reading = asyncio.create_task(response.aread())
            await stack.aclose()
            assert b"data:" not in await reading


async def test_a_silent_tail_is_kept_alive_and_ends_after_a_while(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "HEARTBEAT_S", 0.01)
    monkeypatch.setattr(tail, "LONGEST_S", 0.1)
    async with tailing(scene, "tail?after=36") as response:
        body = (await response.aread()).decode()
    assert body.startswith("retry: 3000\n\n: nothing new\n\n")
    assert "data:" not in body


async def test_tails_are_bounded_and_counted_until_they_are_closed(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "MOST_TAILS", 1)
    monkeypatch.setattr(tail, "HEARTBEAT_S", 0.01)  # sees that the browser has gone
    async with serving(console(scene.app)) as url, AsyncClient(base_url=url) as client:
        async with client.stream("GET", "tail?after=35") as response:
            assert await ids_of(response, 1) == ["36"]
            assert (await client.get("tail")).status_code == 503

        async def is_open() -> bool:
            async with client.stream("GET", "tail?after=35") as again:
                return again.status_code == 200

        await until(is_open)
