"""Protection from other sites: the headers of every response, and the check of actions."""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    # Not no-referrer: browsers would send "Origin: null" with our own forms then.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class SecureHeaders:
    """Adds the headers to every response, those of errors and refusals included."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, as ASGI wants it."""

        async def send_secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        await self._app(scope, receive, send_secured)


def comes_from_this_site(headers: Headers) -> bool:
    """Tell whether a browser sent a request from a page of this console's own origin.

    Browsers set both headers by themselves, and no script of another site can change them. Only
    ``Sec-Fetch-Site`` also tells schemes apart, and it holds behind a proxy that changes ``Host``,
    so it decides where it exists: everywhere but in old browsers, and over HTTP to other hosts than
    localhost. A request with neither header is refused. So is one that repeats a header: a proxy
    and an application could each believe another one of them.
    """
    sites, origins, hosts = (headers.getlist(name) for name in ("sec-fetch-site", "origin", "host"))
    if max(len(sites), len(origins), len(hosts)) > 1:
        return False
    if sites:
        return sites == ["same-origin"]
    own = {f"{scheme}://{host.lower()}" for scheme in ("http", "https") for host in hosts}
    return bool(own & {*origins})
