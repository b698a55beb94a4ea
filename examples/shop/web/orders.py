"""Orders: placing, listing, changing and paying them."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID, uuid5

from fastapi import APIRouter, Depends, HTTPException, Query, Response

from eventhus import Application, Loaded, new_id
from examples.shop.order import CancelOrder, ChangeAddress, Order, PlaceOrder, order
from examples.shop.payment import ReceivePayment
from examples.shop.values import Address, Line
from examples.shop.views import Progress, of_customer, orders, shelf
from examples.shop.web.bodies import (
    After,
    Basket,
    Item,
    Limit,
    OrderId,
    OrderListed,
    OrderShown,
    Page,
    Paid,
    Place,
)
from examples.shop.web.headers import CommandId, Dispatch, Shop, User, etag_of, reads

IDS = UUID("8a3b7c1e-5d0f-4f0b-9b58-2f4a3f6c9d21")  # the namespace of orders' ids

router = APIRouter(prefix="/orders")


@router.post("", status_code=HTTPStatus.CREATED, dependencies=[reads(shelf)])
async def place_order(
    body: Basket,
    user: User,
    shop: Shop,
    dispatch: Dispatch,
    command_id: CommandId,
    response: Response,
) -> OrderId:
    """Order products from the shelf, at the prices that it shows."""
    # A repeated request must name the same order, so its key determines the id.
    order_id = new_id() if command_id is None else str(uuid5(IDS, command_id))
    await dispatch(
        PlaceOrder(
            aggregate_id=order_id,
            customer=user,
            lines=tuple([await priced(item, shop) for item in body.lines]),
            ship_to=address(body.ship_to),
        )
    )
    response.headers["Location"] = f"/orders/{order_id}"
    return OrderId(order_id=order_id)


async def priced(item: Item, shop: Application) -> Line:
    """Return the line of an order. Its price comes from the shelf, not from the customer."""
    offer = await shop.view(shelf, item.product)
    if offer is None:
        raise HTTPException(HTTPStatus.CONFLICT, f"there is no product {item.product}")
    return Line(product=item.product, quantity=item.quantity, price=offer.price)


def address(place: Place) -> Address:
    """Return the address in the body of a request."""
    return Address(**place.model_dump())


@router.get("", dependencies=[reads(orders)])
async def list_orders(
    user: User,
    shop: Shop,
    progress: Annotated[tuple[Progress, ...], Query()] = (),
    after: After = None,
    limit: Limit = 20,
) -> Page[OrderListed]:
    """List the orders of the user, the newest first."""
    page = await shop.find(
        orders,
        where=of_customer(user, *progress),
        order_by="-placed_at",
        after=after,
        limit=limit,
    )
    return Page(
        items=[
            OrderListed(
                order_id=each.key,
                progress=each.value.progress,
                total=each.value.total,
                placed_at=each.value.placed_at,
            )
            for each in page.items
        ],
        next=page.cursor,
    )


async def own_order(order_id: str, user: User, shop: Shop) -> Loaded[Order | None]:
    """Return an order of the user. Orders of others do not exist for them."""
    loaded = await shop.load(order, order_id)
    if loaded.state is None or loaded.state.customer != user:
        raise HTTPException(HTTPStatus.NOT_FOUND, f"you have no order {order_id}")
    return loaded


@router.get("/{order_id}", response_model=OrderShown)
async def show_order(
    own: Annotated[Loaded[Order | None], Depends(own_order)], response: Response
) -> Order | None:
    """Show the state that the next command is decided on, with its version."""
    response.headers["ETag"] = etag_of(own.version)
    return own.state


@router.put(
    "/{order_id}/address",
    status_code=HTTPStatus.NO_CONTENT,
    dependencies=[Depends(own_order)],
)
async def change_address(order_id: str, body: Place, dispatch: Dispatch) -> None:
    """Send the parcel to another place."""
    await dispatch(ChangeAddress(aggregate_id=order_id, ship_to=address(body)))


@router.post(
    "/{order_id}/cancellation",
    status_code=HTTPStatus.NO_CONTENT,
    dependencies=[Depends(own_order)],
)
async def cancel_order(order_id: str, dispatch: Dispatch) -> None:
    """Give an order up."""
    await dispatch(CancelOrder(aggregate_id=order_id, reason="cancelled by the customer"))


@router.post("/{order_id}/payment", status_code=HTTPStatus.NO_CONTENT)
async def receive_payment(order_id: str, body: Paid, dispatch: Dispatch) -> None:
    """Accept money for an order. For the payment provider."""
    await dispatch(ReceivePayment(aggregate_id=order_id, amount=body.amount))
