"""Turns errors into problem documents (RFC 9457)."""

import re
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any, Final

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from eventhus import ConcurrencyError, Rejected
from eventhus.errors import InvalidArgument, OutcomeUnknown, StoreUnavailable, TooManyConflicts


def problem(
    status: int, detail: str, *, type_: str = "about:blank", title: str | None = None
) -> Response:
    """Return a problem document, of the given type or with a status only."""
    return JSONResponse(
        {
            "type": type_,
            "title": title or HTTPStatus(status).phrase,
            "status": status,
            "detail": detail,
        },
        status_code=status,
        media_type="application/problem+json",
    )


async def on_rejected(_: Request, refusal: Rejected) -> Response:
    """Answer a refusal of the domain. Every reason is a type of problem."""
    title = re.sub("(?<=[a-z])(?=[A-Z])", " ", type(refusal).__name__).capitalize()
    return problem(
        HTTPStatus.CONFLICT,
        str(refusal),
        type_=f"/problems/{title.lower().replace(' ', '-')}",
        title=title,
    )


async def on_concurrency_error(_: Request, error: ConcurrencyError) -> Response:
    """Answer that what was changed is at another version than If-Match says."""
    return problem(HTTPStatus.PRECONDITION_FAILED, str(error))


async def on_passing_failure(_: Request, __: Exception) -> Response:
    """Answer that it may work in a moment. A command may have been carried out already."""
    return problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "that took too long; try again, with the same Idempotency-Key",
    )


async def on_invalid_argument(_: Request, error: InvalidArgument) -> Response:
    """Answer that a header or the path holds an invalid id."""
    return problem(HTTPStatus.BAD_REQUEST, str(error))


async def on_bad_request(_: Request, error: RequestValidationError) -> Response:
    """Answer a request that does not fit, without a copy of it: text may not be valid Unicode."""
    places = (".".join(map(str, each["loc"])) + ": " + each["msg"] for each in error.errors())
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "; ".join(places))


async def on_http_exception(_: Request, error: HTTPException) -> Response:
    """Answer an error of the framework."""
    response = problem(error.status_code, error.detail)
    response.headers.update(error.headers or {})
    return response


PROBLEMS: Final[
    dict[int | type[Exception], Callable[[Request, Any], Coroutine[Any, Any, Response]]]
] = {
    Rejected: on_rejected,
    ConcurrencyError: on_concurrency_error,
    TooManyConflicts: on_passing_failure,
    StoreUnavailable: on_passing_failure,
    OutcomeUnknown: on_passing_failure,
    InvalidArgument: on_invalid_argument,
    TimeoutError: on_passing_failure,  # of a read that waits for its view
    RequestValidationError: on_bad_request,
    HTTPException: on_http_exception,
}
"""Handles every error that is an answer; all others are bugs, or somebody must act."""
