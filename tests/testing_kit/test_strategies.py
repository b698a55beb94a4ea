"""Strategies from types: every value is one that the codec takes, and one that the class admits."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Generic, Literal, NewType, Optional, TypeVar
from uuid import UUID

import pytest
from attrs import field, frozen, validators
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from eventhus import Aggregate, Command
from eventhus_cattrs import CattrsCodec
from eventhus_testing import NoStrategy, commands, events, histories
from eventhus_testing.comparing import same
from eventhus_testing.typed_values import TypedValues
from examples.bank.account import (
    AccountCreated,
    CreateAccount,
    DepositPerformed,
    PerformDeposit,
    WithdrawalPerformed,
    account,
)
from examples.cinema.screening import screening
from tests.testing_kit.cart import cart

T = TypeVar("T")


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


Sku = NewType("Sku", str)


@frozen
class Card:
    number: str


@frozen
class Cash:
    pass


@frozen
class Pair(Generic[T]):
    one: T
    many: tuple[T, ...]


@frozen
class Tree:
    label: str
    below: tuple[Tree, ...] = ()


@frozen
class Everything:
    flag: bool
    number: int
    fraction: float
    text: str
    amount: Decimal
    key: UUID
    moment: datetime
    day: date
    span: timedelta
    raw: bytes
    colour: Colour
    kind: Literal["a", "b"]
    sku: Sku
    note: Annotated[str, "shown"]
    items: list[int]
    fixed: tuple[int, str]
    row: tuple[Colour, ...]
    unique: set[int]
    frozen: frozenset[Sku]
    prices: dict[str, Decimal]
    seen: Mapping[UUID, int]
    maybe: int | None
    perhaps: Optional[str]  # noqa: UP045 - the older spelling
    paid: Card | Cash
    pair: Pair[int]
    tree: Tree


CODEC = CattrsCodec()


@given(TypedValues({}).of(Everything, "Everything"))
def test_every_value_can_be_stored(value: Everything) -> None:
    """Whatever the codec has a form for."""
    there, back = CODEC.encoder(Everything), CODEC.decoder(Everything)
    assert same(value, back(there(value)))


@frozen
class Choosy:
    positive: int = field(validator=validators.gt(0))
    percent: int = field(validator=[validators.ge(0), validators.le(100)])
    below: Decimal = field(validator=validators.lt(Decimal(1)))
    code: str = field(validator=validators.matches_re(r"[A-Z]{3}-\d{2}"))
    short: str = field(validator=validators.and_(validators.min_len(2), validators.max_len(3)))
    few: tuple[int, ...] = field(validator=validators.max_len(1))
    odd: int = field(validator=validators.in_([1, 3, 5]))
    maybe: int | None = field(validator=validators.optional(validators.gt(10)))


@given(TypedValues({}).of(Choosy, "Choosy"))
def test_validators_are_heeded(value: Choosy) -> None:
    """Each value is one that they let pass, without luck."""
    assert value.positive > 0
    assert re.fullmatch(r"[A-Z]{3}-\d{2}", value.code)


@frozen
class Range:
    low: int
    high: int

    def __attrs_post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError("a range begins before it ends")


@given(TypedValues({}).of(Range, "Range"))
def test_what_a_class_refuses_is_tried_again(value: Range) -> None:
    """Only values that can be made are given."""
    assert value.low <= value.high


class Opaque:
    """A class of the user's own."""


@frozen
class Odd:
    what: Opaque


@pytest.mark.parametrize(
    ("as_type", "message"),
    [
        (Odd, r"Odd\.what: no strategy for .*Opaque.*; pass one: refine=\{Opaque: \.\.\.\}"),
        (Callable[[int], int], r"X: no strategy for .*Callable"),
    ],
)
def test_an_unknown_type(as_type: Any, message: str) -> None:
    """The message names the field and the way out."""
    with pytest.raises(NoStrategy, match=message):
        TypedValues({}).of(as_type, "X")


def test_a_class_can_be_refined() -> None:
    """By a strategy of its own, wherever it stands."""
    opaque = Opaque()
    values = TypedValues({Opaque: st.just(opaque)}).of(Odd, "Odd")
    assert opaque is find(values, lambda value: True).what


def test_a_field_can_be_refined() -> None:
    """For a class, or for all that derive from it."""
    refined = commands(
        account,
        refine={PerformDeposit: {"amount": st.just(7)}, Command: {"aggregate_id": st.just("z")}},
    )
    found = find(refined, lambda command: isinstance(command, PerformDeposit))
    assert PerformDeposit(aggregate_id="z", amount=7) == found


def test_a_misspelt_refinement() -> None:
    """Is found at once."""
    with pytest.raises(NoStrategy, match="refine: PerformDeposit has no field 'amuont'"):
        commands(account, refine={PerformDeposit: {"amuont": st.just(7)}})


@pytest.mark.parametrize("aggregate", [account, cart, screening], ids=lambda a: a.name)
def test_every_class_comes(aggregate: Aggregate[Any, Any, Any]) -> None:
    """Each command and each event."""
    for make, classes in ((commands, aggregate.commands), (events, aggregate.events)):
        for cls in classes:
            wanted: Any = cls
            find(
                make(aggregate),
                lambda value, wanted=wanted: type(value) is wanted,  # type: ignore[misc]
                settings=settings(phases=[Phase.generate]),
            )


@given(histories(account))
def test_histories_can_happen(history: tuple[object, ...]) -> None:
    """An account is created first, and only once, and never overdrawn."""
    balance = 0
    for index, event in enumerate(history):
        assert (index == 0) == isinstance(event, AccountCreated)
        match event:
            case DepositPerformed(amount):
                balance += amount
            case WithdrawalPerformed(amount):
                balance -= amount
            case _:
                pass
        assert balance >= 0


def test_histories_are_rich() -> None:
    """Withdrawals need a deposit before them that is large enough, and come all the same."""
    found = find(
        histories(account),
        lambda history: sum(isinstance(event, WithdrawalPerformed) for event in history) > 1,
        settings=settings(max_examples=2_000),
    )
    assert found
    assert () == find(histories(account), lambda history: True)
    assert isinstance(find(commands(account), lambda command: True), CreateAccount)
