"""Tests of the strategies that are derived from types."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, Generic, NewType, TypeVar, Union, assert_type

import pytest
from attrs import Attribute, field, frozen, validators
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from typing_extensions import TypeAliasType

from eventhus import Aggregate, Command
from eventhus_cattrs import CattrsCodec
from eventhus_testing import NoStrategy, commands, events, histories
from eventhus_testing.properties.typed_values import TypedValues
from eventhus_testing.values.comparing import same
from examples.bank.account import (
    AccountCommand,
    AccountCreated,
    AccountEvent,
    CreateAccount,
    DepositPerformed,
    PerformDeposit,
    WithdrawalPerformed,
    account,
)
from examples.cinema.screening import screening
from tests.testing.cart import cart
from tests.testing.properties.shapes import Everything, Labelled, Sku, Tree

T = TypeVar("T")
CODEC = CattrsCodec()
UNSHRUNK = settings(
    phases=[Phase.generate], database=None
)  # shrinking takes long and does not matter here

# Checked by type checkers.
assert_type(commands(account), SearchStrategy[AccountCommand])
assert_type(events(account), SearchStrategy[AccountEvent])
assert_type(histories(account), SearchStrategy[tuple[AccountEvent, ...]])


def of(as_type: Any, refine: Any = None) -> SearchStrategy[Any]:
    return TypedValues(refine or {}).of(as_type, getattr(as_type, "__qualname__", "Type"))


@settings(deadline=None)
@given(of(Everything))
def test_the_codec_accepts_every_drawn_value(value: Everything) -> None:
    assert same(value, CODEC.decoder(Everything)(CODEC.encoder(Everything)(value)))


@frozen
class Choosy:
    positive: int = field(validator=validators.gt(0))
    large: int = field(validator=validators.ge(2**40))
    percent: int = field(validator=[validators.ge(0), validators.lt(100)])
    below: Decimal = field(validator=validators.lt(Decimal(1)))
    share: float = field(validator=validators.and_(validators.gt(0.0), validators.le(0.25)))
    code: str = field(validator=validators.matches_re(r"[A-Z]{3}-\d{2}"))
    begins: str = field(validator=validators.matches_re("ab", func=re.match))
    has: str = field(validator=validators.matches_re("ab", func=re.search))
    short: str = field(validator=validators.and_(validators.min_len(2), validators.max_len(3)))
    few: tuple[int, ...] = field(validator=validators.max_len(1))
    odd: int = field(validator=validators.in_([1, 3, 5]))
    maybe: int | None = field(validator=validators.optional(validators.gt(10)))
    kind: str = field(validator=validators.instance_of(str))
    either: int = field(validator=validators.or_(validators.lt(0), validators.gt(5)))
    all_positive: list[int] = field(
        validator=validators.deep_iterable(validators.gt(0), validators.min_len(2))
    )
    late: datetime = field(validator=validators.gt(datetime(2030, 1, 1, tzinfo=UTC)))
    early: date = field(validator=validators.le(date(1999, 1, 1)))
    span: timedelta = field(validator=validators.gt(timedelta(0)))


@settings(deadline=None)
@given(of(Choosy))
def test_values_satisfy_the_validators_of_attrs(value: Choosy) -> None:
    """The limits guide the search, so that few drawn values are discarded."""
    assert value.positive > 0
    assert value.begins.startswith("ab")


@frozen
class Range:
    low: int
    high: int

    def __attrs_post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError("a range begins before it ends")


@given(of(Range))
def test_values_that_a_class_refuses_are_discarded(value: Range) -> None:
    assert value.low <= value.high


def _never(_: object, attribute: Attribute[int], value: int) -> None:
    raise ValueError(f"{value} will not do", attribute)


@frozen
class Never:
    what: int = field(validator=_never)


@frozen
class Refusing:
    what: int

    def __attrs_post_init__(self) -> None:
        raise TypeError("refused")


@pytest.mark.parametrize(
    ("as_type", "text"),
    [
        (
            Never,
            (
                r"Never\.what: 100 random values in a row were refused, the last with ValueError: "
                r'.* will not do; pass a strategy: refine=\{Never: \{"what": \.\.\.\}\}'
            ),
        ),
        (Refusing, r"Refusing: 100 random .* TypeError: refused; .* refine=\{Refusing: \.\.\.\}"),
    ],
)
def test_a_class_that_refuses_all_values_is_named(as_type: Any, text: str) -> None:
    with pytest.raises(NoStrategy, match=text):
        find(of(as_type), lambda _: True, settings=UNSHRUNK)


class Opaque:
    """A class without a strategy."""


@frozen
class Odd:
    what: Opaque


@frozen
class Untyped:
    what = field()  # type: ignore[var-annotated]  # on purpose


@frozen
class Unresolved:
    what: Missing  # type: ignore[name-defined]  # noqa: F821


@pytest.mark.parametrize(
    ("as_type", "text"),
    [
        (
            Odd,
            (
                r"Odd\.what: no strategy for Opaque is known; pass one for the type or for the "
                r'field: refine=\{Opaque: \.\.\.\} or refine=\{Odd: \{"what": \.\.\.\}\}'
            ),
        ),
        (Callable[[int], int], r"refine=\{Callable\[\[int\], int\]: \.\.\.\}"),
        (list, "no strategy for list is known"),
        (Any, "no strategy for Any is known"),
        (Untyped, r'Untyped\.what: it has no type; .* refine=\{Untyped: \{"what": \.\.\.\}\}'),
        (Unresolved, r"Unresolved\.what: its type cannot be resolved \(.*Missing"),
    ],
)
def test_an_unknown_type_is_named_with_its_field_and_a_refinement(as_type: Any, text: str) -> None:
    with pytest.raises(NoStrategy, match=text):
        of(as_type)


@frozen
class Pair(Generic[T]):
    one: T
    many: tuple[T, ...]


Numbers = TypeAliasType("Numbers", list[int])
Listed = TypeAliasType("Listed", list[T], type_params=(T,))
Age = NewType("Age", int)
Rule = TypeAliasType("Rule", Union[str, list["Rule"]])  # type: ignore[misc]  # noqa: UP007
Nested = TypeAliasType("Nested", Union[T, dict[str, "Nested[T]"]], type_params=(T,))  # type: ignore[misc]  # noqa: UP007


@frozen
class Guard:
    rule: Rule
    limits: Nested[int]


@frozen
class Limited:
    few: Numbers = field(validator=validators.max_len(1))
    many: Numbers


def test_limits_of_one_field_do_not_reach_another_of_the_same_alias() -> None:
    assert find(of(Limited), lambda limited: len(limited.many) > 1)


def test_values_of_recursive_aliases_are_drawn_and_stored() -> None:
    codec = CattrsCodec()
    guards = of(Guard)
    found = find(
        guards,
        lambda guard: (
            isinstance(guard.rule, list)
            and any(isinstance(rule, list) for rule in guard.rule)
            and isinstance(guard.limits, dict)
        ),
    )
    assert found == codec.decoder(Guard)(codec.encoder(Guard)(found))


@pytest.mark.parametrize(
    ("as_type", "is_one"),
    [
        (Pair[int], lambda value: type(value.one) is int and set(map(type, value.many)) <= {int}),
        (Labelled[Sku], lambda value: type(value.content) is str),
        (Numbers, lambda value: all(type(each) is int for each in value)),
        (Listed[str], lambda value: all(type(each) is str for each in value)),
        (Age, lambda value: type(value) is int),
    ],
)
def test_type_arguments_are_substituted_in_classes_and_aliases(
    as_type: Any, is_one: Callable[[Any], bool]
) -> None:
    for seed in range(3):
        find(of(as_type), is_one, random=Random(seed))
    with pytest.raises(Exception, match="No examples found"):
        find(of(as_type), lambda value: not is_one(value), settings=settings(max_examples=50))


def test_recursive_classes_reach_several_levels_and_end() -> None:

    def depth(tree: Tree) -> int:
        return 1 + max(map(depth, tree.below), default=0)

    assert 3 <= depth(find(of(Tree), lambda tree: depth(tree) >= 3))


@frozen
class Bush:
    left: list[Bush]
    right: list[Bush]


def test_a_class_with_two_recursive_fields_stays_small() -> None:
    """Hypothesis discards examples that are too large, so hardly any would be left."""
    seen: list[Bush] = []

    @settings(max_examples=50, derandomize=True, database=None, deadline=None)
    @given(of(Bush))
    def collect(bush: Bush) -> None:
        seen.append(bush)

    collect()
    assert len(seen) >= 50


def test_refinements_apply_to_classes_types_fields_and_subclasses() -> None:
    opaque = Opaque()
    assert find(of(Odd, {Opaque: st.just(opaque)}), lambda _: True).what is opaque
    assert find(of(Odd, {Odd: {"what": st.just(opaque)}}), lambda _: True).what is opaque
    assert 7 == find(of(Range, {int: st.just(7)}), lambda _: True).high
    assert 7 == find(of(list[Age], {Age: st.just(7)}), bool)[0]
    refined = commands(
        account,
        refine={PerformDeposit: {"amount": st.just(7)}, Command: {"aggregate_id": st.just("z")}},
    )
    found = find(refined, lambda command: isinstance(command, PerformDeposit))
    assert PerformDeposit(aggregate_id="z", amount=7) == found


@pytest.mark.parametrize(
    ("refine", "text"),
    [
        (
            {PerformDeposit: {"amuont": st.just(7)}},
            "refine: PerformDeposit has no field 'amuont'; it has aggregate_id, amount",
        ),
        ({int: {"real": st.just(7)}}, "refine: <class 'int'> is not an attrs class"),
    ],
)
def test_a_refinement_of_an_unknown_field_is_refused(refine: Any, text: str) -> None:
    with pytest.raises(NoStrategy, match=text):
        commands(account, refine=refine)


def test_all_commands_share_one_aggregate_id() -> None:
    ids = set()

    @settings(max_examples=20, database=None)
    @given(commands(account))
    def look(command: AccountCommand) -> None:
        ids.add(command.aggregate_id)

    look()
    assert {"a1"} == ids


@pytest.mark.parametrize("aggregate", [account, cart, screening], ids=lambda each: each.name)
def test_strategies_draw_every_class_of_commands_and_events(
    aggregate: Aggregate[Any, Any, Any],
) -> None:
    for make, classes in ((commands, aggregate.commands), (events, aggregate.events)):
        for cls in classes:
            wanted: Any = cls
            find(
                make(aggregate),
                lambda value: type(value) is wanted,  # noqa: B023 - called at once
                settings=UNSHRUNK,
            )


@given(histories(account))
def test_drawn_histories_can_happen(history: tuple[AccountEvent, ...]) -> None:
    """An account is created first and only once, and is never overdrawn."""
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


def test_most_histories_have_several_events_of_several_classes() -> None:
    seen: Counter[type] = Counter()

    @settings(max_examples=100, derandomize=True, database=None, deadline=None)
    @given(histories(account))
    def collect(history: tuple[AccountEvent, ...]) -> None:
        seen.update(map(type, history))

    collect()
    assert seen[AccountCreated] > 60
    assert seen[WithdrawalPerformed] > 40
    assert () == find(histories(account), lambda history: True)
    simplest = find(commands(account), lambda command: True)
    assert CreateAccount(aggregate_id="a1", owner="a") == simplest
