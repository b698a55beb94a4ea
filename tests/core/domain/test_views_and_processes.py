"""Views and processes: classes read from functions, and refused arguments."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Protocol

import pytest
from attrs import frozen

from eventhus import Command, Metadata, Process, Recorded, StreamId, View
from eventhus.errors import CompositionError


@frozen
class Paid:
    amount: int


@frozen
class Refunded:
    amount: int


@frozen(kw_only=True)
class Ship(Command):
    pass


def recorded(event: Paid | Refunded) -> Recorded[Paid | Refunded]:
    return Recorded(
        stream=StreamId("Order", "o1"),
        version=1,
        position=1,
        id="c-1",
        event=event,
        recorded_at=datetime(2025, 1, 1, tzinfo=UTC),
        metadata=Metadata(),
    )


def by_order(recorded: Recorded[Any]) -> str:
    return recorded.stream.aggregate_id


def total(value: int, recorded: Recorded[Paid | Refunded]) -> int | None:
    match recorded.event:
        case Paid(amount):
            return value + amount
        case Refunded():
            return None


def count(value: int, recorded: Recorded[Paid] | Recorded[Refunded]) -> int:
    return value + 1


def nothing(value: int, recorded: Recorded[Paid] | Recorded[Refunded]) -> Iterable[Command]:
    return ()


def process(react: Callable[[int, Any], Any]) -> Process[Any, int]:
    return Process(name="p", initial=0, key=by_order, evolve=count, react=react)


def test_a_view_reads_its_types_from_evolve() -> None:
    """The classes of events, in order, and the type of the values."""
    view = View(name="totals", initial=0, key=by_order, evolve=total)
    assert (Paid, Refunded) == view.events
    assert int is view.view_type


def test_a_view_starts_from_initial_also_after_a_deletion() -> None:
    view = View(name="totals", initial=5, key=by_order, evolve=total)
    assert view.next("k", None, recorded(Paid(2))) == 7
    assert view.next("k", 7, recorded(Refunded(2))) is None


def test_a_process_reads_its_types_from_evolve() -> None:
    """Separate envelopes are the same as one of a union."""
    assert (Paid, Refunded) == process(nothing).events
    assert int is process(nothing).state_type


def test_types_that_are_not_annotated_are_taken_from_the_arguments() -> None:
    def evolve(value, recorded):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        return value

    view: View[Any, int] = View(name="v", initial=0, key=by_order, evolve=evolve, events=(Paid,))
    bare: Process[Any, int] = Process(
        name="p", initial=0, key=by_order, evolve=evolve, react=nothing, events=(Paid,)
    )
    assert ((Paid,), int) == (view.events, view.view_type)
    assert ((Paid,), int) == (bare.events, bare.state_type)


def test_react_may_return_any_collection_of_commands() -> None:
    ship = Ship(aggregate_id="o1")
    assert (ship,) == process(lambda state, recorded: [ship]).reacted("k", 1, recorded(Paid(1)))


@pytest.mark.parametrize(
    ("react", "message"),
    [
        (
            lambda state, recorded: None,
            "react of p returned NoneType instead of commands",
        ),
        (lambda state, recorded: [Paid(1)], "react of p returned Paid, which is not a command"),
    ],
)
def test_react_must_return_commands(react: Callable[[int, Any], Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        process(react).reacted("k", 1, recorded(Paid(1)))


@pytest.mark.parametrize("name", ["", "a b", "ä", "x" * 64, 7])
@pytest.mark.parametrize("kind", ["view", "process"])
def test_names_that_stores_cannot_use_are_refused(kind: str, name: Any) -> None:
    make: dict[str, Callable[[], object]] = {
        "view": lambda: View(name=name, initial=0, key=by_order, evolve=count),
        "process": lambda: Process(name=name, initial=0, key=by_order, evolve=count, react=nothing),
    }
    with pytest.raises(CompositionError, match=f"{kind} .* is not 1 to 63 letters"):
        make[kind]()


@pytest.mark.parametrize("version", [0, -1, 1_000_000, True, 1.0, "2", None])
def test_a_version_that_is_not_a_number_from_1_is_refused(version: Any) -> None:
    with pytest.raises(CompositionError, match="view v: version must be an int from 1 to 999,999"):
        View(name="v", version=version, initial=0, key=by_order, evolve=count)


@pytest.mark.parametrize(
    "start", ["", "end", -1, True, 1.0, None, datetime(2025, 1, 1, tzinfo=UTC)]
)
@pytest.mark.parametrize("kind", ["view", "process"])
def test_a_start_of_another_form_is_refused(kind: str, start: Any) -> None:
    make: dict[str, Callable[[], object]] = {
        "view": lambda: View(name="n", start=start, initial=0, key=by_order, evolve=count),
        "process": lambda: Process(
            name="n", start=start, initial=0, key=by_order, evolve=count, react=nothing
        ),
    }
    with pytest.raises(CompositionError, match=f"{kind} n: start must be 'beginning', 'now' or a"):
        make[kind]()


def of_payment(recorded: Recorded[Paid]) -> str:
    return recorded.stream.aggregate_id


def after_payment(value: int, recorded: Recorded[Paid]) -> Iterable[Command]:
    return ()


def payments(value: int, recorded: Recorded[Paid]) -> int:
    return value + 1


def test_a_key_that_leaves_out_an_event_of_evolve_is_refused() -> None:
    expected = "key will get Refunded, which its annotation leaves out"
    with pytest.raises(CompositionError, match=f"view refunds: {expected}"):
        View(name="refunds", initial=0, key=of_payment, evolve=count)
    with pytest.raises(CompositionError, match=f"process shipping: {expected}"):
        Process(name="shipping", initial=0, key=of_payment, evolve=count, react=nothing)


def test_a_react_that_leaves_out_an_event_of_evolve_is_refused() -> None:
    with pytest.raises(CompositionError, match="react will get Refunded"):
        process(after_payment)


def test_a_react_to_an_event_that_evolve_does_not_take_is_refused() -> None:
    with pytest.raises(CompositionError, match="react takes Refunded and evolve does not"):
        Process(name="shipping", initial=0, key=by_order, evolve=payments, react=nothing)


def test_given_events_need_not_be_those_of_the_annotations() -> None:
    both: Any = (Paid, Refunded)
    view = View(name="refunds", initial=0, key=of_payment, evolve=payments, events=both)
    assert both == view.events
    some = Process(
        name="shipping", initial=0, key=by_order, evolve=payments, react=nothing, events=(Paid,)
    )
    assert (Paid,) == some.events


class WithAmount(Protocol):
    amount: int


class Payment:
    pass


@frozen
class CardPaid(Payment):
    amount: int


@pytest.mark.parametrize("taken", [Any, object, Payment, WithAmount, CardPaid | Paid, CardPaid])
def test_a_key_may_take_more_than_evolve(taken: Any) -> None:
    def key(recorded: Any) -> str:
        return ""

    def evolve(value: int, recorded: Recorded[CardPaid]) -> int:
        return value

    key.__annotations__["recorded"] = Recorded[taken]
    assert (CardPaid,) == View(name="refunds", initial=0, key=key, evolve=evolve).events


def test_evolve_of_a_view_must_take_recorded_events() -> None:
    def evolve(value: int, event: Paid) -> int:
        return value

    message = (
        r"evolve: parameter 2 is annotated with <class .*Paid'>, which is not Recorded; "
        r"annotate it with Recorded\[X \| Y\], or pass events=\.\.\."
    )
    with pytest.raises(CompositionError, match=message):
        View(name="v", initial=0, key=by_order, evolve=evolve)  # type: ignore[arg-type]
