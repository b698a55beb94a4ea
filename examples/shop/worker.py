"""The worker beside the web processes: it runs views, the process, and mails to customers.

``python -m examples.shop.worker``, as often as you like: the workers share the mails, and one of
them keeps each view and the process going while the others stand by.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from eventhus import Application, Delivered
from examples.shop.composition import compose
from examples.shop.order import OrderCancelled, OrderShipped

logger = logging.getLogger("shop")


async def tell_customer(delivered: Delivered[OrderShipped | OrderCancelled]) -> None:
    """Tell a customer how an order has ended. This stands in for a mail.

    It may happen twice, so a mail server should get ``delivered.id`` to know a mail again.
    """
    order_id = delivered.stream.aggregate_id
    match delivered.event:
        case OrderShipped(ship_to=ship_to):
            logger.info("order %s is on its way to %s", order_id, ship_to.city)
        case OrderCancelled(reason=reason):
            logger.info("order %s is cancelled: %s", order_id, reason)


@asynccontextmanager
async def working(shop: Application) -> AsyncIterator[None]:
    """Enter the shop, and work until the block is left."""
    async with shop:
        await shop.subscribe(
            tell_customer,
            group="mail",
            types=[OrderShipped, OrderCancelled],
            start="beginning",  # also what was ordered before the first worker was there
        )
        yield


async def work() -> None:
    """Work until SIGTERM."""
    shop = compose()
    async with working(shop):
        await shop.run()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    asyncio.run(work())
