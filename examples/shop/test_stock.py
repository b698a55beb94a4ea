"""The stock of a product by example."""

from decimal import Decimal

from eventhus_testing import check_aggregate, spec
from examples.shop.stock import (
    GoodsHandedOver,
    GoodsReceived,
    GoodsReleased,
    GoodsReserved,
    HandOverGoods,
    OutOfStock,
    ReceiveGoods,
    ReleaseGoods,
    ReserveGoods,
    Stock,
    stock,
)

PRICE = Decimal("4.50")
THREE = GoodsReceived(quantity=3, price=PRICE)
RESERVED = GoodsReserved(order="o1", quantity=2)


def test_received_goods_are_available() -> None:
    (
        spec(stock)
        .given(THREE)
        .when(ReceiveGoods(aggregate_id="tea", quantity=2, price=PRICE))
        .then(GoodsReceived(quantity=2, price=PRICE))
        .then_state(Stock(available=5))
    )


def test_no_goods_are_promised_twice() -> None:
    (
        spec(stock)
        .given(THREE)
        .when(ReserveGoods(aggregate_id="tea", order="o1", quantity=2))
        .then(RESERVED)
        .and_when(ReserveGoods(aggregate_id="tea", order="o2", quantity=2))
        .then_rejected(OutOfStock, match="1 are available, and 2 are needed")
    )


def test_an_order_reserves_once() -> None:
    (
        spec(stock)
        .given(THREE)
        .when_repeated(2, ReserveGoods(aggregate_id="tea", order="o1", quantity=2))
        .then(RESERVED)
        .then_state(Stock(available=1, reserved={"o1": 2}))
    )


def test_released_goods_are_available_again() -> None:
    (
        spec(stock)
        .given(THREE, RESERVED)
        .when_repeated(2, ReleaseGoods(aggregate_id="tea", order="o1"))
        .then(GoodsReleased(order="o1", quantity=2))
        .then_state(Stock(available=3))
    )


def test_goods_are_handed_over_once() -> None:
    (
        spec(stock)
        .given(THREE, RESERVED)
        .when_repeated(2, HandOverGoods(aggregate_id="tea", order="o1"))
        .then(GoodsHandedOver(order="o1", quantity=2))
        .then_state(Stock(available=1))
    )


def test_no_command_sells_more_than_there_is() -> None:
    check_aggregate(stock, invariant=lambda stock: stock.available >= 0)
