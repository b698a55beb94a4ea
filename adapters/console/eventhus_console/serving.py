"""Serving the console by itself, for the command line."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable

import uvicorn
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from eventhus import Application
from eventhus.errors import InvalidArgument
from eventhus.operations import Redact
from eventhus_console.access import Authorize, read_only
from eventhus_console.application import console

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
SHUTDOWN_S = 1  # tails that are open end then


async def serve(
    app: Application,
    *,
    host: str = "127.0.0.1",
    port: int = 8765,
    authorize: Authorize | None = None,
    redact: Redact | None = None,
    on_start: Callable[[str], None] | None = None,
) -> None:
    """Serve the console of an application that is running, until SIGINT, SIGTERM or cancellation.

    Args:
        app: The application. It has been entered in this event loop.
        host: The address to listen on. Anything but a loopback address needs an ``authorize``.
        port: The port; 0 chooses a free one.
        authorize: As for ``console``.
        redact: As for ``console``.
        on_start: Called with the URL, once it can be opened.

    Raises:
        InvalidArgument: Other machines would reach the console, and there is no ``authorize``.
        OSError: The address cannot be listened on.
    """
    if authorize is None and not _is_loopback(host):
        raise InvalidArgument(
            f"{host} can be reached from other machines; pass authorize, or listen on 127.0.0.1"
        )
    shown = console(app, authorize=authorize or read_only, redact=redact)
    if _is_loopback(host):
        shown = _LoopbackOnly(shown, host)
    config = uvicorn.Config(
        shown,
        host=host,
        port=port,
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=SHUTDOWN_S,
    )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family) as listening:
        if on_start is not None:
            on_start(f"http://{_in_url(host)}:{listening.getsockname()[1]}/")
        await uvicorn.Server(config).serve(sockets=[listening])


class _LoopbackOnly:
    """Refuses other names than those of this machine.

    Without this, a site could make its own name resolve to 127.0.0.1, and a browser would let it
    read the console (DNS rebinding).
    """

    def __init__(self, app: ASGIApp, host: str) -> None:
        self._app = app
        self._names = {*LOOPBACK, _in_url(host)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, as ASGI wants it."""
        if scope["type"] == "http":
            host = Headers(scope=scope).get("host", "").lower()
            name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
            if name not in self._names:
                refusal = PlainTextResponse("Open the console by its address.\n", 421)
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
