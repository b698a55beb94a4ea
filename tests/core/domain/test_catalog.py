"""The catalog: stored names, upcasters, and ambiguous declarations."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from attrs import frozen

from eventhus import Aggregate, Command
from eventhus.domain.catalog import Catalog, EventType
from eventhus.errors import CodecError, CompositionError
from eventhus.ports import EventData


@frozen(kw_only=True)
class Rent(Command):
    pass


@frozen(kw_only=True)
class Return(Command):
    pass


@frozen
class Rented:
    days: int


@frozen
class Returned:
    pass


def decide(command: Rent | Return, state: int) -> Iterable[Rented | Returned]:
    return ()


def evolve(state: int, event: Rented | Returned) -> int:
    return state


def aggregate(name: str, **changes: Any) -> Aggregate[Any, Any, Any]:
    """An aggregate of some name; the others' commands are left to them."""
    arguments: dict[str, Any] = {"initial": 0, "decide": decide, "evolve": evolve, **changes}
    return Aggregate(name=name, **arguments)


def another(name: str, **changes: Any) -> Aggregate[Any, Any, Any]:
    """A second aggregate beside ``aggregate``, with a command of its own."""

    @frozen(kw_only=True)
    class Other(Command):
        pass

    return aggregate(name, commands=(Other,), **changes)


def named(name: str) -> type:
    """An event class called ``name``, a new one each time."""
    return frozen(type(name, (), {"__module__": "elsewhere"}))


def test_each_command_class_leads_to_its_aggregate() -> None:
    car = aggregate("Car")
    bike = another("Bike", events=())
    assert {Rent: car, Return: car, bike.commands[0]: bike} == Catalog([car, bike]).routes


def test_a_command_class_may_be_listed_twice() -> None:
    car = aggregate("Car", commands=(Rent, Rent))
    assert {Rent: car} == Catalog([car]).routes


def test_event_types_are_found_by_class_and_by_name() -> None:
    catalog = Catalog([aggregate("Car")])
    rented = EventType(name="Rented", cls=Rented, schema=1, upcasters=())
    returned = EventType(name="Returned", cls=Returned, schema=1, upcasters=())
    assert [rented, returned] == catalog.types()
    assert rented == catalog.of_class(Rented)
    assert returned == catalog.of_name("Returned")


def test_an_event_class_may_be_listed_twice() -> None:
    catalog = Catalog([aggregate("Car", events=(Rented, Rented))])
    assert [Rented] == [event_type.cls for event_type in catalog.types()]


def test_names_replace_the_stored_name_of_a_class() -> None:
    catalog = Catalog([aggregate("Car", names={Rented: "CarRented"})])
    assert "CarRented" == catalog.of_class(Rented).name
    assert Rented is catalog.of_name("CarRented").cls
    with pytest.raises(CodecError):
        catalog.of_name("Rented")


def test_an_alias_is_read_and_never_written() -> None:
    catalog = Catalog([aggregate("Car", aliases={"Hired": Rented, "Lent": Rented})])
    assert catalog.of_class(Rented) == catalog.of_name("Hired") == catalog.of_name("Lent")
    assert "Rented" == catalog.of_class(Rented).name
    assert [Rented, Returned] == [event_type.cls for event_type in catalog.types()]


def test_an_alias_may_equal_the_current_name() -> None:
    catalog = Catalog([aggregate("Car", aliases={"Rented": Rented})])
    assert Rented is catalog.of_name("Rented").cls


def test_a_new_class_can_take_the_former_name_of_a_renamed_one() -> None:
    new = named("Rented")
    events = (Rented, new)
    catalog = Catalog([aggregate("Car", events=events, names={Rented: "Rented1", new: "Rented"})])
    assert Rented is catalog.of_name("Rented1").cls
    assert new is catalog.of_name("Rented").cls


def test_two_aggregates_can_share_an_event_class() -> None:
    upcasters = {Rented: (dict[str, Any],)}
    catalog = Catalog([aggregate("Car", upcasters=upcasters), another("Bike", upcasters=upcasters)])
    assert [Rented, Returned] == [event_type.cls for event_type in catalog.types()]


def test_an_unknown_stored_name_raises_codec_error() -> None:
    with pytest.raises(CodecError) as caught:
        Catalog([aggregate("Car")]).of_name("Hired")
    assert (
        "Hired: no aggregate of this application declares an event of this name; "
        "declare it, or map the name to its new class in aliases={...}"
    ) == str(caught.value)
    assert "Hired" == caught.value.type
    assert caught.value.__suppress_context__


def test_an_undeclared_class_has_no_event_type() -> None:
    with pytest.raises(LookupError):
        Catalog([aggregate("Car")]).of_class(int)


@pytest.mark.parametrize(
    ("aggregates", "expected"),
    [
        pytest.param(
            lambda: [aggregate("Car"), another("Car")],
            "2 parts are named 'Car'; rename all but one",
            id="two aggregates of one name",
        ),
        pytest.param(
            lambda: [aggregate("Car"), aggregate("Bike")],
            "command Rent is handled by Car and by Bike; give each of them commands of its own",
            id="two routes",
        ),
        pytest.param(
            lambda: [aggregate("Car", commands=())],
            "Car handles no commands; pass commands=(...)",
            id="no route",
        ),
        pytest.param(
            lambda: [aggregate("Car", events=(Rented, named("Rented")))],
            f"the stored name 'Rented' stands for {__name__}.Rented and for elsewhere.Rented; "
            "give one another name in names={...}",
            id="two classes of one name in an aggregate",
        ),
        pytest.param(
            lambda: [aggregate("Car"), another("Bike", events=(named("Returned"),))],
            f"the stored name 'Returned' stands for {__name__}.Returned and for "
            "elsewhere.Returned; give one another name in names={...}",
            id="two classes of one name in two aggregates",
        ),
        pytest.param(
            lambda: [aggregate("Car", names={Rented: "Returned"})],
            f"the stored name 'Returned' stands for {__name__}.Rented and for "
            f"{__name__}.Returned; give one another name in names={{...}}",
            id="a given name that another class has",
        ),
        pytest.param(
            lambda: [aggregate("Car", aliases={"Returned": Rented})],
            f"the stored name 'Returned' stands for {__name__}.Returned and for "
            f"{__name__}.Rented; give one another name in names={{...}}",
            id="an alias that is a name",
        ),
        pytest.param(
            lambda: [
                aggregate("Car", aliases={"Hired": Rented}),
                another("Bike", aliases={"Hired": Returned}),
            ],
            f"the stored name 'Hired' stands for {__name__}.Rented and for "
            f"{__name__}.Returned; give one another name in names={{...}}",
            id="an alias of two classes",
        ),
        pytest.param(
            lambda: [
                aggregate("Car", aliases={"Hired": Rented}),
                another("Bike", events=(named("Hired"),)),
            ],
            f"the stored name 'Hired' stands for {__name__}.Rented and for elsewhere.Hired; "
            "give one another name in names={...}",
            id="a name that is an alias",
        ),
        pytest.param(
            lambda: [aggregate("Car"), another("Bike", names={Rented: "BikeRented"})],
            "event Rented is declared twice with different names, upcasters or tags; "
            "declare it the same way everywhere",
            id="one class under two names",
        ),
        pytest.param(
            lambda: [aggregate("Car"), another("Bike", upcasters={Rented: (dict,)})],
            "event Rented is declared twice with different names, upcasters or tags; "
            "declare it the same way everywhere",
            id="one class with two histories",
        ),
    ],
)
def test_ambiguous_catalogs_are_refused(
    aggregates: Callable[[], Iterable[Aggregate[Any, Any, Any]]], expected: str
) -> None:
    with pytest.raises(CompositionError) as caught:
        Catalog(aggregates())
    assert expected == str(caught.value)


def in_hours(data: dict[str, Any]) -> dict[str, Any]:
    """From schema 1 to 2; builds new data."""
    return {"hours": data["hours"], "steps": [*data.get("steps", []), 1]}


def in_days(data: dict[str, Any]) -> dict[str, Any]:
    """From schema 2 to 3; changes what it is given, nested parts too."""
    data["days"] = data.pop("hours") // 24
    data["steps"].append(2)
    return data


UPCAST = EventType(name="Rented", cls=Rented, schema=3, upcasters=(in_hours, in_days))


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (EventData("Rented", {"hours": 48}, 1), {"days": 2, "steps": [1, 2]}),
        (EventData("Rented", {"hours": 48, "steps": []}, 2), {"days": 2, "steps": [2]}),
        (EventData("Rented", {"days": 2, "steps": []}, 3), {"days": 2, "steps": []}),
    ],
)
def test_data_of_every_schema_passes_all_later_upcasters(
    stored: EventData, expected: dict[str, Any]
) -> None:
    assert expected == UPCAST.upcast(stored)


def test_the_schema_is_one_more_than_the_upcasters() -> None:
    catalog = Catalog([aggregate("Car", upcasters={Rented: [in_hours, in_days]})])
    assert UPCAST == catalog.of_class(Rented)
    assert 1 == catalog.of_class(Returned).schema


def test_upcasting_does_not_change_the_stored_data() -> None:
    data = {"hours": 48, "steps": [0]}
    assert {"days": 2, "steps": [0, 2]} == UPCAST.upcast(EventData("Rented", data, 2))
    assert {"hours": 48, "steps": [0]} == data


@pytest.mark.parametrize("schema", [0, -1, 4])
def test_an_unknown_schema_raises_codec_error(schema: int) -> None:
    with pytest.raises(CodecError) as caught:
        UPCAST.upcast(EventData("Rented", {"owner": "secret"}, schema))
    assert (
        f"Rented: stored with schema {schema}, but only 1 to 3 are known; "
        f"deploy the version that wrote it, or a later one"
    ) == str(caught.value)


def test_an_error_of_an_upcaster_becomes_a_codec_error() -> None:
    with pytest.raises(CodecError) as caught:
        UPCAST.upcast(EventData("Rented", {"hours": "secret", "steps": []}, 2))
    assert (
        "Rented: the upcaster from schema 2 to 3 raised TypeError; "
        "make it accept everything that was stored"
    ) == str(caught.value)
    assert caught.value.__suppress_context__  # its text may quote the data


def test_a_codec_error_has_the_stored_name_of_the_event() -> None:
    with pytest.raises(CodecError) as caught:
        UPCAST.upcast(EventData("Hired", {}, 1))
    assert "Hired" == caught.value.type


async def in_hours_async(data: dict[str, Any]) -> dict[str, Any]:
    return data


ANSWERS: dict[str, tuple[Any, str]] = {
    "nothing": (lambda _: None, "returned None"),
    "a list": (lambda data: [data, data], "returned a list"),
    "a coroutine": (in_hours_async, "returned a coroutine"),
}


@pytest.mark.parametrize(("upcaster", "answer"), ANSWERS.values(), ids=ANSWERS.keys())
def test_an_upcaster_that_returns_no_dict_is_named(upcaster: Any, answer: str) -> None:
    event_type = EventType(
        name="Rented", cls=Rented, schema=4, upcasters=(in_hours, upcaster, in_days)
    )
    with pytest.raises(CodecError) as caught:
        event_type.upcast(EventData("Rented", {"hours": 48}, 1))
    assert (
        f"Rented: the upcaster from schema 2 to 3 {answer}; "
        f"return the data as a dict: one event in, one event out"
    ) == str(caught.value)
