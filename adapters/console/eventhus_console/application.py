"""The ASGI application of the console."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from importlib.resources import files

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from eventhus import Application
from eventhus.errors import (
    BusUnavailable,
    EventhusError,
    NotRunning,
    StoreUnavailable,
    UsageError,
)
from eventhus.operations import Operations, Redact
from eventhus_console.access import Access, Authorize, Guard, access_of, read_only
from eventhus_console.actions import ACTIONS
from eventhus_console.links import BadRequest, NotFound, Parameters
from eventhus_console.pages import PAGES
from eventhus_console.pages.tail import Tails
from eventhus_console.protection import SecureHeaders, comes_from_this_site
from eventhus_console.rendering import Renderer
from eventhus_console.samples import Samples
from eventhus_console.visit import Page, Redirect, Show, Visit

PATIENCE_S = 10.0
LARGEST_FORM = 65_536  # bytes
FORM = "application/x-www-form-urlencoded"
STATIC = {
    "console.css": "text/css",
    "console.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}

_log = logging.getLogger(__name__)


def console(
    app: Application, *, authorize: Authorize = read_only, redact: Redact | None = None
) -> ASGIApp:
    """Return a web console for an application, to mount under any path or to serve.

    It looks into the application that runs in the same process and event loop. Compose that with
    ``work=False`` to look at the work of others without taking part in it. Until the application
    is entered, every page says that it is not running.

    Args:
        app: The application.
        authorize: Tells what a request may do, from its headers, its session or its client. By
            default everybody who reaches the console may look, and nobody may act. Both
            rights show all data that ``redact`` leaves.
        redact: Changes data before it is shown, such as by leaving out the field ``email``.
    """
    operations = Operations(app, redact=redact)
    made = _Console(operations, Renderer(app.bucket))
    return SecureHeaders(Guard(made.routes(), authorize))


class _Console:
    def __init__(self, operations: Operations, renderer: Renderer) -> None:
        self._operations = operations
        self._renderer = renderer
        self._samples = Samples(operations)
        self._tails = Tails(renderer)

    def routes(self) -> Starlette:
        """Return the application that answers what the guard has admitted."""
        return Starlette(
            routes=[
                *(Route(f"/{path}", self._shown(show)) for path, show in PAGES.items()),
                *(
                    Route(f"/{path}", self._done(act), methods=["POST"])
                    for path, act in ACTIONS.items()
                ),
                Route("/tail", self._tail),
                *(Route(f"/{name}", _static(name, type_)) for name, type_ in STATIC.items()),
            ],
            exception_handlers={HTTPException: self._refused, Exception: self._failed},
        )

    def _shown(self, show: Show) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            self._samples.keep_sampling()
            try:
                visit = self._visit(Parameters(request.scope["query_string"]))
                async with asyncio.timeout(PATIENCE_S):
                    return self._answer(request, await show(visit))
            except (BadRequest, NotFound, EventhusError, OSError) as error:
                return self._trouble(request, error)

        return endpoint

    def _done(self, act: Show) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            if access_of(request) is not Access.ACT:
                raise HTTPException(403, "You may look at this console, but not act.")
            if not comes_from_this_site(request.headers):
                raise HTTPException(403, "An action must come from a page of this console.")
            try:
                return self._answer(request, await act(self._visit(await _form(request))))
            except (BadRequest, NotFound, EventhusError, OSError) as error:
                _log.warning("an action of the console failed: %s", error)
                return self._trouble(request, error)

        return endpoint

    async def _tail(self, request: Request) -> Response:
        try:
            visit = self._visit(Parameters(request.scope["query_string"]))
            return self._tails.response(visit, request.headers.get("last-event-id", ""))
        except (BadRequest, EventhusError) as error:
            return PlainTextResponse(f"{error}\n", 400)

    def _visit(self, given: Parameters) -> Visit:
        return Visit(operations=self._operations, samples=self._samples, given=given)

    def _answer(self, request: Request, answer: Page | Redirect) -> Response:
        if isinstance(answer, Redirect):
            return RedirectResponse(answer.to, 303)
        values = {
            "up": _up(request),
            "here": request.url.path.rpartition("/")[2],
            "may_act": access_of(request) is Access.ACT,
            "problems_now": self._samples.problems,
            **answer.values,
        }
        return self._renderer.page(answer.template, values, answer.status)

    def _trouble(self, request: Request, error: Exception) -> Response:
        status, title = _kind(error)
        text = str(error) or (
            f"the store or the bus did not answer within {PATIENCE_S:g} s; eventhus doctor tells "
            f"which and why"
        )
        page = Page(template="trouble.html", values={"title": title, "text": text}, status=status)
        return self._answer(request, page)

    async def _refused(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        titles = {403: "Not allowed", 404: "There is no such page", 405: "Not allowed"}
        text = "" if error.status_code in {404, 405} else error.detail
        values = {"title": titles.get(error.status_code, "This does not work"), "text": text}
        response = self._answer(
            request, Page(template="trouble.html", values=values, status=error.status_code)
        )
        response.headers.update(error.headers or {})
        return response

    async def _failed(self, request: Request, _: Exception) -> Response:
        values = {
            "title": "The console failed",
            "text": "This is a bug of eventhus or of the domain. See the log of the server.",
        }
        return self._answer(request, Page(template="trouble.html", values=values, status=500))


def _kind(error: Exception) -> tuple[int, str]:
    match error:
        case NotFound():
            return 404, "Not found"
        case NotRunning():
            return 503, "The application is not running"
        case StoreUnavailable():
            return 503, "The store does not answer"
        case BusUnavailable():
            return 503, "The bus does not answer"
        case OSError():
            return 503, "A server does not answer"
        case BadRequest() | UsageError():
            return 400, "This does not work"
        case _:
            return 500, "This does not work"


def _up(request: Request) -> str:
    """Return what leads from an unknown path to the root of the console, in the browser."""
    path: str = request.scope["path"]
    raw: bytes = request.scope.get("raw_path") or path.encode("ascii", "replace")
    root: str = request.scope.get("root_path", "")
    below = raw.count(b"/") - (root.count("/") if path.startswith(root) else 0)
    return "../" * (below - 1)


async def _form(request: Request) -> Parameters:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise HTTPException(415, f"A form of this console is sent as {FORM}.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_FORM:
            raise HTTPException(413, "The form is too large.")
    return Parameters(bytes(body))


def _static(name: str, type_: str) -> Callable[[Request], Awaitable[Response]]:
    content = files("eventhus_console").joinpath("static", name).read_bytes()

    async def endpoint(_: Request) -> Response:
        return Response(content, media_type=type_)

    return endpoint
