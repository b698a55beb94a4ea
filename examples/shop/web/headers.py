"""The headers of the API, and the arguments of the toolkit that they stand for.

======================== ===========================================================
``X-User``               who asks; stands in for authentication
``Idempotency-Key``      the command id: a repeated request is carried out once
``ETag``, ``If-Match``   the version of what a command changed, and the one to expect
``X-Position``           the position of a commit in the log: the answer to a command
                         has it; a read that sends it back sees what the command did
======================== ===========================================================
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Annotated, Any, TypeAlias
from uuid import UUID, uuid5

from fastapi import Depends, Header, HTTPException, Request, Response

from eventhus import Application, Command, Committed, View

KEYS = UUID("6b0f6f5c-2a55-4a8e-9a35-6d9a1f5a3c0e")  # the namespace of command ids
PATIENCE_S = 5.0  # how long a read waits for its view


def running(request: Request) -> Application:
    """Return the application that serves this request."""
    shop: Application = request.app.state.shop
    return shop


Shop: TypeAlias = Annotated[Application, Depends(running)]


def user_of(x_user: Annotated[str | None, Header(max_length=255)] = None) -> str:
    """Return the user who sends the request.

    This stands in for authentication: anybody can send an ``X-User`` header. Replace it by a
    dependency that checks a session or a token.
    """
    if not x_user:
        raise HTTPException(HTTPStatus.UNAUTHORIZED, "send X-User to say who you are")
    return x_user


User: TypeAlias = Annotated[str, Depends(user_of)]


def command_id_of(
    request: Request,
    user: User,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=255)] = None,
) -> str | None:
    """Return the command id for the request's key: one for each user and each URL.

    Otherwise a key that is used twice by mistake would get the answer to something else.
    """
    if idempotency_key is None:
        return None
    return str(uuid5(KEYS, repr((user, request.url.path, idempotency_key))))


CommandId: TypeAlias = Annotated[str | None, Depends(command_id_of)]


def version_of(if_match: Annotated[str | None, Header()] = None) -> int | None:
    """Return the version that the request expects."""
    if if_match is None:
        return None
    found = re.fullmatch('"([0-9]{1,18})"', if_match)
    if found is None:
        raise HTTPException(
            HTTPStatus.BAD_REQUEST, 'If-Match must be one ETag of this API, such as "3"'
        )
    return int(found[1])


def dispatcher(
    shop: Shop,
    command_id: CommandId,
    version: Annotated[int | None, Depends(version_of)],
    response: Response,
) -> Callable[[Command], Awaitable[Committed]]:
    """Return a function that dispatches a command as the headers of the request demand it.

    It gives the response the version and the position of the commit.
    """

    async def dispatch(command: Command) -> Committed:
        committed = await shop.dispatch(command, command_id=command_id, expected_version=version)
        response.headers["ETag"] = etag_of(committed.version)
        response.headers["X-Position"] = str(committed.position)
        return committed

    return dispatch


Dispatch: TypeAlias = Annotated[Callable[[Command], Awaitable[Committed]], Depends(dispatcher)]


def reads(view: View[Any, Any]) -> Any:
    """Return a dependency that waits until a view has seen the commit in ``X-Position``."""

    async def wait(
        shop: Shop, x_position: Annotated[int | None, Header(ge=0, lt=2**62)] = None
    ) -> None:
        if x_position is not None:
            async with asyncio.timeout(PATIENCE_S):
                await shop.caught_up(view, x_position)

    return Depends(wait)


def etag_of(version: int) -> str:
    """Return a version as an entity tag."""
    return f'"{version}"'
