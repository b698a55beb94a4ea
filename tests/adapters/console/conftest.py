"""The shop of these tests, a client without a browser, and a browser."""

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest_asyncio
import uvicorn
from httpx2 import ASGITransport, AsyncClient
from playwright.async_api import Browser, async_playwright
from starlette.types import ASGIApp

from tests.adapters.console.scene import Scene, shop
from tests.chromium import chromium_or_skip

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


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """A Chromium that all tests share."""
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(
            executable_path=chromium_or_skip(), args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield launched
        await launched.close()
