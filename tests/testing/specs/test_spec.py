"""Specs of aggregates: accepted and refused input, propagated errors and tracebacks."""

import re
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from attrs import frozen

from eventhus import Aggregate, Command, Rejected
from eventhus.errors import InvalidArgument
from eventhus_testing import Outcome, Rules, spec
from tests.testing.cart import (
    MUG,
    TEA,
    Cart,
    CartCommand,
    CartEvent,
    Empty,
    InvalidQuantity,
    Item,
    ItemAdded,
    ItemRemoved,
    NotInCart,
    add,
    cart,
    empty,
    remove,
)

AnyOutcome = Outcome[Any, Any, Any]


def test_passed_checks_return_the_outcome_to_continue_from() -> None:
    (
        spec(cart)
        .given(ItemAdded(TEA))
        .given(ItemAdded(MUG))
        .when(remove("mug"))
        .then(ItemRemoved("mug"))
        .then_state(Cart({"tea": 2}))
        .and_when(remove("mug"))
        .then_rejected(NotInCart)
        .then_state(Cart({"tea": 2}))
        .and_when(add(TEA, MUG))
        .then(ItemAdded(TEA), ItemAdded(MUG))
        .then_state(Cart({"tea": 4, "mug": 1}))
        .and_when(empty())
        .then(ItemRemoved("tea"), ItemRemoved("mug"))
        .and_when(empty())
        .then_nothing()
        .then()
    )


@pytest.mark.parametrize("aggregate_id", ["", 7, UUID(int=1)])
def test_an_invalid_aggregate_id_is_refused(aggregate_id: Any) -> None:
    """An application refuses it as well."""
    with pytest.raises(InvalidArgument, match=r"^an aggregate's id must be a non-empty str"):
        spec(cart).when(Empty(aggregate_id=aggregate_id))


CHECKS: dict[str, Callable[[AnyOutcome], AnyOutcome]] = {
    "then the events": lambda outcome: outcome.then(ItemAdded(TEA), ItemAdded(MUG)),
    "then another event": lambda outcome: outcome.then(ItemAdded(TEA), ItemAdded(TEA)),
    "then another order": lambda outcome: outcome.then(ItemAdded(MUG), ItemAdded(TEA)),
    "then fewer": lambda outcome: outcome.then(ItemAdded(TEA)),
    "then more": lambda outcome: outcome.then(ItemAdded(TEA), ItemAdded(MUG), ItemAdded(MUG)),
    "then none": lambda outcome: outcome.then(),
    "then_nothing": lambda outcome: outcome.then_nothing(),
    "then_state before": lambda outcome: outcome.then_state(Cart()),
    "then_state after": lambda outcome: outcome.then_state(Cart({"tea": 2, "mug": 1})),
    "then_rejected": lambda outcome: outcome.then_rejected(InvalidQuantity),
    "then_rejected by base": lambda outcome: outcome.then_rejected(Rejected),
    "then_rejected by another": lambda outcome: outcome.then_rejected(NotInCart),
    "then_rejected matching": lambda outcome: outcome.then_rejected(
        InvalidQuantity, match=r"^quantity -\d"
    ),
    "then_rejected compiled": lambda outcome: outcome.then_rejected(
        InvalidQuantity, match=re.compile("OF MUG", re.IGNORECASE)
    ),
    "then_rejected not matching": lambda outcome: outcome.then_rejected(
        InvalidQuantity, match="of mug$"
    ),
}


@pytest.mark.parametrize(
    ("command", "holding"),
    [
        (add(TEA, MUG), {"then the events", "then_state after"}),
        (empty(), {"then none", "then_nothing", "then_state before"}),
        (
            add(TEA, Item("mug", -1)),
            {
                "then_state before",
                "then_rejected",
                "then_rejected by base",
                "then_rejected matching",
                "then_rejected compiled",
            },
        ),
    ],
    ids=["events", "nothing", "refusal"],
)
@pytest.mark.parametrize("check", CHECKS)
def test_a_check_fails_for_every_other_outcome(
    check: str, command: CartCommand, holding: set[str]
) -> None:
    outcome = spec(cart).when(command)
    if check in holding:
        assert outcome is CHECKS[check](outcome)
    else:
        with pytest.raises(AssertionError, match=r"Cart: \w+ (was|led|produced) "):
            CHECKS[check](outcome)


def test_continuing_leaves_the_shared_spec_unchanged() -> None:
    tea = spec(cart).given(ItemAdded(TEA))
    tea.given(ItemAdded(MUG)).when(empty()).then(ItemRemoved("tea"), ItemRemoved("mug"))
    removed = tea.when(remove("tea"))
    removed.and_when(add(MUG)).then_state(Cart({"mug": 1}))
    removed.then_state(Cart())
    tea.when(empty()).then(ItemRemoved("tea"))


def test_domain_functions_run_once_and_once_more_for_repeatability() -> None:
    decided: list[CartCommand] = []
    evolved: list[CartEvent] = []

    def decide(command: CartCommand, state: Cart) -> Iterator[CartEvent]:
        decided.append(command)
        yield from cart.decide(command, state)

    def evolve(state: Cart, event: CartEvent) -> Cart:
        evolved.append(event)
        return cart.evolve(state, event)

    counted = Aggregate(name="Cart", initial=Cart(), decide=decide, evolve=evolve)
    for rules, times in ((Rules(snapshot=False), 2), (Rules(repeatable=False, snapshot=False), 1)):
        decided.clear()
        evolved.clear()
        given = spec(counted, rules=rules).given(ItemAdded(TEA))
        outcome = given.when(remove("tea"))
        outcome.then(ItemRemoved("tea")).then_state(Cart()).then(ItemRemoved("tea"))
        outcome.and_when(empty()).then_nothing()

        assert [remove("tea")] * times + [empty()] * times == decided
        assert [ItemAdded(TEA), *[ItemRemoved("tea")] * times] == evolved


@frozen(kw_only=True)
class Go(Command):
    pass


@frozen
class Went:
    pass


@frozen
class WentOff(Went):
    pass


def walk(
    events: Callable[[], Iterator[Went]], evolve: Callable[[int, Went], int]
) -> Aggregate[Go, Went, int]:
    """Return an aggregate with this behaviour."""
    return Aggregate(
        name="Walk",
        initial=0,
        decide=lambda command, state: events(),
        evolve=evolve,
        commands=[Go],
        events=[Went],
        state_type=int,
    )


def fail() -> Any:
    """Raise an exception other than a refusal."""
    raise ZeroDivisionError("a bug")


def test_exceptions_other_than_refusals_propagate() -> None:
    with pytest.raises(ZeroDivisionError, match="a bug"):
        spec(walk(fail, lambda state, event: state)).when(Go(aggregate_id="w1"))
    stumbling = walk(lambda: iter([Went()]), lambda state, event: fail())
    with pytest.raises(ZeroDivisionError, match="a bug"):
        spec(stumbling).given(Went())
    with pytest.raises(ZeroDivisionError, match="a bug"):
        spec(stumbling, rules=Rules(evolvable=False)).when(Go(aggregate_id="w1"))


LIST: Any = []
FOREIGN: Any = Go(aggregate_id="w1")
NAME = f"{__name__}.Go"
EVENTS = "ItemAdded, ItemRemoved"
COMMANDS = "AddItems, Empty, RemoveItem"


@pytest.mark.parametrize(
    ("use", "found", "takes"),
    [
        (
            lambda: spec(cart).given(LIST),
            "given: [] of class list is not an event of Cart",
            EVENTS,
        ),
        (
            lambda: spec(cart).when(empty()).then(FOREIGN),
            f"then: Go(aggregate_id='w1') of class {NAME} is not an event of Cart",
            EVENTS,
        ),
        (
            lambda: spec(cart).when(FOREIGN),
            f"when: Go(aggregate_id='w1') of class {NAME} is not a command of Cart",
            COMMANDS,
        ),
        (
            lambda: spec(cart).when(empty()).and_when(LIST),
            "when: [] of class list is not a command of Cart",
            COMMANDS,
        ),
    ],
    ids=["given", "then", "when", "next when"],
)
def test_a_value_of_another_class_is_named(
    use: Callable[[], object], found: str, takes: str
) -> None:
    with pytest.raises(TypeError) as failure:
        use()
    assert f"{found}; give single values of {takes}" == str(failure.value)


def test_the_traceback_shows_the_spec_and_hides_the_kit() -> None:
    uses: list[Callable[[], object]] = [
        lambda: spec(cart).when(empty()).then(ItemAdded(TEA)),
        lambda: spec(cart).given(ItemAdded(TEA)).when(empty()).then_nothing(),
        lambda: spec(cart).when(empty()).then_state(Cart({"tea": 1})),
        lambda: spec(cart).when(empty()).then_rejected(NotInCart),
        lambda: spec(cart).when(empty()).then(FOREIGN),
        lambda: spec(cart).given(FOREIGN),
        lambda: spec(cart).when(FOREIGN),
        lambda: spec(cart).when(empty()).and_when(FOREIGN),
    ]
    for use in uses:
        with pytest.raises((AssertionError, TypeError)) as failure:
            use()
        shown = failure.traceback.filter(failure)
        assert {__file__} == {str(entry.path) for entry in shown}


def test_an_unexpected_refusal_is_the_cause_of_the_failure() -> None:
    with pytest.raises(AssertionError) as failure:
        spec(cart).when(remove("tea")).then(ItemRemoved("tea"))
    assert isinstance(failure.value.__cause__, NotInCart)
