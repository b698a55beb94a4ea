"""The routes of the bank, and the application that serves them."""

import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus
from typing import Annotated, TypeAlias
from uuid import UUID, uuid5

from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from eventhus import Application, Command, Committed, new_id
from examples.bank.account import (
    ChangeOwner,
    CreateAccount,
    PerformDeposit,
    PerformWithdrawal,
    account,
)
from examples.fastapi_bank.problems import PROBLEMS

ACCOUNTS = UUID("54d6eb75-ba7c-464f-b7c2-05bf60456bf1")  # the namespace of accounts' ids
KEYS = UUID("0f3f3f8c-6d0a-4d5e-9a53-7e0c0f5b7c1a")  # the namespace of command ids

router = APIRouter()


class Owner(BaseModel):
    """The owner of an account."""

    owner: Annotated[str, Field(max_length=200)]


class Amount(BaseModel):
    """An amount of money. The domain decides whether it is accepted."""

    amount: Annotated[int, Field(strict=True, lt=2**63)]  # what an event can carry


class AccountView(BaseModel):
    """An account as the API shows it."""

    account_id: str
    owner: str
    balance: int


def running(request: Request) -> Application:
    """Return the application that serves this request."""
    bank: Application = request.app.state.bank
    return bank


Bank: TypeAlias = Annotated[Application, Depends(running)]


def current_user(x_user: Annotated[str | None, Header(max_length=255)] = None) -> str | None:
    """Return the user who sends the request.

    This stands in for authentication: anybody can send an ``X-User`` header. Replace it by a
    dependency that checks a session or a token.
    """
    return x_user


def command_id_of(
    user: Annotated[str | None, Depends(current_user)],
    idempotency_key: Annotated[str | None, Header(max_length=255)] = None,
) -> str | None:
    """Return the command id for the request's key, which belongs to the user who chose it.

    Without the user in it, two users with one key would get the same account.
    """
    if idempotency_key is None:
        return None
    if not idempotency_key:
        raise HTTPException(HTTPStatus.BAD_REQUEST, "the Idempotency-Key is empty")
    if not user:
        raise HTTPException(
            HTTPStatus.UNAUTHORIZED, "an Idempotency-Key belongs to a user; send X-User too"
        )
    return str(uuid5(KEYS, f"{user}\n{idempotency_key}"))  # no header holds a line break


CommandId: TypeAlias = Annotated[str | None, Depends(command_id_of)]


def dispatcher(
    bank: Bank,
    command_id: CommandId,
    if_match: Annotated[str | None, Header()] = None,
) -> Callable[[Command], Awaitable[Committed]]:
    """Return a function that dispatches commands under the conditions of the request's headers."""
    return partial(
        bank.dispatch,
        command_id=command_id,
        expected_version=None if if_match is None else version_of(if_match),
    )


Dispatch: TypeAlias = Annotated[Callable[[Command], Awaitable[Committed]], Depends(dispatcher)]


def etag_of(version: int) -> str:
    """Return a version as an entity tag."""
    return f'"{version}"'


def version_of(etag: str) -> int:
    """Return the version in an entity tag of this API."""
    found = re.fullmatch('"([0-9]{1,18})"', etag)
    if found is None:
        raise HTTPException(
            HTTPStatus.BAD_REQUEST, 'If-Match must be one ETag of this API, such as "3"'
        )
    return int(found[1])


@router.post("/accounts", status_code=HTTPStatus.CREATED)
async def create_account(body: Owner, dispatch: Dispatch, command_id: CommandId) -> Response:
    """Open an account."""
    # A repeated request must name the same account, so its key determines the id.
    account_id = new_id() if command_id is None else str(uuid5(ACCOUNTS, command_id))
    committed = await dispatch(CreateAccount(aggregate_id=account_id, owner=body.owner))
    return JSONResponse(
        {"account_id": account_id},
        status_code=HTTPStatus.CREATED,
        headers={"Location": f"/accounts/{account_id}", "ETag": etag_of(committed.version)},
    )


@router.post("/accounts/{account_id}/deposits", status_code=HTTPStatus.NO_CONTENT)
async def perform_deposit(account_id: str, body: Amount, dispatch: Dispatch) -> Response:
    """Pay money in."""
    return done(await dispatch(PerformDeposit(aggregate_id=account_id, amount=body.amount)))


@router.post("/accounts/{account_id}/withdrawals", status_code=HTTPStatus.NO_CONTENT)
async def perform_withdrawal(account_id: str, body: Amount, dispatch: Dispatch) -> Response:
    """Take money out."""
    return done(await dispatch(PerformWithdrawal(aggregate_id=account_id, amount=body.amount)))


@router.put("/accounts/{account_id}/owner", status_code=HTTPStatus.NO_CONTENT)
async def change_owner(account_id: str, body: Owner, dispatch: Dispatch) -> Response:
    """Give an account to another owner."""
    return done(await dispatch(ChangeOwner(aggregate_id=account_id, owner=body.owner)))


@router.get("/accounts/{account_id}")
async def show_account(account_id: str, bank: Bank, response: Response) -> AccountView:
    """Show the present state of an account."""
    loaded = await bank.load(account, account_id)
    if loaded.state.owner is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, f"there is no account {account_id}")
    response.headers["ETag"] = etag_of(loaded.version)
    return AccountView(
        account_id=account_id, owner=loaded.state.owner, balance=loaded.state.balance
    )


def done(committed: Committed) -> Response:
    """Return the response to a command that was carried out."""
    return Response(status_code=HTTPStatus.NO_CONTENT, headers={"ETag": etag_of(committed.version)})


def create_app(bank: Application) -> FastAPI:
    """Return an application that serves ``bank`` and runs as long as the server."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with bank:
            yield

    app = FastAPI(title="Bank", lifespan=lifespan, exception_handlers=PROBLEMS)
    app.state.bank = bank
    app.include_router(router)
    return app


def create() -> FastAPI:
    """Compose the bank from the URLs in ``EVENTHUS_STORE`` and ``EVENTHUS_BUS``, and serve it."""
    return create_app(
        Application.open(
            bucket="bank",
            aggregates=[account],
            store=os.environ.get("EVENTHUS_STORE", "memory://"),
            bus=os.environ.get("EVENTHUS_BUS"),
        )
    )
