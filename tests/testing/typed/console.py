"""Type inference of the console. Nothing here runs, as in ``kernel.py``."""

from typing import assert_type

from starlette.requests import Request
from starlette.types import ASGIApp

from eventhus import Application
from eventhus.operations import Redactable
from eventhus_console import Access, console, serve


def of_role(request: Request) -> Access | None:
    return Access.ACT if "X-Operator" in request.headers else None


async def of_session(request: Request) -> Access | None:
    return Access.READ if request.session.get("user") else None


def yes(_: Request) -> bool:
    return True


def hide(datum: Redactable) -> object:
    return {**datum.data, "email": "***"}


async def use(app: Application) -> None:
    assert_type(console(app), ASGIApp)
    console(app, authorize=of_role, redact=hide)
    console(app, authorize=of_session)
    console(app, authorize=lambda _: Access.READ)
    console(app, authorize=yes)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await serve(app, port=0, authorize=of_role, on_start=print)
