"""The shop of these tests, a client without a browser, and a browser."""

import os
import shutil
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
import pytest_asyncio
import uvicorn
from httpx2 import ASGITransport, AsyncClient
from playwright.async_api import Browser, async_playwright
from starlette.types import ASGIApp

from tests.adapters.console.scene import Scene, shop

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OURS = {"Origin": "http://console", "Sec-Fetch-Site": "same-origin"}

Serve = Callable[[ASGIApp], AbstractAsyncContextManager[str]]


def client_of(app: ASGIApp) -> AsyncClient:
    """Return a client of a console, as a browser that shows a page of it."""
    return AsyncClient(transport=ASGITransport(app), base_url="http://console/", headers=OURS)


@pytest_asyncio.fixture
async def scene() -> AsyncIterator[Scene]:
    """A shop with an incident."""
    async with shop() as opened:
        yield opened


@asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[str]:
    """Serve an application over HTTP, and give its URL."""
    config = uvicorn.Config(app, lifespan="off", log_config=None, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        async with _running(server, listening):
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/"


@asynccontextmanager
async def _running(server: uvicorn.Server, listening: socket.socket) -> AsyncIterator[None]:
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    await server.startup(sockets=[listening])
    try:
        yield
    finally:
        await server.shutdown(sockets=[listening])


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return the path of Chromium. Without one, skip, or fail if servers are required."""
    found = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if found is None:
        missing = f"no browser was found; put one of {', '.join(CHROMIUM)} on the PATH"
        if os.environ.get("EVENTHUS_REQUIRE_SERVERS") == "1":
            pytest.fail(f"EVENTHUS_REQUIRE_SERVERS is 1, but {missing}", pytrace=False)
        pytest.skip(missing)
    return found


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(chromium: str) -> AsyncIterator[Browser]:
    """A Chromium that all tests share."""
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield launched
        await launched.close()
