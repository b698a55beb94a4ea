"""The live tail of the log, as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from urllib.parse import urlencode

from starlette.responses import PlainTextResponse, Response, StreamingResponse

from eventhus.domain.query import Query
from eventhus.errors import EventhusError
from eventhus_console.links import Parameters
from eventhus_console.pages.events import query_of
from eventhus_console.rendering import Renderer
from eventhus_console.visit import Visit

MOST_TAILS = 100
"""The maximum number of open connections. Each follows the log."""

HEARTBEAT_S = 15.0
"""The silence after which a comment tells proxies that the connection is alive."""

LONGEST_S = 900.0
"""The longest time of a connection. The browser reconnects, and ``authorize`` is asked again."""

RETRY_MS = 3_000


class Tails:
    """Sends a row of the log for each new event, to every open connection.

    Args:
        renderer: Renders the rows.
    """

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer
        self._open = 0

    def response(self, visit: Visit, last_seen: str) -> Response:
        """Return a response that lasts until its connection is closed.

        Args:
            visit: The request.
            last_seen: The header ``Last-Event-ID``, with which a browser connects again; empty in
                the first request.

        Raises:
            BadRequest: The place to begin is not a number.
        """
        place = Parameters(urlencode({"after": last_seen}).encode()) if last_seen else visit.given
        query, after = query_of(visit.given), place.number("after")
        if self._open >= MOST_TAILS:
            return PlainTextResponse("Too many people watch the log.\n", 503)
        return StreamingResponse(
            self._messages(visit, query, after), media_type="text/event-stream"
        )

    async def _messages(
        self, visit: Visit, query: Query | None, after: int | None
    ) -> AsyncGenerator[str, None]:
        now = asyncio.get_running_loop().time
        end = now() + LONGEST_S
        self._open += 1
        try:
            yield f"retry: {RETRY_MS}\n\n"
            async with aclosing(visit.operations.tail(query, after=after)) as events:
                coming = asyncio.ensure_future(anext(events, None))
                try:
                    while now() < end:
                        done, _ = await asyncio.wait([coming], timeout=HEARTBEAT_S)
                        if not done:
                            yield ": nothing new\n\n"
                            continue
                        event = coming.result()
                        if event is None:
                            return  # the application was left
                        row = self._renderer.text("row.html", {"events": [event], "is_new": True})
                        yield f"id: {event.position}\ndata: {' '.join(row.splitlines())}\n\n"
                        coming = asyncio.ensure_future(anext(events, None))
                finally:
                    coming.cancel()
                    await asyncio.wait([coming])
        except (EventhusError, OSError):
            return  # the browser connects again, from the last position
        finally:
            self._open -= 1
