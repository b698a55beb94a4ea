"""Cases of consumer groups, readers and repairs that run on every store."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from eventhus import Delivered, Replayed
from eventhus.errors import InvalidArgument, ReaderBusy
from eventhus.operations import Operations, Redactable, ShownLetter
from eventhus.operations.app_parts import AppParts
from eventhus.operations.folded import folded_of
from eventhus.ports import Storage
from tests.bank import Scribble
from tests.core.finding import orders
from tests.core.operations.cases import A, bank, bare, case, leases_of
from tests.core.readers import balances, welcome
from tests.core.support import add
from tests.core.waiting import eventually_so


class Refusing:
    """A handler that refuses some amounts."""

    def __init__(self, *refused: int) -> None:
        self.refused = {*refused}
        self.got: list[int] = []

    async def __call__(self, delivered: Delivered[Any]) -> None:
        """Take a deposit."""
        if delivered.event.amount in self.refused:
            raise ValueError(delivered.event.amount)
        self.got.append(delivered.event.amount)


async def letters_of(operations: Operations, number: int) -> list[ShownLetter]:
    """Return the dead letters of the group mail, once there are so many."""
    found: list[ShownLetter] = []

    async def are_there() -> bool:
        found[:] = await operations.dead_letters("mail")
        return len(found) == number

    await eventually_so(are_there)
    return found


@case
async def dead_letters_are_shown_replayed_and_discarded(store: Storage) -> None:
    refusing = Refusing(1, 2, 3)
    async with bank(store) as app:
        await app.subscribe(refusing, group="mail", attempts=1, start="beginning")
        await add(app, 1, 2, 3, 4)
        operations = Operations(app)
        first, second, third = await letters_of(operations, 3)
        assert (
            first.group,
            first.position,
            first.stream,
            first.type,
            first.error,
            first.attempts,
            first.problem,
        ) == ("mail", 1, A, "Deposited", "ValueError", 1, None)
        assert first.body["data"] == {"amount": 1}
        assert [second] == [*await operations.dead_letters("mail", after=first.number, limit=1)]
        refusing.refused = {2}
        assert Replayed(handled=1, failed=0) == await operations.replay("mail", number=first.number)
        assert Replayed(handled=0, failed=2) == await operations.replay("mail")
        await operations.discard("mail", second.number)
        other = Refusing()
        assert Replayed(handled=1, failed=0) == await operations.replay("mail", handler=other)
        assert [third.body["data"]["amount"]] == other.got
        assert [*await operations.dead_letters("mail")] == []


@case
async def a_replay_without_a_handler_needs_one_subscription(store: Storage) -> None:
    async with bank(store) as app:
        refusing = Refusing(1)
        subscription = await app.subscribe(refusing, group="mail", attempts=1, start="beginning")
        await add(app, 1)
        operations = Operations(app)
        await letters_of(operations, 1)
        second = await app.subscribe(Refusing(), group="mail")
        with pytest.raises(InvalidArgument, match="has subscribed several handlers with group"):
            await operations.replay("mail")
        await second.close()
        await subscription.close()
        with pytest.raises(InvalidArgument, match="has subscribed no handler with group 'mail'"):
            await operations.replay("mail")
        again = await app.subscribe(Refusing(), group="mail")
        assert Replayed(handled=1, failed=0) == await operations.replay("mail")
        await again.close()


@case
async def redact_reaches_the_bodies_of_dead_letters(store: Storage) -> None:
    def hide(datum: Redactable) -> Any:
        assert (datum.kind, datum.name) == ("letter", "Deposited")
        return {**datum.data, "data": "***"}

    async with bank(store) as app:
        await app.subscribe(Refusing(1), group="mail", attempts=1, start="beginning")
        await add(app, 1)
        (letter,) = await letters_of(Operations(app, redact=hide), 1)
        assert letter.body["data"] == "***"
        (letter,) = await letters_of(Operations(app, redact=lambda _: {1, 2}), 1)
        assert (
            letter.body,
            letter.problem,
        ) == (None, "not shown: redact returned a set and not plain data")


@case
async def a_group_that_nobody_is_subscribed_to_is_moved(store: Storage) -> None:
    async with bank(store) as app:
        refusing = Refusing()
        subscription = await app.subscribe(refusing, group="mail", start="beginning")
        await add(app, 1, 2, 3)
        operations = Operations(app)

        async def are_handled() -> bool:
            (group,) = [each for each in await operations.readers() if each.kind == "group"]
            return group.position == 3

        await eventually_so(are_handled)
        (group,) = [each for each in await operations.readers() if each.kind == "group"]
        assert (
            group.name,
            group.is_declared,
            group.waiting,
            group.waiting_since,
            group.problems,
        ) == ("mail", True, 0, None, ())
        with pytest.raises(ReaderBusy):
            await operations.move("mail", 1)
        await subscription.close()
        with pytest.raises(InvalidArgument, match="start is 9, and the log ends at 3"):
            await operations.move("mail", 9)
        with pytest.raises(InvalidArgument, match="no group 'male'; there are: mail"):
            await operations.move("male", 1)
        await operations.move("mail", 1)
        (group,) = [each for each in await operations.readers() if each.kind == "group"]
        assert (group.position, group.waiting, group.is_declared) == (1, 2, False)
        (problem,) = (await Operations(app, stalled_after_s=0).health()).problems
        assert problem.endswith("nobody holds its lease; start a worker")
        await operations.delete_group("mail")
        assert (await Operations(app, stalled_after_s=0).health()).problems == ()


@case
async def readers_are_listed_whether_code_declares_them_or_not(store: Storage) -> None:
    newer = evolve(orders, version=2)
    async with bank(store, views=[orders, balances], processes=[welcome]) as app:
        await add(app, 1, 13)
        for each in (orders, balances, welcome):
            await app.caught_up(each)
        found = {(r.kind, r.name): r for r in await Operations(app).readers()}
        assert {("view", "orders"), ("view", "balances"), ("process", "welcome")} == found.keys()
        orders_1 = found["view", "orders"]
        assert (
            orders_1.position,
            orders_1.head,
            orders_1.waiting,
            orders_1.parked,
        ) == (2, 2, 0, 1)
        assert orders_1.moved_at is not None
        assert None not in {orders_1.owner, orders_1.owned_since}
        assert {orders_1.owner, found["process", "welcome"].owner} < {
            each.owner for each in await leases_of(Operations(app))
        }
    async with bank(store, views=[newer]) as app:
        await app.caught_up(newer)
        operations = Operations(app)
        found_2 = {(r.name, r.version, r.is_declared) for r in await operations.readers()}
        assert {
            ("orders", 2, True),
            ("orders", 1, False),
            ("balances", 1, False),
            ("welcome", 1, False),
        } == found_2
        # A version that nobody follows any more is no problem of this application.
        await add(app, 1)
        await app.caught_up(newer)
        async with bank(store, views=[orders]).watching() as older:
            assert (await folded_of(AppParts(older), "view", "orders")).version == 1
        hasty = Operations(app, stalled_after_s=0)
        assert {()} == {r.problems for r in await hasty.readers() if not r.is_declared}
        (orders_2,) = [r for r in await operations.readers() if r.is_declared]
        assert "view_orders.v2" in {each.name for each in await operations.leases()}
        assert orders_2.owner is not None
        assert [(each.name, each.version) for each in (await operations.health()).readers] == [
            ("orders", 2)
        ]
        pruned = await operations.prune("balances")
        assert [(each.name, each.version) for each in pruned] == [("balances", 1), ("orders", 1)]
        assert (await folded_of(AppParts(app), "view", "orders")).version == 2
        await app.dispatch(Scribble(aggregate_id="n"))
        await app.caught_up(newer)
    async with bank(store) as app:
        await app.dispatch(Scribble(aggregate_id="n"))
    async with bare(store) as app:
        operations = Operations(app)
        found_3 = sorted((r.name, r.version, r.waiting) for r in await operations.readers())
        assert found_3 == [("orders", 2, 1), ("welcome", 1, 3)]
        # The registration of a view tells that it does not want this event.
        unwanted = {r.name for r in await operations.readers() if r.waiting_since is None}
        assert unwanted == {"orders"}
        assert await operations.document("view", "orders", "a", version=2) is not None
        assert (
            (await operations.health()).readers,
            (await operations.health()).is_healthy,
            (await operations.health()).is_ready,
        ) == ((), True, True)


@case
async def views_are_built_and_pruned_by_name(store: Storage) -> None:
    async with bank(store) as app:
        await add(app, 1)
    async with bank(store, views=[orders], work=False) as app:
        operations = Operations(app)
        await operations.build("orders")
        assert (await operations.health()).is_ready
        assert [*await operations.prune()] == []


@case
async def code_that_is_not_deployed_yet_looks_without_a_trace(store: Storage) -> None:
    async with bank(store) as app:
        await add(app, 1)
    async with bank(store, views=[orders], processes=[welcome]).watching() as app:
        operations = Operations(app)
        found = await operations.health()
        assert (found.is_healthy, found.is_live, found.is_ready) == (True, True, False)
        assert [(each.name, each.position, each.moved_at) for each in found.readers] == [
            ("orders", 0, None),
            ("welcome", 0, None),
        ]
        page = await operations.documents("view", "orders")
        assert (
            tuple(page.documents),
            page.cursor,
            page.position,
            page.parked,
        ) == ((), None, 0, 0)
        assert await operations.document("process", "welcome", "a") is None
        assert [*await operations.deadlines("welcome")] == []
    async with bare(store) as app:
        assert [*await Operations(app).readers()] == []
