"""A shop with an incident: a view with a bug, a mail server that is away, and hostile names."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

from attrs import frozen

from eventhus import Application, Delivered, Metadata, Query, Recorded, View
from eventhus.operations import Operations
from eventhus.ports import Storage, Subscription
from eventhus_cattrs import CattrsCodec
from eventhus_memory import MemoryStore
from examples.shop.fulfilment import fulfilment
from examples.shop.order import ChangeAddress, PlaceOrder, order
from examples.shop.payment import ReceivePayment, payment
from examples.shop.stock import GoodsReceived, ReceiveGoods, stock
from examples.shop.values import Address, Line
from examples.shop.views import orders, shelf

HTML = "<img src=x onerror=document.title='owned'>"
REVERSED = "\u202egnp.exe"  # looks like exe.png
ESCAPE = "\x1b[31m"
HOSTILE = f"{HTML}{REVERSED}{ESCAPE}"
GROUP = "mailer"
CONVERSATION = "talk-1"


@frozen
class Purchase:
    """The quantity of a product that was bought."""

    quantity: int = 0


class Incident:
    """Two bugs that somebody can mend while the shop runs."""

    def __init__(self) -> None:
        self.view_fails = True
        self.mail_fails = True
        self.sent: list[int] = []

    def purchases(self) -> View[Any, Any]:
        """Return a view that fails on goods named pot."""

        def evolve(purchase: Purchase, recorded: Recorded[GoodsReceived]) -> Purchase:
            if self.view_fails and recorded.stream.aggregate_id == "pot":
                raise ZeroDivisionError
            return Purchase(purchase.quantity + recorded.event.quantity)

        return View(
            name="purchases",
            initial=Purchase(),
            key=lambda recorded: recorded.stream.aggregate_id,
            evolve=evolve,
        )

    async def mail(self, delivered: Delivered[Any]) -> None:
        """Send a mail for an event."""
        if self.mail_fails:
            raise ConnectionRefusedError
        self.sent.append(delivered.position)


@frozen(kw_only=True)
class Scene:
    """A running shop.

    Attributes:
        app: The application.
        incident: Its bugs.
        operations: Looks into it.
        mailer: The subscription of its only consumer group.
    """

    app: Application
    incident: Incident
    operations: Operations
    mailer: Subscription


async def until(condition: Callable[[], Any]) -> None:
    """Wait until a condition holds, which may be a coroutine function."""
    async with asyncio.timeout(30):
        while True:
            found = condition()
            if await found if asyncio.iscoroutine(found) else found:
                return
            await asyncio.sleep(0.01)


@asynccontextmanager
async def shop(store: Storage | None = None) -> AsyncIterator[Scene]:
    """Open the shop, and fill it with what is needed to see every page."""
    incident = Incident()
    app = Application(
        bucket="shop",
        aggregates=[order, stock, payment],
        views=[orders, shelf, incident.purchases()],
        processes=[fulfilment],
        store=store or MemoryStore(),
        codec=CattrsCodec(),
    )
    async with app:
        mailer = await app.subscribe(
            incident.mail, group=GROUP, types=[GoodsReceived], start="beginning", attempts=1
        )
        scene = Scene(app=app, incident=incident, operations=Operations(app), mailer=mailer)
        await fill(scene)
        yield scene


async def fill(scene: Scene) -> None:
    """Receive goods, place orders and pay one, and wait until all has had its effects."""
    app = scene.app
    for product, quantity, price in [("tea", 9, "4.50"), ("pot", 2, "21.00"), (HOSTILE, 1, "1.00")]:
        await app.dispatch(
            ReceiveGoods(aggregate_id=product, quantity=quantity, price=Decimal(price))
        )
    await place(app, "o-1", "tea", correlation_id=CONVERSATION)
    await place(app, "o-2", "tea")
    for number in range(24):
        await app.dispatch(
            ChangeAddress(aggregate_id="o-2", ship_to=address(f"Main St {number + 2}"))
        )
    await happened(scene, "PaymentRequested", 2)
    await app.dispatch(
        ReceivePayment(aggregate_id="o-1", amount=Decimal("4.50")),
        metadata=Metadata(correlation_id=CONVERSATION, values={"user": "ann", "note": HOSTILE}),
    )
    await happened(scene, "GoodsHandedOver", 1)
    for each in (fulfilment, orders, shelf):
        await app.caught_up(each)

    async def is_settled() -> bool:
        letters = await scene.operations.dead_letters(GROUP)
        parked = await scene.operations.parked("view", "purchases")
        return (len(letters), len(parked)) == (3, 1)

    await until(is_settled)


async def happened(scene: Scene, type_: str, times: int) -> None:
    """Wait until the log holds events of a type."""

    async def has_happened() -> bool:
        return len((await scene.operations.log(Query.of(type_))).events) >= times

    await until(has_happened)


async def place(app: Application, order_id: str, product: str, **metadata: Any) -> None:
    """Place an order for one piece of a product."""
    await app.dispatch(
        PlaceOrder(
            aggregate_id=order_id,
            customer="ann",
            lines=(Line(product=product, quantity=1, price=Decimal("4.50")),),
            ship_to=address("Main St 1"),
        ),
        metadata=Metadata(**metadata),
    )


def address(street: str) -> Address:
    """Return an address in Berlin."""
    return Address(name="Ann", street=street, postcode="10115", city="Berlin", country="DE")
