"""The live tail of the log, as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from urllib.parse import urlencode

from starlette.responses import Response, StreamingResponse

from eventhus.errors import EventhusError
from eventhus_console.links import Parameters
from eventhus_console.pages.events import query_of
from eventhus_console.rendering import Renderer
from eventhus_console.visit import Visit

HEARTBEAT_S = 15.0
"""Of silence, after which a comment tells proxies that the connection lives."""

RETRY_MS = 3_000


def tail(visit: Visit, renderer: Renderer, last_seen: str) -> Response:
    """Return a response that sends a row of the log for each new event.

    Args:
        visit: The request.
        renderer: Renders the rows.
        last_seen: The header ``Last-Event-ID``, with which a browser connects again; empty in the
            first request.

    Raises:
        BadRequest: The place to begin is not a number.
    """
    place = Parameters(urlencode({"after": last_seen}).encode()) if last_seen else visit.given
    query, after = query_of(visit.given), place.number("after")

    async def messages() -> AsyncGenerator[str, None]:
        yield f"retry: {RETRY_MS}\n\n"
        async with aclosing(visit.operations.tail(query, after=after)) as events:
            coming = asyncio.ensure_future(anext(events, None))
            try:
                while True:
                    done, _ = await asyncio.wait([coming], timeout=HEARTBEAT_S)
                    if not done:
                        yield ": nothing new\n\n"
                        continue
                    event = coming.result()
                    if event is None:
                        return  # the application was left
                    row = renderer.text("row.html", {"events": [event], "is_new": True})
                    yield f"id: {event.position}\ndata: {' '.join(row.splitlines())}\n\n"
                    coming = asyncio.ensure_future(anext(events, None))
            except (EventhusError, OSError):
                return  # the browser connects again, from the last position
            finally:
                coming.cancel()
                await asyncio.wait([coming])

    return StreamingResponse(messages(), media_type="text/event-stream")
