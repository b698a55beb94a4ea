"""The application that serves the shop."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from eventhus import Application
from examples.shop.composition import compose
from examples.shop.web import orders, products
from examples.shop.web.problems import PROBLEMS


def create_app(shop: Application) -> FastAPI:
    """Return an application that serves ``shop`` and runs as long as the server."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with shop:
            yield

    app = FastAPI(title="Shop", lifespan=lifespan, exception_handlers=PROBLEMS)
    app.state.shop = shop
    app.include_router(products.router)
    app.include_router(orders.router)
    return app


def create() -> FastAPI:
    """Compose the shop from the environment, and serve it.

    In memory this process does all the work; otherwise it leaves that to the worker.
    """
    return create_app(compose(work="SHOP_STORE" not in os.environ))
