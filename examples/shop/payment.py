"""The payment of one order, under the id of the order."""

from collections.abc import Iterator
from decimal import Decimal
from enum import Enum
from typing import TypeAlias, assert_never

from attrs import frozen

from eventhus import Aggregate, Command, Rejected


@frozen(kw_only=True)
class RequestPayment(Command):
    """Ask the customer to pay."""

    amount: Decimal


@frozen(kw_only=True)
class ReceivePayment(Command):
    """Accept the customer's money."""

    amount: Decimal


@frozen(kw_only=True)
class RefundPayment(Command):
    """Give the customer's money back."""


PaymentCommand: TypeAlias = RequestPayment | ReceivePayment | RefundPayment


@frozen
class PaymentRequested:
    """The customer owes the amount."""

    amount: Decimal


@frozen
class PaymentReceived:
    """The customer has paid."""

    amount: Decimal


@frozen
class PaymentRefunded:
    """The customer has the money back."""

    amount: Decimal


PaymentEvent: TypeAlias = PaymentRequested | PaymentReceived | PaymentRefunded


class NoPaymentDue(Rejected):
    """The customer owes nothing, or has paid."""


class WrongAmount(Rejected):
    """The customer pays exactly what the order costs."""


class NothingToRefund(Rejected):
    """The customer has not paid."""


class Stage(Enum):
    """How far a payment has come."""

    REQUESTED = "requested"
    RECEIVED = "received"
    REFUNDED = "refunded"


@frozen
class Payment:
    """The state of a payment that was requested."""

    amount: Decimal
    stage: Stage = Stage.REQUESTED


def decide(command: PaymentCommand, payment: Payment | None) -> Iterator[PaymentEvent]:
    """Return the events of a command. Requesting or refunding again changes nothing."""
    match command:
        case RequestPayment(amount=amount):
            if payment is None:
                yield PaymentRequested(amount)
        case ReceivePayment(amount=amount):
            if payment is None or payment.stage is not Stage.REQUESTED:
                raise NoPaymentDue(f"order {command.aggregate_id} has no open payment")
            if amount != payment.amount:
                raise WrongAmount(f"{payment.amount} is due, not {amount}")
            yield PaymentReceived(amount)
        case RefundPayment():
            if payment is None or payment.stage is Stage.REQUESTED:
                raise NothingToRefund(f"order {command.aggregate_id} is not paid")
            if payment.stage is Stage.RECEIVED:
                yield PaymentRefunded(payment.amount)
        case _:
            assert_never(command)


def evolve(payment: Payment | None, event: PaymentEvent) -> Payment:
    """Return the payment after an event."""
    match event:
        case PaymentRequested(amount):
            return Payment(amount)
        case PaymentReceived(amount):
            return Payment(amount, Stage.RECEIVED)
        case PaymentRefunded(amount):
            return Payment(amount, Stage.REFUNDED)
        case _:
            assert_never(event)


payment = Aggregate(name="Payment", initial=None, decide=decide, evolve=evolve)
