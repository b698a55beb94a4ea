"""What the tests of the NATS adapter share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import nats
from nats.aio.client import Client
from nats.js import JetStreamContext

SOME_S = 0.005
PATIENCE_S = 30  # far beyond what anything here takes


@asynccontextmanager
async def plain(url: str, **options: Any) -> AsyncIterator[tuple[Client, JetStreamContext]]:
    """A client of nats-py's, to look at what is on the server and to speak for strangers."""
    client = await nats.connect(url, **options)
    try:
        yield client, client.jetstream()
    finally:
        await client.close()


async def until(condition: Callable[[], object]) -> None:
    """Wait until something is true, which may take a server some time."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(SOME_S)
