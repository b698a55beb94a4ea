"""The composition root: which parts fit together, and when an application can be used."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import attrs
import pytest
from attrs import frozen

from eventhus import Aggregate, Application, Command, EventhusError
from eventhus.errors import CompositionError, NotRunning
from eventhus_memory import MemoryStore
from tests.bank import Account, Open, Opened, Script, account, note
from tests.core.hooks import at, fail_with
from tests.core.support import JsonCodec, Proxy, RecordingBus, compose, recorded


@frozen(kw_only=True)
class Shut(Command):
    """Taken by another aggregate."""


def decide_other(command: Shut, state: int) -> Iterator[Any]:
    """Nothing."""
    yield from ()


def evolve_other(state: int, event: Any) -> int:
    """Nothing."""
    return state


def other(**changes: Any) -> Aggregate[Any, Any, Any]:
    """An aggregate that fits, but for the changes."""
    good: dict[str, Any] = {
        "name": "Other",
        "initial": 0,
        "decide": decide_other,
        "evolve": evolve_other,
        "commands": (Shut,),
        "events": (),
    }
    return Aggregate(**{**good, **changes})


def same_name_elsewhere() -> type:
    """Another class of the stored name ``Opened``."""
    return attrs.make_class("Opened", {"by": attrs.field(type=str)}, frozen=True)


# Composition.


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"bucket": ""}, "bucket ''", id="empty bucket"),
        pytest.param({"bucket": "a b"}, "bucket 'a b'", id="space in bucket"),
        pytest.param({"bucket": "a.b"}, "bucket", id="dot in bucket"),
        pytest.param({"bucket": "a/b"}, "bucket", id="slash in bucket"),
        pytest.param({"bucket": "$a"}, "bucket", id="dollar in bucket"),
        pytest.param({"bucket": "a\n"}, "bucket", id="line break behind bucket"),
        pytest.param({"bucket": "bänk"}, "bucket", id="letter beyond ASCII in bucket"),
        pytest.param({"bucket": "a" * 64}, "1 to 63", id="long bucket"),
        pytest.param(
            {"workers": 0}, "workers must be an int of at least 1, found 0", id="no worker"
        ),
        pytest.param({"workers": -1}, "workers", id="less than no worker"),
        pytest.param(
            {"cache_size": -1}, "cache_size must be an int of at least 0, found -1", id="cache"
        ),
        pytest.param(
            {"snapshot_every": 0}, "snapshot_every must be an int of at least 1", id="snapshots"
        ),
        pytest.param({"aggregates": [account, account]}, "2 parts are named 'Account'", id="twice"),
        pytest.param(
            {"aggregates": [account, other(name="Account")]},
            "2 parts are named 'Account'",
            id="two of a name",
        ),
        pytest.param(
            {"aggregates": [account, other(commands=(Shut, Open))]},
            "command Open is handled by Account and by Other",
            id="command of two",
        ),
        pytest.param(
            {"aggregates": [account, other(events=(same_name_elsewhere(),))]},
            "the stored name 'Opened' stands for",
            id="two events of a name",
        ),
        pytest.param(
            {"aggregates": [account, other(events=(Opened,), names={Opened: "Erst"})]},
            "event Opened is declared twice",
            id="an event of two names",
        ),
        pytest.param({"aggregates": [other(commands=())]}, "handles no commands", id="no command"),
    ],
)
def test_parts_that_do_not_fit_are_refused_before_any_port_is_called(
    options: dict[str, Any], message: str
) -> None:
    store, bus = Proxy(), RecordingBus()
    with pytest.raises(CompositionError, match=message):
        compose(store, bus=bus, **options)
    assert {} == store.calls
    assert 0 == bus.entered


def test_an_event_class_that_the_codec_cannot_handle_is_refused() -> None:
    """At composition, not when the first event is stored."""

    class NoNames(JsonCodec):
        def encoder(self, as_type: Any) -> Callable[[Any], Any]:
            if as_type is Opened:
                raise CompositionError("Opened.owner: no encoder")
            return super().encoder(as_type)

    with pytest.raises(CompositionError, match=r"Opened\.owner"):
        compose(codec=NoNames())


def test_a_composition_error_is_a_type_error() -> None:
    with pytest.raises(TypeError) as caught:
        compose(workers=0)
    assert isinstance(caught.value, EventhusError)


@pytest.mark.parametrize("bucket", ["a", "Bank_2-eu", "a" * 63])
def test_a_valid_bucket_name_is_accepted(bucket: str) -> None:
    assert bucket == compose(bucket=bucket).bucket


def test_aggregates_may_come_from_an_iterator() -> None:
    app = compose(aggregates=iter([account, note]))
    assert isinstance(app, Application)


async def test_composing_calls_no_port() -> None:
    """An application can be built at import and entered later."""
    store, bus = Proxy(), RecordingBus()
    compose(store, bus=bus, snapshot_every=1)
    assert {} == store.calls
    assert 0 == bus.entered


# Before, during and after.

USES: list[Any] = [
    pytest.param(lambda app: app.dispatch(Open(aggregate_id="a")), id="dispatch"),
    pytest.param(lambda app: app.state(account, "a"), id="state"),
    pytest.param(lambda app: app.load(account, "a"), id="load"),
    pytest.param(lambda app: app.history(account, "a"), id="history"),
    pytest.param(lambda app: app.subscribe(_ignore), id="subscribe"),
    pytest.param(lambda app: anext(app.follow()), id="follow"),
]


async def _ignore(_: object) -> None:
    """Take an event and do nothing."""


@pytest.mark.parametrize("use", USES)
async def test_an_application_can_only_be_used_inside_async_with(
    use: Callable[[Application], Awaitable[Any]],
) -> None:
    """Before it is entered and after it was left, nothing reaches the store."""
    store = Proxy()
    app = compose(store, bus=RecordingBus())
    with pytest.raises(NotRunning, match="async with"):
        await use(app)
    assert {} == store.calls
    async with app:
        pass
    store.calls.clear()
    with pytest.raises(NotRunning, match="async with"):
        await use(app)
    assert {} == store.calls


async def test_an_application_cannot_be_entered_twice_at_once() -> None:
    """The refusal does not disturb the running one."""
    store = Proxy()
    async with compose(store) as app:
        with pytest.raises(NotRunning, match="already running"):
            async with app:
                pass
        assert 1 == (await app.dispatch(Open(aggregate_id="a"))).version
        assert 1 == store.calls["__aenter__"]


async def test_an_application_can_be_entered_again_after_it_was_left() -> None:
    store, bus = Proxy(), RecordingBus()
    app = compose(store, bus=bus)
    for version in (1, 2):
        async with app:
            command = Script(aggregate_id="a", decide=lambda _: [Opened("Ada")])
            assert version == (await app.dispatch(command)).version
    assert [1, 2] == bus.positions
    assert (2, 2) == (store.calls["__aenter__"], store.calls["__aexit__"])


async def test_an_application_that_was_not_entered_cannot_be_left() -> None:
    with pytest.raises(NotRunning):
        await compose().__aexit__(None, None, None)


async def test_an_error_inside_async_with_propagates_and_leaves_the_application() -> None:
    store, bus = Proxy(), RecordingBus()
    app = compose(store, bus=bus)

    async def run() -> None:
        async with app:
            await app.dispatch(Open(aggregate_id="a"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await run()
    assert [1] == bus.positions
    assert 1 == store.calls["__aexit__"]
    assert 0 == bus.entered


async def test_an_application_can_be_entered_after_its_store_could_not_be_opened() -> None:
    store, bus = Proxy(), RecordingBus()
    store.before["__aenter__"] = at([1], fail_with(ConnectionError("down")))
    app = compose(store, bus=bus)
    with pytest.raises(ConnectionError):
        async with app:
            pass
    with pytest.raises(NotRunning):
        await app.dispatch(Open(aggregate_id="a"))
    assert 0 == bus.entered
    async with app:
        await app.dispatch(Open(aggregate_id="a"))


class ClosedBus(RecordingBus):
    """Cannot be entered."""

    async def __aenter__(self) -> Any:
        raise ConnectionError("down")


async def test_the_store_is_closed_if_the_bus_cannot_be_opened() -> None:
    store = Proxy()
    with pytest.raises(ConnectionError):
        async with compose(store, bus=ClosedBus()):
            pass
    assert (1, 1) == (store.calls["__aenter__"], store.calls["__aexit__"])


async def test_everything_is_closed_if_middleware_raises_on_entering() -> None:
    """Relay, bus and store, in reverse order."""

    def broken(_: Any) -> Any:
        raise ZeroDivisionError

    store, bus = Proxy(), RecordingBus()
    with pytest.raises(ZeroDivisionError):
        async with compose(store, bus=bus, middleware=[broken]):
            pass
    assert 1 == store.calls["__aexit__"]
    assert 0 == bus.entered


async def test_the_bus_is_closed_before_the_store() -> None:
    """Subscribers may still read while they finish."""
    left: list[str] = []
    store = Proxy()

    class Bus(RecordingBus):
        async def __aexit__(self, *_: object) -> None:
            left.append("bus")

    async def note_store(*_: object) -> None:
        left.append("store")

    store.before["__aexit__"] = note_store
    async with compose(store, bus=Bus()):
        pass
    assert ["bus", "store"] == left


async def test_two_applications_may_share_a_store() -> None:
    """Leaving one does not close the store for the other."""
    store = MemoryStore()
    async with compose(store) as one:
        async with compose(store) as two:
            await two.dispatch(Open(aggregate_id="a"))
        assert Account("Ada") == await one.state(account, "a")


def test_the_wire_form_needs_no_running_application() -> None:
    assert b'"data":{"owner":"Ada"}' in compose().wire(recorded(Opened("Ada")))
