"""The domain of an application as tables."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING

from attrs import frozen

from eventhus import Aggregate, Command, Decision, Query, Transaction
from eventhus.operations import CommandInfo, EventInfo, FieldInfo, Operations, ReaderInfo
from eventhus_memory import MemoryStore
from tests.core.finding import orders
from tests.core.operations.cases import bank
from tests.core.readers import welcome

if TYPE_CHECKING:
    from fractions import Fraction


@frozen(kw_only=True)
class Take(Command):
    """Takes a seat.

    The second paragraph is not shown.
    """

    price: Decimal | None = None


@frozen(kw_only=True)
class Move(Command):
    pass


class Leave(Command):
    pass


@frozen
class Taken:
    """A seat was taken."""

    price: Decimal | None


def decide(command: Take | Leave, taken: int) -> Iterator[Taken]:
    yield Taken(None)


def evolve(taken: int, event: Taken) -> int:
    return taken + 1


@frozen(kw_only=True)
class Claim(Command):
    share: Fraction  # which cannot be resolved at run time


def claim(command: Claim, taken: int) -> Iterator[Taken]:
    yield Taken(None)


seat = Aggregate(
    name="Seat",
    former_names=["Chair"],
    initial=0,
    decide=decide,
    evolve=evolve,
    names={Taken: "SeatTaken"},
    upcasters={Taken: [lambda data: data]},
)
claims = Decision(
    name="Claims",
    initial=0,
    decide=claim,
    evolve=evolve,
    boundary=lambda command: Query.of(Taken, tags={"x"}),
    names={Taken: "SeatTaken"},
    upcasters=seat.upcasters,
    aggregate_type="Seat",
)


def split(command: Move) -> Iterator[Command]:
    yield Take(aggregate_id="a")


moving = Transaction(name="Moving", aggregates=[seat], split=split)
AGGREGATE_ID = FieldInfo(name="aggregate_id", type="str")


def test_the_domain_is_described() -> None:
    app = bank(MemoryStore(), aggregates=[seat], decisions=[claims], transactions=[moving])
    found = Operations(app).describe()
    price = FieldInfo(name="price", type="Decimal | None")
    assert "bank" == found.bucket
    assert (
        CommandInfo(
            name="Take",
            handled_by="aggregate Seat",
            fields=(AGGREGATE_ID, price),
            doc="Takes a seat.",
        ),
        CommandInfo(name="Leave", handled_by="aggregate Seat", fields=(AGGREGATE_ID,)),
        CommandInfo(
            name="Claim",
            handled_by="decision Claims",
            fields=(
                FieldInfo(name="aggregate_id", type="str"),
                FieldInfo(name="share", type="Fraction"),
            ),
        ),
        CommandInfo(name="Move", handled_by="transaction Moving", fields=(AGGREGATE_ID,)),
    ) == found.commands
    taken = EventInfo(
        name="SeatTaken",
        stream_type="Chair",
        schema=2,
        fields=(price,),
        doc="A seat was taken.",
    )
    assert (taken, taken) == found.events
    assert () == found.readers


def test_views_and_processes_are_described() -> None:
    found = Operations(bank(MemoryStore(), views=[orders], processes=[welcome])).describe()
    assert (
        ReaderInfo(
            kind="view",
            name="orders",
            version=1,
            reads=("Deposited",),
            indexes=(
                ("customer",),
                ("status", "-placed_at"),
                ("total",),
                ("day", "is_gift"),
                ("placed_at",),
            ),
        ),
        ReaderInfo(kind="process", name="welcome", version=1, reads=("Deposited", "Opened")),
    ) == found.readers
