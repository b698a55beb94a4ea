"""The process from an order to its shipment, by example."""

from hypothesis import strategies as st

from eventhus_testing import ProcessRun, check_process, spec
from examples.shop.fulfilment import TIME_TO_PAY, Fulfilment, fulfilment
from examples.shop.order import (
    AlreadyCancelled,
    CancelOrder,
    OrderCancelled,
    OrderShipped,
    ShipOrder,
)
from examples.shop.payment import PaymentReceived, RefundPayment, RequestPayment
from examples.shop.samples import HOME, PLACED, POT, TEA, TOTAL
from examples.shop.stock import GoodsReserved, HandOverGoods, OutOfStock, ReleaseGoods, ReserveGoods

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
        .then_deadline("payment", after=TIME_TO_PAY)
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
        .then_cancelled("payment")
        .and_when("o1", OrderShipped(HOME))
        .then_commands(
            HandOverGoods(aggregate_id="pot", order="o1"),
            HandOverGoods(aggregate_id="tea", order="o1"),
        )
    )


def test_an_order_that_is_not_paid_in_time_is_cancelled() -> None:
    (
        RESERVED.when_passed(minutes=29)
        .then_nothing()
        .and_when_passed(minutes=1)
        .then_commands(CancelOrder(aggregate_id="o1", reason="not paid in time"))
    )


def test_a_cancelled_order_gives_its_goods_back() -> None:
    (
        RESERVED.when("o1", OrderCancelled("changed my mind"))
        .then_commands(
            ReleaseGoods(aggregate_id="pot", order="o1"),
            ReleaseGoods(aggregate_id="tea", order="o1"),
        )
        .then_cancelled("payment")
    )


def test_goods_that_come_after_the_cancellation_go_back_at_once() -> None:
    (
        spec(fulfilment)
        .given("o1", PLACED, OrderCancelled("changed my mind"))
        .when("tea", TEA_KEPT)
        .then_commands(ReleaseGoods(aggregate_id="tea", order="o1"))
    )


def test_an_order_that_is_out_of_stock_is_cancelled() -> None:
    (
        spec(fulfilment)
        .given("o1", PLACED)
        .when_refused(ReserveGoods, OutOfStock)
        .then_commands(CancelOrder(aggregate_id="o1", reason="out of stock"))
    )


def test_money_for_a_cancelled_order_goes_back() -> None:
    (
        RESERVED.given("o1", OrderCancelled("changed my mind"), PaymentReceived(TOTAL))
        .when_refused(ShipOrder, AlreadyCancelled)
        .then_commands(RefundPayment(aggregate_id="o1"))
    )


def gives_its_goods_back(run: ProcessRun[Fulfilment]) -> bool:
    """Every product that a cancelled order had is released."""
    return all(
        ReleaseGoods(aggregate_id=product, order=order_id) in run.commands
        for order_id, order in run.states.items()
        if order.cancelled
        for product in order.reserved
    )


def test_no_cancelled_order_keeps_goods() -> None:
    of_an_order = {"order": st.sampled_from(["f1", "f2"])}  # the streams that are tried
    check_process(fulfilment, invariant=gives_its_goods_back, refine={GoodsReserved: of_an_order})
