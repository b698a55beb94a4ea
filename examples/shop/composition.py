"""The composition root: the one place that knows all parts, and where they run."""

import os

from eventhus import Application
from examples.shop.fulfilment import fulfilment
from examples.shop.order import order
from examples.shop.payment import payment
from examples.shop.stock import stock
from examples.shop.views import orders, shelf


def compose(*, work: bool = True) -> Application:
    """Compose the shop from the URLs in ``SHOP_STORE`` and ``SHOP_BUS``; in memory without them.

    ``SHOP_BUCKET`` names the bucket, so that several shops can share the servers.

    Args:
        work: As for ``Application``: False leaves views and the process to a worker.
    """
    return Application.open(
        bucket=os.environ.get("SHOP_BUCKET", "shop"),
        aggregates=[order, stock, payment],
        views=[orders, shelf],
        processes=[fulfilment],
        store=os.environ.get("SHOP_STORE", "memory://"),
        bus=os.environ.get("SHOP_BUS"),
        work=work,
    )
