"""The rules of every spec: each is reported when broken and can be switched off."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import attrs
import pytest
from attrs import define, frozen

from eventhus import Aggregate, Command, Process, Recorded, Rejected, Transaction, View
from eventhus_cattrs import CattrsCodec
from eventhus_testing import RuleBroken, Rules, check_aggregate, spec
from eventhus_testing.values.comparing import same
from eventhus_testing.values.defensive_copies import copy_if_mutable
from examples.bank.account import AccountCreated, DepositPerformed, WithdrawalPerformed
from examples.bank.transfer import Transfer, transfer
from examples.courses.enrolment import DefineCourse, enrolment
from tests.testing.cart import TEA, ItemAdded, add, cart
from tests.testing.specs import flawed_domains as broken

RULES = [field.name for field in attrs.fields(Rules)]

NOTED = broken.Noted("tea")


BREACHES: dict[str, Callable[[Rules], object]] = {
    "unchanged": lambda rules: (
        spec(broken.pad(broken.greedy), rules=rules).given(NOTED).when(broken.note_it)
    ),
    "repeatable": lambda rules: spec(
        broken.pad(broken.Moody([broken.Noted("a")], [broken.Noted("b")])), rules=rules
    ).when(broken.note_it),
    "declared": lambda rules: spec(
        broken.pad(lambda *_: [broken.Undeclared("x")], lambda notes, _: notes), rules=rules
    ).when(broken.note_it),
    "evolvable": lambda rules: spec(
        broken.pad(evolve=broken.forgetful), rules=attrs.evolve(rules, snapshot=False)
    ).when(broken.note_it),
    "stored": lambda rules: spec(
        broken.scales, codec=broken.ROUNDING, rules=attrs.evolve(rules, snapshot=False)
    ).when(broken.weigh),
    "snapshot": lambda rules: spec(
        broken.scales, codec=broken.ROUNDING, rules=attrs.evolve(rules, stored=False)
    ).when(broken.weigh),
    "ending": lambda rules: (
        spec(broken.ticking, rules=rules).given("p1", NOTED).when_passed(seconds=1001).commands
    ),
    "guarded": lambda rules: spec(attrs.evolve(enrolment, tags={}), rules=rules).when(
        DefineCourse(aggregate_id="physics", capacity=1)
    ),
    "independent": lambda rules: [
        spec(attrs.evolve(transfer, aggregates=[broken.attentive]), rules=rules)
        .given(broken.attentive, "a1", AccountCreated("ann"), DepositPerformed(30))
        .given(broken.attentive, "b1", AccountCreated("bob"), DepositPerformed(5))
        .when(Transfer(aggregate_id="a1", to="b1", amount=30))
        .then(broken.attentive, "a1", WithdrawalPerformed(30))
        .then(broken.attentive, "b1", DepositPerformed(31))
    ],
}


@pytest.mark.parametrize("rule", RULES)
def test_a_broken_rule_is_reported_by_name(rule: str) -> None:
    with pytest.raises(RuleBroken) as caught:
        BREACHES[rule](Rules())
    assert rule == caught.value.rule


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_can_be_switched_off_alone(rule: str) -> None:
    switched_off: dict[str, bool] = {rule: False}
    outcome: Any = BREACHES[rule](Rules(**switched_off))
    assert 1 == len(outcome if rule in ("ending", "independent") else outcome.events)


def test_a_refusal_raised_by_evolve_breaks_a_rule() -> None:
    """The event has happened, so ``evolve`` cannot refuse it."""

    def refuse(notes: broken.Notes, event: broken.Noted) -> broken.Notes:
        raise broken.Untidy

    with pytest.raises(RuleBroken, match="evolve raised Untidy on an event that decide produced"):
        spec(broken.pad(evolve=refuse)).when(broken.note_it)


def test_rules_are_checked_for_given_events_and_later_commands() -> None:
    tags = spec(broken.pad(evolve=broken.tagging))
    with pytest.raises(RuleBroken, match="evolve changed the event"):
        tags.given(broken.Noted("x"))
    lazy = broken.pad(broken.Moody([NOTED], [NOTED], [NOTED], []))
    with pytest.raises(RuleBroken, match="decide returned different results"):
        spec(lazy).when(broken.note_it).then(NOTED).and_when(broken.note_it)


@frozen(kw_only=True)
class Go(Command):
    """The command."""


@frozen
class Gone:
    """The event."""


def test_a_none_state_is_accepted_if_its_type_admits_none() -> None:
    def decide(command: Go, state: int | None) -> Iterator[Gone]:
        yield Gone()

    def evolve(state: int | None, event: Gone) -> int | None:
        return None if state else 1

    switch: Aggregate[Go, Gone, int | None] = Aggregate(
        name="Switch", initial=5, decide=decide, evolve=evolve
    )
    spec(switch).when(Go(aggregate_id="s1")).then_state(None)


@frozen
class Frozen:
    items: tuple[int, ...]


@dataclass(frozen=True)
class FrozenData:
    items: tuple[int, ...]


@define
class Thawed:
    items: list[int]


@dataclass
class Data:
    items: list[int]


class Plain:
    def __init__(self, *items: int) -> None:
        self.items = items


@pytest.mark.parametrize(
    "value", [1, "x", None, (1, ("x",)), frozenset({1}), Frozen((1,)), FrozenData((1,)), int]
)
def test_immutable_values_are_not_copied(value: object) -> None:
    assert copy_if_mutable(value) is None


@pytest.mark.parametrize(
    "value",
    [[1], {"a": 1}, {1}, (1, [2]), Thawed([1]), Data([1]), Frozen(([1],)), Plain(1)],  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
)
def test_mutable_values_are_copied_deeply(value: Any) -> None:
    copied = copy_if_mutable(value)
    assert copied is not value
    assert same(copied, value)


def test_values_that_cannot_be_copied_are_skipped() -> None:
    assert copy_if_mutable([threading.Lock()]) is None


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (1, True, False),
        (1, 1.0, False),
        ([1], [True], False),
        (float("nan"), float("nan"), True),
        ((float("nan"),), (float("nan"),), True),
        ({"a": [1]}, {"a": [1]}, True),
        ({"a": [1]}, {"b": [1]}, False),
        ([1], [1, 2], False),
        (Thawed([1]), Thawed([1]), True),
        (Thawed([1]), Thawed([2]), False),
        (Data([1]), Data([2]), False),
        (Plain(1), Plain(1), True),
        (Plain(1), Plain(2), False),
        (object(), object(), False),
        ({1, 2}, {2, 1}, True),
    ],
)
def test_same_compares_classes_and_content(one: object, other: object, expected: bool) -> None:
    assert expected == same(one, other)


def by_id(recorded: Recorded[Any]) -> str:
    return recorded.stream.aggregate_id


def test_views_must_keep_the_rules() -> None:
    def greedy(items: list[str], recorded: Recorded[ItemAdded]) -> list[str]:
        items.append(recorded.event.item.sku)
        return items

    answers = iter(range(10))

    def moody(value: int, recorded: Recorded[ItemAdded]) -> int:
        return next(answers)

    def opaque(value: object, recorded: Recorded[ItemAdded]) -> object:
        return value

    def view(evolve: Any, initial: Any) -> View[ItemAdded, Any]:
        return View(name="v", initial=initial, key=by_id, evolve=evolve)

    with pytest.raises(RuleBroken, match=r"evolve changed the value(?s:.*)\[0\]: before nothing"):
        spec(view(greedy, [])).given("c1", ItemAdded(TEA))
    with pytest.raises(
        RuleBroken, match=r"c1: ItemAdded(?s:.*)evolve returned different results(?s:.*)then 1"
    ):
        spec(view(moody, 0)).when("c1", ItemAdded(TEA))
    with pytest.raises(RuleBroken, match="there is no codec for the value of view v"):
        spec(view(opaque, object()))
    given = spec(view(greedy, []), rules=Rules(unchanged=False)).given("c1", ItemAdded(TEA))
    given.then_view("c1", ["tea"])


def test_processes_must_keep_the_rules() -> None:
    def keep(state: list[str], recorded: Recorded[ItemAdded]) -> list[str]:
        return [*state, recorded.event.item.sku]

    def greedy(state: list[str], recorded: Recorded[ItemAdded]) -> list[str]:
        state.append(recorded.event.item.sku)
        return state

    def nothing(state: list[str], recorded: Recorded[ItemAdded]) -> list[Command]:
        return []

    def clearing(state: list[str], recorded: Recorded[ItemAdded]) -> list[Command]:
        state.clear()
        return []

    answers = iter([[], [Go(aggregate_id="a")], []])

    def moody(state: list[str], recorded: Recorded[ItemAdded]) -> list[Command]:
        return [*next(answers)]

    def process(evolve: Any, react: Any) -> Process[ItemAdded, list[str]]:
        return Process(name="p", initial=[], key=by_id, evolve=evolve, react=react)

    event = ItemAdded(TEA)
    with pytest.raises(RuleBroken, match="evolve changed the state"):
        spec(process(greedy, nothing)).given("c1", event)
    with pytest.raises(RuleBroken, match="react changed the state"):
        spec(process(keep, clearing)).when("c1", event)
    with pytest.raises(RuleBroken, match=r"react returned different results(?s:.*)then Go"):
        spec(process(keep, moody)).when("c1", event)
    off = Rules(unchanged=False, repeatable=False, stored=False)
    spec(process(keep, clearing), rules=off).when("c1", event).then_nothing()


def test_events_of_views_and_processes_must_survive_the_codec() -> None:
    """This includes events whose key is ``None``."""

    def counted(value: int, recorded: Recorded[broken.Weighed]) -> int:
        return value + 1

    def nothing(value: int, recorded: Recorded[broken.Weighed]) -> list[Command]:
        return []

    def of_none(recorded: Recorded[Any]) -> None:
        return None

    view = View(name="v", initial=0, key=of_none, evolve=counted)
    process = Process(name="p", initial=0, key=of_none, evolve=counted, react=nothing)
    event = broken.Weighed(broken.Weight(1500))
    with pytest.raises(RuleBroken, match=r"Weight\(1500\)\) comes back from the codec as"):
        spec(view, codec=broken.ROUNDING).given("s1", event)
    with pytest.raises(RuleBroken, match=r"Weight\(1500\)\) comes back from the codec as"):
        spec(process, codec=broken.ROUNDING).when("s1", event)
    with pytest.raises(RuleBroken, match="there is no codec for Weighed, which process p handles"):
        spec(process)
    spec(view, rules=Rules(stored=False)).given("s1", event).then_no_view("s1")


def test_the_traceback_of_a_missing_codec_shows_the_test_alone() -> None:
    def opaque(value: object, recorded: Recorded[ItemAdded]) -> object:
        return value

    def nothing(value: object, recorded: Recorded[ItemAdded]) -> list[Command]:
        return []

    folded: dict[str, Any] = {"name": "v", "initial": object(), "key": by_id, "evolve": opaque}
    lost = attrs.evolve(cart, state_type=object)
    pair: Transaction[Any] = Transaction(
        name="pair", aggregates=[lost], split=lambda command: [], commands=(Go,)
    )
    uses: list[Callable[[], object]] = [
        lambda: spec(lost),
        lambda: spec(View(**folded)),
        lambda: spec(Process(react=nothing, **folded)),
        lambda: spec(pair),
        lambda: check_aggregate(lost),
    ]
    for use in uses:
        with pytest.raises(RuleBroken, match="there is no codec for") as failure:
            use()
        shown = failure.traceback.filter(failure)
        assert {__file__} == {str(entry.path) for entry in shown}
        assert failure.value.__suppress_context__


def test_key_functions_must_keep_the_rules() -> None:
    def keep(value: int, recorded: Recorded[broken.Noted]) -> int:
        return value

    def tagging(recorded: Recorded[broken.Noted]) -> str:
        recorded.event.tags.append("seen")
        return "all"

    keys = iter("abc")

    def moody(recorded: Recorded[broken.Noted]) -> str:
        return next(keys)

    def view(key: Any) -> View[broken.Noted, int]:
        return View(name="v", initial=0, key=key, evolve=keep)

    with pytest.raises(RuleBroken, match=r"key changed the event(?s:.*)after 'seen'"):
        spec(view(tagging)).given("p1", broken.Noted("x"))
    with pytest.raises(
        RuleBroken, match=r"key returned different results(?s:.*)first 'a'(?s:.*)then 'b'"
    ):
        spec(view(moody)).given("p1", broken.Noted("x"))
    off = Rules(unchanged=False, repeatable=False)
    spec(view(tagging), rules=off).given("p1", broken.Noted("x")).then_view("all", 0)


def test_evolve_and_called_functions_must_be_repeatable() -> None:
    texts = iter("abcd")

    def moody(notes: broken.Notes, event: broken.Noted) -> broken.Notes:
        return broken.Notes([next(texts)])

    def call(notes: broken.Notes) -> list[broken.Noted]:
        return [broken.Noted(next(texts))]

    with pytest.raises(
        RuleBroken, match=r"evolve returned different results(?s:.*)first 'a', then 'b'"
    ):
        spec(broken.pad(evolve=moody)).when(broken.note_it)
    with pytest.raises(RuleBroken, match="the function returned different results"):
        spec(broken.pad()).when_called(call)


def test_the_second_call_gets_copies_if_changes_are_allowed() -> None:
    tidy = spec(broken.pad(evolve=broken.in_place), rules=Rules(unchanged=False, snapshot=False))
    tidy.when(broken.note_it).then_state(broken.Notes(["milk"]))


def test_repeated_refusals_compare_by_class_and_message() -> None:
    """Two exceptions are never equal."""

    class Full(Rejected):
        pass

    spec(broken.pad(broken.Moody(Full("x"), Full("x")))).when(broken.note_it).then_rejected(Full)


def test_a_sound_domain_breaks_no_rule() -> None:
    spec(cart).when(add(TEA)).then(ItemAdded(TEA))


def test_a_changed_initial_state_does_not_leak_into_the_next_spec() -> None:
    tidy = broken.pad(evolve=broken.in_place)
    for _ in range(2):
        with pytest.raises(RuleBroken, match=r"texts\[0\]: before nothing, after 'milk'"):
            spec(tidy).when(broken.note_it)
    assert broken.Notes() == tidy.initial


def test_called_functions_must_keep_the_rules() -> None:
    def greedy(notes: broken.Notes) -> list[broken.Noted]:
        notes.texts.append("x")
        return [NOTED]

    with pytest.raises(RuleBroken, match="the function changed the state"):
        spec(broken.pad()).when_called(greedy)


def test_an_unhashable_codec_is_supported() -> None:
    class Unhashable(CattrsCodec):
        __hash__ = None  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]

    codec = Unhashable()
    spec(cart, codec=codec).when(add(TEA)).then(ItemAdded(TEA))
    balances: View[ItemAdded, int] = View(
        name="v", initial=0, key=by_id, evolve=lambda value, _: value + 1, events=(ItemAdded,)
    )
    spec(balances, codec=codec).given("c1", ItemAdded(TEA)).then_view("c1", 1)


def test_evolve_of_a_process_must_be_repeatable() -> None:
    answers = iter(range(10))

    def moody(state: int, recorded: Recorded[broken.Noted]) -> int:
        return next(answers)

    def nothing(state: int, recorded: Recorded[broken.Noted]) -> list[Command]:
        return []

    def tagging(state: int, recorded: Recorded[broken.Noted]) -> list[Command]:
        recorded.event.tags.append("seen")
        return []

    def keep(state: int, recorded: Recorded[broken.Noted]) -> int:
        return state

    def process(evolve: Any, react: Any) -> Process[broken.Noted, int]:
        return Process(name="p", initial=0, key=by_id, evolve=evolve, react=react)

    with pytest.raises(RuleBroken, match="evolve returned different results"):
        spec(process(moody, nothing)).when("p1", broken.Noted("x"))
    with pytest.raises(RuleBroken, match="react changed the event"):
        spec(process(keep, tagging)).when("p1", broken.Noted("x"))
