"""The shelf: what can be bought, and for how much."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query

from examples.shop.stock import ReceiveGoods
from examples.shop.views import shelf, up_to
from examples.shop.web.bodies import After, Delivery, Euros, Limit, Offered, Page
from examples.shop.web.headers import Dispatch, Shop, reads

router = APIRouter(prefix="/products")


@router.post("/{product}/deliveries", status_code=HTTPStatus.NO_CONTENT)
async def receive_goods(product: str, body: Delivery, dispatch: Dispatch) -> None:
    """Put goods on the shelf, at this price. For the staff."""
    await dispatch(ReceiveGoods(aggregate_id=product, quantity=body.quantity, price=body.price))


@router.get("", dependencies=[reads(shelf)])
async def list_products(
    shop: Shop,
    at_most: Annotated[Euros | None, Query()] = None,
    after: After = None,
    limit: Limit = 20,
) -> Page[Offered]:
    """List the products up to a price, the cheapest first."""
    page = await shop.find(
        shelf,
        where=up_to(at_most),
        order_by="price",
        after=after,
        limit=limit,
    )
    return Page(
        items=[
            Offered(product=each.key, price=each.value.price, available=each.value.available)
            for each in page.items
        ],
        next=page.cursor,
    )
