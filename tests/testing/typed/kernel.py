"""Type inference of the kernel. Nothing here runs: ``make check`` has mypy and pyright read it.

A mark for a mistake that is not there is an error, too.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any, assert_never, assert_type

from attrs import frozen

from eventhus import (
    Aggregate,
    Application,
    Cancel,
    Command,
    CommandRefused,
    Deadline,
    DeadlineReached,
    Decision,
    Process,
    Query,
    Recorded,
    Transaction,
    Upcaster,
    View,
    ViewPage,
    in_range,
)
from eventhus.ports import Ended, Fact, Observation, Observer, Operation
from eventhus_otel import OtelObserver


@frozen(kw_only=True)
class Enrol(Command):
    name: str


@frozen(kw_only=True)
class Leave(Command):
    pass


@frozen
class Enrolled:
    name: str


@frozen
class Left:
    pass


def decide(command: Enrol | Leave, count: int) -> Iterator[Enrolled | Left]:
    yield Left()


def evolve(count: int, event: Enrolled | Left) -> int:
    return count + 1


def add_name(data: dict[str, Any]) -> dict[str, Any]:
    return {**data, "name": "?"}


plain = Aggregate(name="Course", initial=0, decide=decide, evolve=evolve)
assert_type(plain, Aggregate[Enrol | Leave, Enrolled | Left, int])


# Configuration arguments never steer what is inferred from decide and evolve, whether they mention
# one event class or several, inline or in a variable.

UPCASTERS_OF_ONE = {Enrolled: [add_name]}
UPCASTERS_OF_TWO = {Enrolled: [add_name], Left: [add_name]}
DECLARED_UPCASTERS: dict[type, list[Upcaster]] = {Enrolled: [add_name]}
NAMES_OF_ONE = {Enrolled: "enrolled"}
NAMES_OF_TWO = {Enrolled: "enrolled", Left: "left"}
ALIASES_OF_ONE = {"Joined": Enrolled}
ALIASES_OF_TWO = {"Joined": Enrolled, "Gone": Left}

by_arguments = [
    Aggregate(
        name="Course", initial=0, decide=decide, evolve=evolve, upcasters={Enrolled: [add_name]}
    ),
    Aggregate(
        name="Course",
        initial=0,
        decide=decide,
        evolve=evolve,
        upcasters={Enrolled: [add_name], Left: (add_name, add_name)},
    ),
    Aggregate(name="Course", initial=0, decide=decide, evolve=evolve, upcasters=UPCASTERS_OF_ONE),
    Aggregate(name="Course", initial=0, decide=decide, evolve=evolve, upcasters=UPCASTERS_OF_TWO),
    Aggregate(name="Course", initial=0, decide=decide, evolve=evolve, upcasters=DECLARED_UPCASTERS),
    Aggregate(name="Course", initial=0, decide=decide, evolve=evolve, names={Enrolled: "e"}),
    Aggregate(
        name="Course", initial=0, decide=decide, evolve=evolve, names={Enrolled: "e", Left: "l"}
    ),
    Aggregate(name="Course", initial=0, decide=decide, evolve=evolve, names=NAMES_OF_ONE),
    Aggregate(name="Course", initial=0, decide=decide, evolve=evolve, names=NAMES_OF_TWO),
    Aggregate(name="Course", initial=0, decide=decide, evolve=evolve, aliases={"J": Enrolled}),
    Aggregate(
        name="Course", initial=0, decide=decide, evolve=evolve, aliases={"J": Enrolled, "G": Left}
    ),
    Aggregate(name="Course", initial=0, decide=decide, evolve=evolve, aliases=ALIASES_OF_ONE),
    Aggregate(name="Course", initial=0, decide=decide, evolve=evolve, aliases=ALIASES_OF_TWO),
    Aggregate(name="Course", initial=0, decide=decide, evolve=evolve, events=[Enrolled, Left]),
    Aggregate(name="Course", initial=0, decide=decide, evolve=evolve, commands=[Enrol, Leave]),
]
assert_type(by_arguments, list[Aggregate[Enrol | Leave, Enrolled | Left, int]])


# A state that is a union of classes: the first one needs the type of the union.


@frozen
class Nothing:
    pass


@frozen
class Requested:
    by: str


Seat = Nothing | Requested
NOTHING: Seat = Nothing()


def decide_seat(command: Enrol, seat: Seat) -> Iterator[Enrolled]:
    yield Enrolled(command.name)


def evolve_seat(seat: Seat, event: Enrolled) -> Seat:
    return Requested(event.name)


def by_id(recorded: Recorded[object]) -> str:
    return recorded.stream.aggregate_id


def fold_seat(seat: Seat, recorded: Recorded[Enrolled]) -> Seat:
    return Requested(recorded.event.name)


def react(seat: Seat, recorded: Recorded[Enrolled]) -> Iterable[Command]:
    yield Leave(aggregate_id="c1")


seat = Aggregate(name="Seat", initial=NOTHING, decide=decide_seat, evolve=evolve_seat)
seats = View(name="seats", initial=NOTHING, key=by_id, evolve=fold_seat)
leaving = Process(name="leaving", initial=NOTHING, key=by_id, evolve=fold_seat, react=react)
assert_type(seat, Aggregate[Enrol, Enrolled, Seat])
assert_type(seats, View[Enrolled, Seat])
assert_type(leaving, Process[Enrolled, Seat])


def wait(
    seat: Seat, recorded: Recorded[Enrolled | DeadlineReached | CommandRefused]
) -> Iterable[Command | Deadline | Cancel]:
    match recorded.event:
        case Enrolled():
            yield Deadline("confirmation", after=timedelta(minutes=30))
        case DeadlineReached(name):
            assert_type(name, str)
            yield Cancel(name)
        case CommandRefused(command, refusal):
            assert_type((command, refusal), tuple[str, str])
            yield Leave(aggregate_id="c1")
        case _:
            assert_never(recorded.event)


# What react takes besides the events of evolve does not change the events of the process.
waiting = Process(name="waiting", initial=NOTHING, key=by_id, evolve=fold_seat, react=wait)
assert_type(waiting, Process[Enrolled, Seat])
waiting_2 = Process(
    name="waiting", version=2, initial=NOTHING, key=by_id, evolve=fold_seat, react=wait
)
assert_type(waiting_2, Process[Enrolled, Seat])


def count_refusals(count: int, recorded: Recorded[Enrolled | CommandRefused]) -> int:
    return count + 1


def leave_again(count: int, recorded: Recorded[Enrolled]) -> Iterable[Leave]:
    yield Leave(aggregate_id="c1")


counting = Process(name="counting", initial=0, key=by_id, evolve=count_refusals, react=leave_again)
assert_type(counting, Process[Enrolled, int])
renamed = Aggregate(
    name="Seat", former_names=["Chair"], initial=NOTHING, decide=decide_seat, evolve=evolve_seat
)
assert_type(renamed, Aggregate[Enrol, Enrolled, Seat])


async def what_an_application_returns(app: Application) -> None:
    assert_type(await app.state(seat, "s1"), Seat)
    assert_type((await app.load(seat, "s1")).state, Seat)
    assert_type(await app.history(seat, "s1"), list[Recorded[Enrolled]])
    assert_type(await app.view(seats, "s1"), Seat | None)
    page = await app.find(seats, where={"taken": in_range(at_least=1)}, order_by="-taken")
    assert_type(page, ViewPage[Seat])
    assert_type(page.items[0].value, Seat)
    assert_type(page.cursor, str | None)


def boundary(command: Enrol | Leave) -> Query:
    return Query.of(Enrolled, Left, tags={f"course:{command.aggregate_id}"})


def evolve_text(text: str, event: Enrolled | Left) -> str:
    return text


def split(command: Enrol) -> Iterable[Command]:
    yield Leave(aggregate_id="c1")


def tags_of_one(event: Enrolled) -> set[str]:
    return {f"name:{event.name}"}


TAGS_OF_ONE = {Enrolled: tags_of_one}

enrolment = Decision(
    name="Enrolment", initial=0, boundary=boundary, decide=decide, evolve=evolve, tags=TAGS_OF_ONE
)
assert_type(enrolment, Decision[Enrol | Leave, Enrolled | Left, int])
assert_type(
    Decision(
        name="Enrolment",
        initial=0,
        boundary=lambda command: Query.of(tags={command.aggregate_id}),
        decide=decide,
        evolve=evolve,
    ),
    Decision[Enrol | Leave, Enrolled | Left, int],
)
leave = Transaction(name="Leave", aggregates=[plain, seat], split=split)
assert_type(leave, Transaction[Enrol])


def misuse_of_decisions_and_transactions() -> None:
    Decision(name="D", initial=0, boundary=boundary, decide=decide, evolve=evolve_text)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Transaction(name="T", aggregates=[enrolment], split=split)  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
    Transaction(name="T", aggregates=[plain], split=evolve)  # type: ignore[arg-type,type-var]  # pyright: ignore[reportArgumentType]


# An observer is any object of the right form.


class Watch:
    values: Mapping[str, str] = {}

    def finish(self, ended: Ended) -> None:
        pass


class Watcher:
    def begin(self, operation: Operation) -> Observation | None:
        return Watch()

    def note(self, fact: Fact) -> None:
        pass


OBSERVERS: list[Observer] = [Watcher(), OtelObserver()]
observed = Application.open(bucket="school", aggregates=[plain], observer=OtelObserver())
assert_type(observed, Application)


class Unnoting:
    def begin(self, operation: Operation) -> None:
        pass


def misuse_of_observers() -> None:
    Application.open(bucket="school", observer=OtelObserver)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Application.open(bucket="school", observer=Unnoting())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
