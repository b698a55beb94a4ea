"""The process from an order to its shipment, by example."""

from eventhus_testing import spec
from examples.shop.fulfilment import fulfilment
from examples.shop.order import OrderCancelled, OrderShipped, ShipOrder
from examples.shop.payment import PaymentReceived, RequestPayment
from examples.shop.samples import HOME, PLACED, POT, TEA, TOTAL
from examples.shop.stock import GoodsReserved, HandOverGoods, ReleaseGoods, ReserveGoods

POT_KEPT = GoodsReserved(order="o1", quantity=1)
TEA_KEPT = GoodsReserved(order="o1", quantity=2)
RESERVED = spec(fulfilment).given("o1", PLACED).given("tea", TEA_KEPT).given("pot", POT_KEPT)


def test_goods_are_reserved_first() -> None:
    (
        spec(fulfilment)
        .when("o1", PLACED)
        .then_commands(
            ReserveGoods(aggregate_id="tea", order="o1", quantity=TEA.quantity),
            ReserveGoods(aggregate_id="pot", order="o1", quantity=POT.quantity),
        )
    )


def test_the_customer_pays_once_all_goods_are_reserved() -> None:
    (
        spec(fulfilment)
        .given("o1", PLACED)
        .when("tea", TEA_KEPT)
        .then_nothing()
        .and_when("pot", POT_KEPT)
        .then_commands(RequestPayment(aggregate_id="o1", amount=TOTAL))
    )


def test_a_paid_order_is_shipped() -> None:
    (
        RESERVED.when("o1", PaymentReceived(TOTAL))
        .then_commands(ShipOrder(aggregate_id="o1"))
        .and_when("o1", OrderShipped(HOME))
        .then_commands(
            HandOverGoods(aggregate_id="pot", order="o1"),
            HandOverGoods(aggregate_id="tea", order="o1"),
        )
    )


def test_a_cancelled_order_gives_its_goods_back() -> None:
    (
        RESERVED.when("o1", OrderCancelled("changed my mind")).then_commands(
            ReleaseGoods(aggregate_id="pot", order="o1"),
            ReleaseGoods(aggregate_id="tea", order="o1"),
        )
    )


def test_goods_that_come_after_the_cancellation_go_back_at_once() -> None:
    (
        spec(fulfilment)
        .given("o1", PLACED, OrderCancelled("changed my mind"))
        .when("tea", TEA_KEPT)
        .then_commands(ReleaseGoods(aggregate_id="tea", order="o1"))
    )
