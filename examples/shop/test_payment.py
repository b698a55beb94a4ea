"""Payments by example."""

from decimal import Decimal

import pytest

from eventhus import Rejected
from eventhus_testing import check_aggregate, spec
from examples.shop.payment import (
    NoPaymentDue,
    NothingToRefund,
    PaymentCommand,
    PaymentReceived,
    PaymentRefunded,
    PaymentRequested,
    ReceivePayment,
    RefundPayment,
    RequestPayment,
    WrongAmount,
    payment,
)

DUE = Decimal("30.00")
REQUEST = RequestPayment(aggregate_id="o1", amount=DUE)
PAY = ReceivePayment(aggregate_id="o1", amount=DUE)
REFUND = RefundPayment(aggregate_id="o1")


def test_a_payment_is_requested_once() -> None:
    spec(payment).when_repeated(2, REQUEST).then(PaymentRequested(DUE))


def test_a_customer_pays_once() -> None:
    (
        spec(payment)
        .given(PaymentRequested(DUE))
        .when(PAY)
        .then(PaymentReceived(DUE))
        .and_when(PAY)
        .then_rejected(NoPaymentDue)
    )


def test_a_customer_pays_what_is_due() -> None:
    (
        spec(payment)
        .given(PaymentRequested(DUE))
        .when(ReceivePayment(aggregate_id="o1", amount=Decimal("29.99")))
        .then_rejected(WrongAmount, match="30.00 is due")
    )


@pytest.mark.parametrize(("command", "refusal"), [(PAY, NoPaymentDue), (REFUND, NothingToRefund)])
def test_nobody_pays_what_nobody_asked_for(
    command: PaymentCommand, refusal: type[Rejected]
) -> None:
    spec(payment).when(command).then_rejected(refusal)


def test_money_comes_back_once() -> None:
    (
        spec(payment)
        .given(PaymentRequested(DUE), PaymentReceived(DUE))
        .when_repeated(2, REFUND)
        .then(PaymentRefunded(DUE))
    )


def test_no_refund_without_a_payment() -> None:
    spec(payment).given(PaymentRequested(DUE)).when(REFUND).then_rejected(NothingToRefund)


def test_no_command_breaks_a_payment() -> None:
    check_aggregate(payment)
