"""Access: which requests may look, and which may act."""

from __future__ import annotations

import enum
import inspect
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from eventhus.errors import InvalidArgument

KEY = "eventhus_console.access"


class Access(enum.Enum):
    """The rights of a request.

    Attributes:
        READ: It may look at everything that ``redact`` leaves, and change nothing.
        ACT: It may also use the actions, such as replaying dead letters.
    """

    READ = "read"
    ACT = "act"


Authorize: TypeAlias = Callable[[Request], Access | Awaitable[Access | None] | None]
"""Returns the rights of a request; ``None`` refuses it.

It may raise the ``HTTPException`` of Starlette, such as 401 to ask for a password.
"""


def read_only(_: Request) -> Access:
    """Let everybody who reaches the console look."""
    return Access.READ


class Guard:
    """Refuses every request that ``authorize`` does not admit, before anything else sees it."""

    def __init__(self, app: ASGIApp, authorize: Authorize) -> None:
        self._app = app
        self._authorize = authorize

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, as ASGI wants it."""
        if scope["type"] == "http":
            refusal = await self._refusal(scope)
            if refusal is not None:
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _refusal(self, scope: Scope) -> Response | None:
        try:
            # Without the body, which belongs to the action.
            access = self._authorize(Request(scope))
            if inspect.isawaitable(access):
                access = await access
        except HTTPException as error:
            return PlainTextResponse(error.detail, error.status_code, headers=error.headers)
        if access is None:
            return PlainTextResponse("You may not use this console.\n", 403)
        if not isinstance(access, Access):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidArgument(
                f"authorize returns an Access or None, found {type(access).__name__}"
            )
        scope[KEY] = access
        return None


def access_of(request: Request) -> Access:
    """Return the rights of a request that the guard has admitted."""
    access: Access = request.scope[KEY]
    return access
