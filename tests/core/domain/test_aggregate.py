"""Aggregates: classes read from functions, folding, and refused arguments."""

import dataclasses
from collections.abc import AsyncIterator, Iterable
from typing import Any, cast

import attrs
import pytest
from attrs import define, frozen
from attrs.exceptions import FrozenInstanceError

from eventhus import Aggregate, Command, Rejected
from eventhus.errors import CompositionError


@frozen(kw_only=True)
class Switch(Command):
    on: bool


@frozen(kw_only=True)
class Dim(Command):
    to: int


@frozen
class Switched:
    on: bool


@frozen
class Dimmed:
    to: int


@frozen
class Lamp:
    on: bool = False
    brightness: int = 100


def decide(command: Switch | Dim, lamp: Lamp) -> Iterable[Switched | Dimmed]:
    match command:
        case Switch():
            yield Switched(command.on)
        case Dim():
            yield Dimmed(command.to)


def evolve(lamp: Lamp, event: Switched | Dimmed) -> Lamp:
    match event:
        case Switched():
            return attrs.evolve(lamp, on=event.on)
        case Dimmed():
            return attrs.evolve(lamp, brightness=event.to)


def lamp(**changes: Any) -> Aggregate[Any, Any, Any]:
    """The aggregate under test, with some arguments changed."""
    arguments: dict[str, Any] = {"name": "Lamp", "initial": Lamp()}
    return Aggregate(**{**arguments, "decide": decide, "evolve": evolve, **changes})


def test_the_classes_are_read_from_the_annotations() -> None:
    """Commands come from decide, events and the state from evolve."""
    aggregate = lamp()
    assert (Switch, Dim) == aggregate.commands
    assert (Switched, Dimmed) == aggregate.events
    assert Lamp is aggregate.state_type


def test_classes_that_are_passed_replace_the_annotations() -> None:
    aggregate = lamp(
        decide=lambda command, lamp: (),
        evolve=lambda lamp, event: lamp,
        commands=[Dim],
        events=[Dimmed],
        state_type=Lamp | None,
    )
    assert [Dim] == aggregate.commands
    assert [Dimmed] == aggregate.events
    assert Lamp | None == aggregate.state_type


def test_a_state_without_annotation_has_the_type_of_initial() -> None:
    aggregate = lamp(evolve=lambda lamp, event: lamp, events=(Switched,))
    assert Lamp is aggregate.state_type


def test_fold_starts_from_initial_and_applies_events_in_order() -> None:
    aggregate = lamp()
    events = [Switched(on=True), Dimmed(30), Dimmed(40), Switched(on=False)]
    assert Lamp(on=False, brightness=40) == aggregate.fold(events)
    assert Lamp() == aggregate.fold([])
    assert Lamp(on=True) == aggregate.fold(iter(events[:1]))


def test_an_aggregate_is_immutable() -> None:
    with pytest.raises(FrozenInstanceError):
        lamp().name = "Torch"  # type: ignore[misc]


def test_a_command_is_immutable() -> None:
    command = Switch(aggregate_id="hall", on=True)
    with pytest.raises(FrozenInstanceError):
        command.aggregate_id = "attic"  # type: ignore[misc]
    assert Switch(aggregate_id="hall", on=True) == command


@define
class Mutable:
    on: bool


@dataclasses.dataclass(frozen=True)
class NotAttrs:
    on: bool


class Blink(Command):
    """Has a field that nobody made one."""

    times: int


class Undecorated(Switched):
    """Derived from an event, but not decorated itself."""


@frozen
class Foreign:
    pass


NO_EVENT = "decorate it with @attrs.frozen"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param(
            {"name": ""},
            "the name of an aggregate or a decision must be a non-empty str, found ''",
            id="empty name",
        ),
        pytest.param(
            {"name": 5},
            "the name of an aggregate or a decision must be a non-empty str, found 5",
            id="name not a str",
        ),
        pytest.param(
            {"commands": (Switch, int)},
            "Lamp: int is not a command; derive it from eventhus.Command",
            id="not a command",
        ),
        pytest.param(
            {"commands": (Switch | Dim,)},
            f"Lamp: {Switch | Dim!r} is not a command; derive it from eventhus.Command",
            id="commands not classes",
        ),
        pytest.param(
            {"commands": (Command,)},
            "Lamp: decide is annotated with Command itself, so commands cannot be routed; annotate "
            "it with your command classes or pass commands=(...)",
            id="Command itself",
        ),
        pytest.param(
            {"commands": (Blink,)},
            "Lamp: command Blink has fields but is not an attrs class; decorate it with "
            "@attrs.frozen(kw_only=True)",
            id="command not attrs",
        ),
        pytest.param(
            {"events": (Switched, NotAttrs)},
            f"Lamp: event NotAttrs is not an attrs class; {NO_EVENT}",
            id="event not attrs",
        ),
        pytest.param(
            {"events": (Undecorated,)},
            f"Lamp: event Undecorated is not an attrs class; {NO_EVENT}",
            id="subclass of an event, not attrs",
        ),
        pytest.param(
            {"events": ("Switched",)},
            f"Lamp: event 'Switched' is not an attrs class; {NO_EVENT}",
            id="event not a class",
        ),
        pytest.param(
            {"events": (Mutable,)},
            f"Lamp: event Mutable is mutable; {NO_EVENT}",
            id="mutable event",
        ),
        pytest.param(
            {"names": {Foreign: "Switched"}},
            "Lamp: names mentions Foreign, which is not one of its events; add it to the "
            "annotation of evolve, or remove it",
            id="name of a foreign class",
        ),
        pytest.param(
            {"upcasters": {Foreign: ()}},
            "Lamp: upcasters mentions Foreign, which is not one of its events; add it to the "
            "annotation of evolve, or remove it",
            id="upcasters of a foreign class",
        ),
        *[
            pytest.param(
                {"upcasters": {Switched: upcasters}},
                "Lamp: the upcasters of Switched must be a list of functions, one for each change, "
                "oldest first",
                id=f"upcasters that are a {type(upcasters).__name__}",
            )
            for upcasters in cast("list[object]", [dict, "dict", [{}]])
        ],
        pytest.param(
            {"aliases": {"LampSwitched": Foreign}},
            "Lamp: aliases mentions Foreign, which is not one of its events; add it to the "
            "annotation of evolve, or remove it",
            id="alias of a foreign class",
        ),
    ],
)
def test_invalid_arguments_are_refused(changes: dict[str, Any], expected: str) -> None:
    with pytest.raises(CompositionError) as caught:
        lamp(**changes)
    assert expected == str(caught.value)


def test_decide_annotated_with_any_is_refused() -> None:
    def anything(command: Any, lamp: Lamp) -> Iterable[Switched]:
        return ()

    with pytest.raises(CompositionError, match="Any is not a command"):
        lamp(decide=anything)


def test_an_event_class_may_be_frozen_by_inheritance() -> None:
    derived = define(type("Derived", (Switched,), {}))
    assert (derived,) == lamp(events=(derived,)).events


async def later(command: Switch, lamp: Lamp) -> list[Switched]:
    return []


async def one_by_one(command: Switch, lamp: Lamp) -> AsyncIterator[Switched]:
    yield Switched(on=True)


@pytest.mark.parametrize(
    ("decide", "expected"),
    [
        (
            lambda command, lamp: lamp.__class__ and later(command, lamp),
            "decide of Lamp is async, and must be pure; make it a plain def",
        ),
        (
            lambda command, lamp: lamp.__class__ and one_by_one(command, lamp),
            "decide of Lamp is async, and must be pure; make it a plain def",
        ),
        (
            lambda command, lamp: [[Switched(on=True)]],
            ("decide of Lamp returned a list as an event; use yield from, or return it alone"),
        ),
        (
            lambda command, lamp: [Rejected("no")],
            "decide of Lamp returned Rejected as an event; raise it",
        ),
    ],
)
def test_decide_must_return_events(decide: Any, expected: str) -> None:
    made = lamp(decide=decide, commands=(Switch,))
    with pytest.raises(TypeError) as caught:
        made.decided(Switch(aggregate_id="hall", on=True), made.initial)
    assert expected == str(caught.value)
