"""Domains that break the rules, and the views and processes of the failure texts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import Any

from attrs import define, evolve, field, frozen

from eventhus import (
    Aggregate,
    Command,
    Deadline,
    DeadlineReached,
    Process,
    Recorded,
    Rejected,
    View,
)
from eventhus_cattrs import CattrsCodec, Hook
from examples.bank.account import (
    Account,
    AccountCommand,
    AccountEvent,
    DepositPerformed,
    WithdrawalPerformed,
    account,
)
from tests.testing.cart import (
    Item,
    ItemAdded,
    ItemRemoved,
)

# Parts of a domain, each of which breaks a rule.


@frozen(kw_only=True)
class Note(Command):
    text: str


@frozen
class Noted:
    text: str
    tags: list[str] = field(factory=list)


@frozen
class Undeclared:
    text: str


@define
class Notes:
    texts: list[str] = field(factory=list)


class Untidy(Rejected):
    """The pad is full."""


def noting(command: Note, notes: Notes) -> Iterator[Noted]:
    yield Noted(command.text)


def noted(notes: Notes, event: Noted) -> Notes:
    return Notes([*notes.texts, event.text])


def pad(
    decide: Callable[[Note, Notes], Iterable[Any]] = noting,
    evolve: Callable[[Notes, Noted], Any] = noted,
) -> Aggregate[Note, Noted, Notes]:
    return Aggregate(
        name="Pad",
        initial=Notes(),
        decide=decide,
        evolve=evolve,
        commands=(Note,),
        events=(Noted,),
        state_type=Notes,
    )


def greedy(command: Note, notes: Notes) -> Iterator[Noted]:
    notes.texts.append(command.text)
    yield Noted(command.text)


def tagging(notes: Notes, event: Noted) -> Notes:
    event.tags.append("read")
    return noted(notes, event)


def in_place(notes: Notes, event: Noted) -> Notes:
    notes.texts.append(event.text)
    return notes


class Moody:
    """A ``decide`` that returns another answer at each call."""

    def __init__(self, *answers: list[Noted] | Rejected) -> None:
        self.answers = iter(answers)

    def __call__(self, command: Note, notes: Notes) -> list[Noted]:
        answer = next(self.answers)
        if isinstance(answer, Rejected):
            raise answer
        return answer


def choking(notes: Notes, event: Noted) -> Notes:
    raise KeyError(event.text)


def forgetful(notes: Notes, event: Noted) -> None:
    noted(notes, event)


class Weight:
    """A weight in grams that the codec rounds to whole kilograms."""

    def __init__(self, grams: int) -> None:
        self.grams = grams

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Weight) and self.grams == other.grams

    def __hash__(self) -> int:
        return hash(self.grams)

    def __repr__(self) -> str:
        return f"Weight({self.grams})"


ROUNDING = CattrsCodec(
    Hook(Weight, as_type=int, encode=lambda w: w.grams // 1000, decode=lambda k: Weight(k * 1000))
)


@frozen(kw_only=True)
class Weigh(Command):
    grams: int


@frozen
class Weighed:
    weight: Weight


@frozen
class Scales:
    weight: Weight = field(factory=lambda: Weight(0))


def weighing(command: Weigh, scales: Scales) -> Iterator[Weighed]:
    yield Weighed(Weight(command.grams))


def weighed(scales: Scales, event: Weighed) -> Scales:
    return Scales(event.weight)


scales = Aggregate(name="Scales", initial=Scales(), decide=weighing, evolve=weighed)

weigh = Weigh(aggregate_id="s1", grams=1500)
note_it = Note(aggregate_id="p1", text="milk")


# A view and a process.


def by_id(recorded: Recorded[Any]) -> str:
    return recorded.stream.aggregate_id


def sizes(size: int, recorded: Recorded[ItemAdded | ItemRemoved]) -> int | None:
    match recorded.event:
        case ItemAdded(item):
            return size + item.quantity
        case ItemRemoved():
            return None


def last(item: Item | None, recorded: Recorded[ItemAdded]) -> Item | None:
    return recorded.event.item


last_view = View(name="last", initial=None, key=by_id, evolve=last)
size_view = View(name="sizes", initial=0, key=by_id, evolve=sizes)


@frozen(kw_only=True)
class Restock(Command):
    quantity: int


def seen(count: int, recorded: Recorded[ItemAdded]) -> int:
    return count + recorded.event.item.quantity


def react(count: int, recorded: Recorded[ItemAdded]) -> Iterator[Restock]:
    if count > 2:
        yield Restock(aggregate_id=recorded.event.item.sku, quantity=count)


restocking = Process(
    name="restocking",
    initial=0,
    key=lambda recorded: recorded.event.item.sku,
    evolve=seen,
    react=react,
)


# Views and processes that break the rules.


class Counting:
    """An ``evolve`` that returns the number of its calls."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, size: int, recorded: Recorded[ItemAdded | ItemRemoved]) -> int:
        self.times += 1
        return self.times


class Reacting(Counting):
    """A ``react`` that sends the number of its calls."""

    def __call__(self, size: int, recorded: Recorded[Any]) -> Any:
        return [Restock(aggregate_id="x", quantity=super().__call__(size, recorded))]


def tag(recorded: Recorded[Noted]) -> str:
    recorded.event.tags.append("read")
    return "all"


tag_view = View(name="tags", initial=0, key=tag, evolve=lambda n, _: n, events=(Noted,))
weight_view = View(name="weights", initial=0, key=by_id, evolve=lambda n, _: n, events=(Weighed,))


# A process that never ends.


def _ticks(ticks: int, recorded: Recorded[Noted | DeadlineReached]) -> int:
    return ticks + 1


def _ticks_again(
    ticks: int, recorded: Recorded[Noted | DeadlineReached]
) -> Iterator[Command | Deadline]:
    if ticks > 1001:
        yield Note(aggregate_id="p1", text=f"{ticks}")
    yield Deadline("tick", after=timedelta(seconds=1))


ticking: Process[Noted, int] = Process(
    name="ticking",
    initial=0,
    key=lambda recorded: recorded.stream.aggregate_id,
    evolve=_ticks,
    react=_ticks_again,
)


# A process whose state does not come back as it was.


@frozen
class Careless:
    seen: int = 0
    unseen: int = field(default=0, init=False, eq=False)


def _remembers(state: Careless, recorded: Recorded[Noted]) -> Careless:
    after = Careless(state.seen + 1)
    object.__setattr__(after, "unseen", state.unseen + 1)
    return after


def _answers_from_memory(state: Careless, recorded: Recorded[Noted]) -> Iterator[Command]:
    if state.unseen == 2:
        yield Note(aggregate_id="p1", text="twice")


careless: Process[Noted, Careless] = Process(
    name="careless",
    initial=Careless(),
    key=lambda recorded: recorded.stream.aggregate_id,
    evolve=_remembers,
    react=_answers_from_memory,
)


# Accounts that share something besides their events, as parts of a transaction.

latest: list[Account] = []
emptied: set[str | None] = set()


def _watched(state: Account, event: AccountEvent) -> Account:
    latest[:] = [account.evolve(state, event)]
    return latest[0]


def _bonus_after_an_empty_one(command: AccountCommand, state: Account) -> Iterator[AccountEvent]:
    for event in account.decide(command, state):
        if isinstance(event, DepositPerformed) and latest and latest[0].balance == 0:
            yield DepositPerformed(event.amount + 1)
        else:
            yield event


attentive: Aggregate[AccountCommand, AccountEvent, Account] = evolve(
    account, decide=_bonus_after_an_empty_one, evolve=_watched
)


def _closed_once_empty(state: Account, event: AccountEvent) -> Account:
    if isinstance(event, DepositPerformed) and state.owner in emptied:
        return state
    after = account.evolve(state, event)
    if isinstance(event, WithdrawalPerformed) and not after.balance:
        emptied.add(after.owner)
    return after


closing: Aggregate[AccountCommand, AccountEvent, Account] = evolve(
    account, evolve=_closed_once_empty
)
