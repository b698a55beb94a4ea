"""One poisoned key of a view does not stop the others, and comes back whole."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from eventhus import Application, ParkedKey, Recorded, StreamId, View
from eventhus.errors import (
    DocumentDamaged,
    InvalidArgument,
    KeyParked,
    LogChanged,
    NotRunning,
    ReaderStopped,
)
from eventhus.ports import EventData, ViewWrite
from eventhus.runtime.readers import refold
from eventhus_memory import MemoryStore
from eventhus_testing.conformance.store.samples import commit
from tests.bank import Deposited, Renamed
from tests.core.hooks import at, fail_with
from tests.core.readers import (
    Damaged,
    Paged,
    balances,
    bank,
    welcome,
)
from tests.core.support import FakeClock, Proxy, add
from tests.core.waiting import eventually

NAME = "view_totals"
POISON = 13
DOWN = ConnectionError("down")


def key(recorded: Recorded[Any]) -> str:
    return recorded.stream.aggregate_id


def total(value: int, recorded: Recorded[Deposited]) -> int:
    return value + recorded.event.amount


def fails_on(*amounts: int) -> Callable[[int, Recorded[Deposited]], int]:
    """``total`` with a bug that certain amounts meet."""

    def evolve(value: int, recorded: Recorded[Deposited]) -> int:
        if recorded.event.amount in amounts:
            raise KeyError("secret")
        return total(value, recorded)

    return evolve


def totals(*poison: int) -> View[Any, int]:
    """The view with a bug, or as it is once that was mended."""
    return totals_with(fails_on(*poison))


def totals_with(evolve: Callable[[Any, Recorded[Any]], Any], *events: type) -> View[Any, int]:
    """The view ``totals`` with another ``evolve``."""
    return View(
        name="totals",
        initial=0,
        key=key,
        evolve=evolve,
        events=[Deposited, *events],
        view_type=int,
    )


broken, mended = totals(POISON), totals()


async def parked_store(*later: int, store: MemoryStore | None = None) -> MemoryStore:
    """A store with the events 1, 13 and ``later`` of the key a, and 2 of b; a is parked at 2."""
    store = store or MemoryStore()
    async with bank(store, views=[broken]) as app:
        await add(app, 1, POISON)
        await add(app, 2, aggregate_id="b")
        await app.caught_up(broken)
        await add(app, *later)
        await app.caught_up(broken)
    return store


async def whereabouts(app: Application, view: View[Any, Any]) -> list[tuple[str, int, str]]:
    return [(each.key, each.position, each.error) for each in await app.parked(view)]


async def test_a_damaged_document_parks_its_key_alone() -> None:
    """Until the next event of its key, it fails those who look at it. A retry mends it."""
    store = MemoryStore()
    async with bank(store, views=[mended]) as app:
        await add(app, 1)
        await add(app, 2, aggregate_id="b")
        await app.caught_up(mended)
    async with bank(Damaged(store), views=[mended]) as app:
        with pytest.raises(DocumentDamaged, match="value of key 'a' of view totals"):
            await app.view(mended, "a")
        with pytest.raises(DocumentDamaged, match="value of key 'a' of view totals"):
            await app.find(mended)
        await add(app, 4, aggregate_id="b")
        await add(app, 3, 5)
        await app.caught_up(mended)
        assert 6 == await app.view(mended, "b")
        assert [("a", 4, "DocumentDamaged")] == await whereabouts(app, mended)
        await app.retry(mended, "a")
        assert 9 == await app.view(mended, "a")
        await add(app, 1)
        await app.caught_up(mended)
        assert 10 == await app.view(mended, "a")


async def test_a_poisoned_key_does_not_stop_the_others() -> None:
    store, clock = Paged(), FakeClock()
    async with bank(store, views=[broken], clock=clock) as app:
        await add(app, 1)
        await add(app, 2, aggregate_id="b")
        await add(app, POISON, 4)
        await add(app, 5, aggregate_id="b")
        before = clock.now()
        await app.caught_up(broken)
        assert 7 == await app.view(broken, "b")
        with pytest.raises(KeyParked) as caught:
            await app.view(broken, "a")
        (parked,) = await app.parked(broken)
        assert ParkedKey(key="a", position=3, error="KeyError", at=parked.at) == parked
        assert parked.at > before
        await add(app, 6)
        await add(app, 7, aggregate_id="b")
        await app.caught_up(broken)
        assert 14 == await app.view(broken, "b")
        assert [parked] == await app.parked(broken)
    assert KeyParked("view totals", "a", 3, "KeyError").args == caught.value.args
    assert 7 == (await store.load_checkpoint(NAME)).position


async def test_one_line_is_logged_without_data_when_a_key_is_parked(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with bank(views=[broken]) as app:
        await add(app, 1, POISON, POISON, 4, aggregate_id="a\nb")
        await app.caught_up(broken)
    (record,) = caplog.records
    assert (logging.ERROR, "eventhus.runtime.readers.projector") == (record.levelno, record.name)
    text = caplog.text
    assert (
        "view totals parked key 'a\\nb' at Account/a\\nb, version 2, position 2: KeyError was "
        "raised (tests.core.runtime.readers.test_parking.fails_on.<locals>.evolve, line "
    ) in text
    assert 1 == text.count("\n")
    assert "secret" not in text


async def test_a_retried_key_holds_every_event_once_the_code_is_mended() -> None:
    """Also those that came while it was parked, and from then on it goes on like any other."""
    store = await parked_store(4, 5)
    async with bank(store, views=[mended]) as app:
        await add(app, 6)
        await app.caught_up(mended)
        assert [("a", 2, "KeyError")] == await whereabouts(app, mended)
        await app.retry(mended, "a")
        assert 1 + POISON + 4 + 5 + 6 == await app.view(mended, "a")
        assert [] == await app.parked(mended)
        await add(app, 7)
        await app.caught_up(mended)
        assert 1 + POISON + 4 + 5 + 6 + 7 == await app.view(mended, "a")
        assert 2 == await app.view(mended, "b")


async def test_a_retry_reads_a_long_log_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refold, "PAGE", 2)
    store = await parked_store(4, 5, 6, 7)
    async with bank(store, views=[mended]) as app:
        await app.retry(mended, "a")
        assert 1 + POISON + 22 == await app.view(mended, "a")


@pytest.mark.parametrize(
    ("poison", "position"), [(1, 1), (POISON, 2), (5, 5)], ids=["earlier", "the same", "later"]
)
async def test_a_key_that_fails_again_stays_parked_at_the_event_that_failed(
    poison: int, position: int
) -> None:
    store = await parked_store(4, 5, 6)
    view = totals(poison)
    async with bank(store, views=[view]) as app:
        with pytest.raises(KeyParked) as caught:
            await app.retry(view, "a")
        assert ("a", position) == (caught.value.key, caught.value.position)
        assert isinstance(caught.value.__cause__, KeyError)
        assert [("a", position, "KeyError")] == await whereabouts(app, view)
        await add(app, 7)
        await app.caught_up(view)
    async with bank(store, views=[mended]) as app:
        await app.retry(mended, "a")
        assert 1 + POISON + 22 == await app.view(mended, "a")


async def test_a_skipped_event_is_left_out_and_the_decision_is_kept() -> None:
    store, clock = await parked_store(4, POISON, 5), FakeClock()
    async with bank(store, views=[broken], clock=clock) as app:
        with pytest.raises(KeyParked) as caught:
            await app.skip(broken, "a", 2, why="a test deposit")
        assert 5 == caught.value.position
        await app.skip(broken, "a", 5, why="another one")
        assert 10 == await app.view(broken, "a")
        await add(app, 6)
        await app.caught_up(broken)
        assert 16 == await app.view(broken, "a")
    document = (await store.load_documents(NAME, ["a"]))["a"]
    assert [(2, "a test deposit"), (5, "another one")] == [
        (each.position, each.why) for each in document.skipped
    ]
    assert {type(clock.now())} == {type(each.at) for each in document.skipped}


async def test_a_later_retry_still_leaves_out_what_was_skipped() -> None:
    store = await parked_store(4)
    view = totals(POISON, 7)
    async with bank(store, views=[view]) as app:
        await app.skip(view, "a", 2, why="a test deposit")
        await add(app, 7, 8)
        await app.caught_up(view)
        assert [("a", 5, "KeyError")] == await whereabouts(app, view)
    async with bank(store, views=[mended]) as app:
        await app.retry(mended, "a")
        assert 1 + 4 + 7 + 8 == await app.view(mended, "a")


async def test_a_key_without_any_other_event_has_no_value_after_a_skip() -> None:
    async with bank(views=[broken]) as app:
        await add(app, POISON)
        await app.caught_up(broken)
        await app.skip(broken, "a", 1, why="a test deposit")
        assert await app.view(broken, "a") is None
        await add(app, 3)
        await app.caught_up(broken)
        assert 3 == await app.view(broken, "a")


async def test_another_event_than_the_one_that_parked_the_key_is_not_skipped() -> None:
    store = await parked_store(4)
    async with bank(store, views=[broken]) as app:
        for position in (1, 4, 99):
            message = f"key 'a' of view totals is parked at position 2, not {position}; look at"
            with pytest.raises(InvalidArgument, match=message):
                await app.skip(broken, "a", position, why="a guess")
        assert [("a", 2, "KeyError")] == await whereabouts(app, broken)


@pytest.mark.parametrize("why", ["", "\ud800", None, "x" * 1025])
async def test_a_skip_without_a_reason_is_refused(why: Any) -> None:
    store = await parked_store()
    async with bank(store, views=[broken]) as app:
        with pytest.raises(InvalidArgument):
            await app.skip(broken, "a", 2, why=why)


async def test_a_reset_view_folds_parked_keys_and_skipped_events_again() -> None:
    store = await parked_store(4)
    async with bank(store, views=[broken]) as app:
        await app.skip(broken, "a", 2, why="a test deposit")
        await app.reset(broken)
        await app.caught_up(broken)
        assert [("a", 2, "KeyError")] == await whereabouts(app, broken)
    async with bank(store, views=[mended]) as app:
        await app.reset(mended)
        await app.caught_up(mended)
        assert 1 + POISON + 4 == await app.view(mended, "a")


async def test_a_view_stops_at_the_event_that_would_park_one_key_too_many() -> None:
    store = MemoryStore()
    async with bank(store) as app:
        for name in "abc":
            await add(app, POISON, aggregate_id=name)
        await add(app, 5, aggregate_id="d")
    async with bank(store, views=[broken], max_parked=2) as app:
        with pytest.raises(ReaderStopped) as caught:
            await app.caught_up(broken)
        assert (
            "view totals stopped at Account/c, version 1: KeyError was raised, and max_parked=2 "
            "keys are parked already; it continues once the running code can handle that event"
            == str(caught.value)
        )
        assert isinstance(caught.value.__cause__, KeyError)
        await app.skip(broken, "a", 1, why="a test deposit")
        await eventually(lambda: store._checkpoints[NAME][0].position == 4)  # noqa: SLF001
        assert [("b", 2, "KeyError"), ("c", 3, "KeyError")] == await whereabouts(app, broken)


async def test_a_skipped_key_makes_room_for_another_one(caplog: pytest.LogCaptureFixture) -> None:
    async with bank(views=[broken], max_parked=1) as app:
        await add(app, POISON)
        await app.caught_up(broken)
        await app.skip(broken, "a", 1, why="a test deposit")
        await add(app, POISON, aggregate_id="b")
        await app.caught_up(broken)
        assert [("b", 2, "KeyError")] == await whereabouts(app, broken)
    assert "stopped at" not in caplog.text


async def test_parking_many_keys_counts_them_once() -> None:
    store = Proxy()
    async with bank(store) as app:
        for number in range(20):
            await add(app, POISON, aggregate_id=f"a{number}")
    async with bank(store, views=[broken], max_parked=20) as app:
        await app.caught_up(broken)
        assert 1 == store.calls["load_parked"]
        assert 20 == len(await app.parked(broken))


async def test_parked_keys_are_listed_page_by_page() -> None:
    async with bank(views=[broken]) as app:
        for name in ("b", "a", "", "c"):
            await add(app, POISON, aggregate_id=name or "empty")
        await app.caught_up(broken)
        keys = ["a", "b", "c", "empty"]
        assert keys[:2] == [each.key for each in await app.parked(broken, limit=2)]
        assert keys[2:] == [each.key for each in await app.parked(broken, after="b")]


async def test_the_trouble_of_a_store_parks_nothing() -> None:
    store = Proxy()
    for method in ("load_documents", "save_documents", "load_parked", "save_checkpoint"):
        store.before[method] = at(range(1, 3), fail_with(DOWN))
    async with bank(store, views=[broken]) as app:
        await add(app, 1, 2)
        await add(app, POISON, aggregate_id="b")
        await app.caught_up(broken)
        assert 3 == await app.view(broken, "a")
        assert [("b", 3, "KeyError")] == await whereabouts(app, broken)


class Narrow(Proxy):
    """Keeps no value above 5."""

    async def save_documents(self, collection: str, writes: Sequence[ViewWrite]) -> frozenset[str]:
        """See ``ViewStore.save_documents``."""
        if any((write.document.data or 0) > 5 for write in writes):
            raise InvalidArgument("too large")
        return await super().save_documents(collection, writes)


async def test_a_value_that_the_store_refuses_parks_its_key() -> None:
    store = Narrow()
    async with bank(store) as app:
        await add(app, 3)
        await add(app, 4, aggregate_id="b")
        await add(app, 3, 9)
        await add(app, 1, aggregate_id="b")
    async with bank(store, views=[mended]) as app:
        await app.caught_up(mended)
        assert 5 == await app.view(mended, "b")
        assert [("a", 3, "InvalidArgument")] == await whereabouts(app, mended)
        with pytest.raises(KeyParked) as caught:
            await app.retry(mended, "a")
        assert isinstance(caught.value.__cause__, InvalidArgument)
        assert [("a", 4, "InvalidArgument")] == await whereabouts(app, mended)
    async with bank(store.inner, views=[mended]) as app:
        await app.retry(mended, "a")
        assert 15 == await app.view(mended, "a")


async def test_a_value_of_another_type_parks_its_key_at_the_event_that_made_it() -> None:
    def unfit(value: int, recorded: Recorded[Deposited]) -> Any:
        return "secret" if value not in (0, 1) or recorded.event.amount == POISON else 1

    view = totals_with(unfit)
    store = MemoryStore()
    async with bank(store, views=[view]) as app:
        await add(app, 1, POISON, 4)
        await add(app, 5, aggregate_id="b")
        await app.caught_up(view)
        assert 1 == await app.view(view, "b")
        assert [("a", 2, "CodecError")] == await whereabouts(app, view)
        with pytest.raises(KeyParked):
            await app.retry(view, "a")
        assert [("a", 2, "CodecError")] == await whereabouts(app, view)
        await app.skip(view, "a", 2, why="a test deposit")
        assert 1 == await app.view(view, "a")


# What is refused.

ASKED: dict[str, Callable[[Application, Any, Any], Awaitable[object]]] = {
    "parked": lambda app, view, key: app.parked(view, after=key),
    "retry": lambda app, view, key: app.retry(view, key),
    "skip": lambda app, view, key: app.skip(view, key, 1, why="x"),
}
asked = pytest.mark.parametrize("way", ASKED)


@asked
async def test_views_of_other_applications_and_keys_that_are_not_text_are_refused(way: str) -> None:
    app = bank(views=[broken])
    with pytest.raises(NotRunning):
        await ASKED[way](app, broken, "a")
    async with app:
        for foreign in (balances, welcome):
            with pytest.raises(InvalidArgument, match="is not a view or process of this appl"):
                await ASKED[way](app, foreign, "a")
        with pytest.raises(InvalidArgument, match="expected a View or Process"):
            await ASKED[way](app, "totals", "a")
        for wrong in ("\ud800", 7):
            with pytest.raises(InvalidArgument, match="a key must be a str"):
                await ASKED[way](app, broken, wrong)


async def test_a_key_that_is_not_parked_is_not_retried() -> None:
    """A misspelt key would otherwise seem to be mended."""
    store = await parked_store()
    async with bank(store, views=[broken]) as app:
        for name in ("b", "nobody"):
            with pytest.raises(InvalidArgument, match=f"key '{name}' of view totals is not parked"):
                await app.retry(broken, name)
        with pytest.raises(InvalidArgument):
            await app.parked(broken, limit=0)


async def test_a_key_is_not_folded_from_another_history_of_the_log() -> None:
    store = await parked_store(4)
    other = MemoryStore()
    other._checkpoints, other._documents = store._checkpoints, store._documents  # noqa: SLF001
    async with bank(other) as app:
        await add(app, 1, 1, 1, 1, 1)
    async with bank(other, views=[mended]) as app:
        with pytest.raises(LogChanged):
            await app.retry(mended, "a")
        assert [("a", 2, "KeyError")] == await whereabouts(app, mended)


async def test_a_key_stays_parked_if_the_log_cannot_be_decoded() -> None:
    """Nobody knows the key of such an event."""
    store = MemoryStore()
    ignored = commit(StreamId("Account", "z"), events=[EventData("Renamed", {"of": "old"})])
    async with bank(store, views=[broken]) as app:
        await add(app, 1)
        await store.append(ignored)
        await add(app, POISON, 4)
        await app.caught_up(broken)

    def evolve(value: int, recorded: Recorded[Any]) -> int:
        return value + 1

    wider = totals_with(evolve, Renamed)
    store._registrations.clear()  # noqa: SLF001 - it would be refused as another view
    async with bank(store, views=[wider]) as app:
        with pytest.raises(ReaderStopped, match="Account/z, version 1: Renamed"):
            await app.retry(wider, "a")
        assert [("a", 3, "KeyError")] == await whereabouts(app, wider)
