"""Arguments that an application refuses before anything is written or handled."""

from functools import partial
from typing import Any, cast

import attrs
import pytest

from eventhus import Aggregate, Application, Recorded, View
from eventhus.errors import CompositionError, InvalidArgument, UndeclaredEvent, UnknownCommand
from eventhus_cattrs import CattrsCodec
from eventhus_memory import MemoryBus, MemoryStore
from tests.bank import Open, Opened, account, decide, evolve, redefined
from tests.core.support import RecordingBus, compose


def count(number: int, recorded: Recorded[Opened]) -> int:
    return number + 1


def by_id(recorded: Recorded[Opened]) -> str:
    return recorded.stream.aggregate_id


counts = View(name="counts", initial=0, key=by_id, evolve=count)
mutable = View[Any, Any](name="mutable", initial=[], key=by_id, evolve=count)


async def handle(recorded: Recorded[Any]) -> None:
    pass


def handle_plainly(recorded: Recorded[Any]) -> None:
    pass


class Handler:
    async def __call__(self, recorded: Recorded[Any], extra: int = 0) -> None:
        pass

    async def handle(self, recorded: Recorded[Any]) -> None:
        pass


class PlainHandler:
    def __call__(self, recorded: Recorded[Any]) -> None:
        pass


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"aggregates": [account, counts]},
            (
                "aggregates must hold instances of Aggregate, found view counts; move it to "
                "views=[...]"
            ),
        ),
        (
            {"views": [account]},
            (
                "views must hold instances of View, found aggregate Account; move it to "
                "aggregates=[...]"
            ),
        ),
        (
            {"processes": ["counts"]},
            "processes must hold instances of Process, found 'counts'; remove it",
        ),
        (
            {"aggregates": [Aggregate]},
            "aggregates must hold instances of Aggregate, found class Aggregate; remove it",
        ),
        (
            {"aggregates": account},
            "aggregates must be a list, found aggregate Account; put it in brackets",
        ),
        (
            {
                "aggregates": [
                    Aggregate[Any, Any, Any](
                        name="Account", initial={}, decide=decide, evolve=evolve
                    )
                ]
            },
            (
                "aggregate Account: initial is a mutable dict, and all states start from it; use "
                "@attrs.frozen, tuple and frozenset, and annotate a field with a dict as Mapping"
            ),
        ),
        (
            {"views": [mutable]},
            (
                "view mutable: initial is a mutable list, and all states start from it; use "
                "@attrs.frozen, tuple and frozenset, and annotate a field with a dict as Mapping"
            ),
        ),
    ],
)
def test_parts_of_another_kind_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(CompositionError) as caught:
        compose(**options)
    assert message == str(caught.value)


@pytest.mark.parametrize("method", ["subscribe", "replay"])
@pytest.mark.parametrize(
    ("handler", "name"),
    [
        (handle_plainly, "handle_plainly"),
        (PlainHandler(), "PlainHandler"),
        (Handler, "Handler"),
        (partial(handle_plainly), "partial"),
        (None, "NoneType"),
    ],
)
async def test_a_handler_that_cannot_be_awaited_is_refused(
    method: str, handler: Any, name: str
) -> None:
    """A plain def has its effect, then fails, and would be tried again and again."""
    async with compose(bus=RecordingBus()) as app:
        with pytest.raises(InvalidArgument) as caught:
            await getattr(app, method)(handler)
    assert (f"the handler {name} is not a coroutine function; define it with async def") == str(
        caught.value
    )


@pytest.mark.parametrize(
    "handler", [handle, Handler(), Handler().handle, partial(Handler(), extra=1), partial(handle)]
)
async def test_every_kind_of_coroutine_function_is_a_handler(handler: Any) -> None:
    async with compose(bus=MemoryBus()) as app:
        await app.subscribe(handler)


@pytest.mark.parametrize(
    ("types", "message"),
    [
        (["Opened"], "types must hold event classes, found 'Opened'; pass the class itself"),
        (
            [account],
            "types must hold event classes, found aggregate Account; pass the class itself",
        ),
        (Opened, "types must be a list of event classes, found class Opened; put it in brackets"),
        (
            [Open],
            (
                "Open is not an event of this application; compose it with the aggregate that "
                "declares it"
            ),
        ),
    ],
)
async def test_types_that_are_not_event_classes_are_refused(types: Any, message: str) -> None:
    async with compose(bus=RecordingBus()) as app:
        with pytest.raises(InvalidArgument) as caught:
            await app.subscribe(handle, types=types)
    assert message == str(caught.value)


@pytest.mark.parametrize(
    ("method", "arguments", "wanted"),
    [
        ("view", ("counts", "a"), "View"),
        ("state", ("counts", "a"), "Aggregate"),
        ("load", ("counts", "a"), "Aggregate"),
        ("history", ("counts", "a"), "Aggregate"),
        ("caught_up", ("counts",), "View or Process"),
        ("reset", ("counts",), "View"),
    ],
)
async def test_a_name_is_refused_where_the_object_is_needed(
    method: str, arguments: tuple[Any, ...], wanted: str
) -> None:
    async with compose(views=[counts]) as app:
        with pytest.raises(InvalidArgument) as caught:
            await getattr(app, method)(*arguments)
    assert (
        f"expected {'an' if wanted == 'Aggregate' else 'a'} {wanted}, found 'counts'; pass the "
        f"object that the application is composed of"
    ) == str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"store": "memory://"},
            (
                "store must be an adapter, found the text 'memory://'; pass URLs to "
                "Application.open(...)"
            ),
        ),
        ({"store": None}, "store must be an instance of an adapter, found a NoneType"),
        ({"bus": MemoryStore()}, "bus must be an instance of an adapter, found a MemoryStore"),
        (
            {"codec": CattrsCodec},
            "codec must be an instance of an adapter, found class CattrsCodec",
        ),
        ({"workers": "4"}, "workers must be an int of at least 1, found '4'"),
        ({"shutdown_timeout_s": "9"}, "shutdown_timeout_s must be above 0 and finite, found '9'"),
    ],
)
def test_adapters_and_settings_of_another_kind_are_refused(
    options: dict[str, Any], message: str
) -> None:
    arguments: dict[str, Any] = {
        "bucket": "bank",
        "aggregates": [account],
        "store": MemoryStore(),
        "codec": CattrsCodec(),
        **options,
    }
    with pytest.raises(CompositionError) as caught:
        Application(**arguments)
    assert message == str(caught.value)


async def test_a_class_is_refused_where_a_command_is_needed() -> None:
    async with compose() as app:
        with pytest.raises(InvalidArgument, match="found class Open; create an instance"):
            await app.dispatch(cast("Any", Open))


@pytest.mark.parametrize("metadata", [{"user": "ann"}, {}])
async def test_metadata_of_another_class_is_refused(metadata: Any) -> None:
    async with compose() as app:
        with pytest.raises(InvalidArgument, match="metadata must be a Metadata, found a dict"):
            await app.dispatch(Open(aggregate_id="a", owner="ann"), metadata=metadata)


NAMESAKE = "another class of that name is known, {}: import it from one place"


async def test_a_redefined_command_is_refused_with_what_happened() -> None:
    async with compose() as app:
        with pytest.raises(UnknownCommand, match=NAMESAKE.format(f"{Open.__module__}.Open")):
            await app.dispatch(redefined(Open)(aggregate_id="a", owner="ann"))


async def test_a_redefined_event_is_refused_with_what_happened() -> None:
    again = redefined(Opened)
    advice = NAMESAKE.format(f"{Opened.__module__}.Opened")
    async with compose(bus=RecordingBus()) as app:
        with pytest.raises(InvalidArgument, match=advice):
            await app.subscribe(handle, types=[again])
    with pytest.raises(CompositionError, match=advice):
        compose(views=[View(name="v", initial=0, key=by_id, evolve=count, events=[again])])
    deciding = attrs.evolve(account, decide=lambda *_: [again(owner="ann")])
    async with compose(aggregates=[deciding]) as app:
        with pytest.raises(UndeclaredEvent, match=advice):
            await app.dispatch(Open(aggregate_id="a", owner="ann"))


@pytest.mark.parametrize("position", [-1, 2**63, 10**400])
async def test_waiting_for_a_position_that_no_log_reaches_is_refused(position: int) -> None:
    """It would never end."""
    async with compose(views=[counts]) as app:
        with pytest.raises(InvalidArgument, match="position is"):
            await app.caught_up(counts, position)
