"""The applications that serve the shop, and its worker's health."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from eventhus import Application
from eventhus.operations import Operations
from examples.shop.composition import compose
from examples.shop.web import health, orders, products
from examples.shop.web.problems import PROBLEMS
from examples.shop.worker import working


def create_app(shop: Application, *, operations: Operations | None = None) -> FastAPI:
    """Return an application that serves ``shop`` and runs as long as the server.

    Args:
        shop: The shop, not entered.
        operations: Looks at its health; ``None`` for the defaults.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with shop:
            yield

    app = FastAPI(title="Shop", lifespan=lifespan, exception_handlers=PROBLEMS)
    app.state.shop = shop
    app.state.operations = operations or Operations(shop)
    app.include_router(products.router)
    app.include_router(orders.router)
    app.include_router(health.router)
    return app


def create() -> FastAPI:
    """Compose the shop from the environment, and serve it.

    In memory this process does all the work; otherwise it leaves that to the worker.
    """
    return create_app(compose(work="SHOP_STORE" not in os.environ))


def create_worker() -> FastAPI:
    """Compose a worker from the environment that serves nothing but its health."""
    shop = compose()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with working(shop):
            yield

    app = FastAPI(title="Shop worker", lifespan=lifespan)
    app.state.operations = Operations(shop)
    app.include_router(health.router)
    return app
