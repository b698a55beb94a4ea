"""The checker of deadlines sees each kind of damage, and bugs that are planted in the runtime."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from attrs import evolve

from eventhus import (
    Application,
    CommandRefused,
    DeadlineOvertaken,
    DeadlineReached,
    Metadata,
    Recorded,
)
from eventhus.runtime.readers.deadline_timer import DeadlineTimer
from eventhus.runtime.readers.own_streams import OwnStreams
from eventhus.runtime.readers.process_runner import ProcessRunner
from eventhus_memory import MemoryStore
from eventhus_testing import ManualClock
from tests.adapters.mongo.faults.dunning import COMMAND, dunning, fates, unsettled, violations
from tests.bank import Deposit, Deposited, Open, Opened, Rename, Scribbled, Withdraw
from tests.core.hooks import Gate
from tests.core.readers import bank, caught_up
from tests.core.support import Proxy
from tests.core.waiting import settle

Log = Sequence[Recorded[Any]]


async def log_of(app: Application) -> Log:
    return [recorded async for recorded in app.events()]


async def handled() -> Log:
    """A log with deadlines of every fate, and refusals."""
    random, clock, store = Random(7), ManualClock(), MemoryStore()
    proxy, gate = Proxy(store), Gate()
    async with bank(proxy, processes=[dunning], clock=clock) as app:
        for key in "abc":
            await app.dispatch(Open(aggregate_id=key, owner="100"))
        for _ in range(60):
            key = random.choice("abc")
            await app.dispatch(
                random.choice(
                    [
                        Deposit(aggregate_id=key, amount=5),
                        Rename(aggregate_id=key, owner=str(random.randrange(100))),
                        Deposit(aggregate_id=key, amount=5),
                    ]
                )
            )
            await settle()
            clock.advance(timedelta(milliseconds=random.randrange(40)))
            await settle()
        await app.dispatch(Withdraw(aggregate_id="a", amount=1))
        await app.dispatch(Rename(aggregate_id="b", owner="1000"))
        await settle()
        proxy.before["append"] = gate
        clock.advance(timedelta(seconds=2))
        await gate.arrived.wait()
        async with bank(store) as other:
            for key in "ab":
                await other.dispatch(Deposit(aggregate_id=key, amount=5))
        gate.opened.set()
        for _ in range(5):
            await settle()
            clock.advance(timedelta(seconds=10))
        await caught_up(app, dunning)
        return await log_of(app)


async def test_nothing_is_wrong_with_what_the_runtime_does() -> None:
    log = await handled()
    for cls in (DeadlineReached, DeadlineOvertaken, CommandRefused):
        assert any(isinstance(each.event, cls) for each in log)
    assert [] == violations(log)


def first(log: Log, cls: type) -> int:
    return next(index for index, each in enumerate(log) if isinstance(each.event, cls))


def counting(log: Log) -> int:
    """The index of the last deadline that was reached and not overtaken."""
    overtaken = {
        each.metadata.causation_id for each in log if isinstance(each.event, DeadlineOvertaken)
    }
    return next(
        index
        for index, each in reversed([*enumerate(log)])
        if isinstance(each.event, DeadlineReached) and each.id not in overtaken
    )


def without(log: Log, index: int) -> Log:
    return [*log[:index], *log[index + 1 :]]


def early(log: Log) -> Log:
    index = counting(log)
    changed = evolve(log[index], recorded_at=log[index].recorded_at - timedelta(days=1))
    return [*log[:index], changed, *log[index + 1 :]]


def repeated(log: Log) -> Log:
    index = counting(log)
    return [*log[: index + 1], evolve(log[index], id="again"), *log[index + 1 :]]


def unknown(log: Log) -> Log:
    index = counting(log)
    changed = evolve(log[index], metadata=Metadata(causation_id="nothing"))
    return [*log[:index], changed, *log[index + 1 :]]


def cancelled(log: Log) -> Log:
    return without(log, first(log, DeadlineOvertaken))


def dropped(log: Log) -> Log:
    index = first(log, DeadlineOvertaken)
    cause = log[counting(log)].id
    return [*log, evolve(log[index], metadata=Metadata(causation_id=cause))]


DAMAGE: dict[str, Callable[[Log], Log]] = {
    "lost": lambda log: without(log, counting(log)),
    "early": early,
    "repeated": repeated,
    "unknown": unknown,
    "cancelled": cancelled,
    "dropped": dropped,
    "unanswered": lambda log: without(log, first(log, Scribbled)),
    "answered again": lambda log: [*log, log[first(log, CommandRefused)]],
}


@pytest.mark.parametrize("kind", DAMAGE)
async def test_damage_to_a_log_is_seen(kind: str) -> None:
    log = await handled()
    found = {each.partition(":")[0] for each in violations(DAMAGE[kind](log))}
    assert kind in found


async def _any_time(self: Any, document: Any, deadline: Any, now: Any) -> None:
    await REACH_ONE(self, document, deadline, now - timedelta(hours=1))


async def _never_overtaken(self: Any, *_: Any, **__: Any) -> bool:
    return False


REACH_ONE = DeadlineTimer._reach_one
BUGS = {
    "early": (DeadlineTimer, "_reach_one", _any_time),
    "cancelled": (ProcessRunner, "_is_overtaken", _never_overtaken),
    "lost": (DeadlineTimer, "_reach", lambda _: settle()),
}


@pytest.mark.parametrize("kind", BUGS)
async def test_a_bug_in_the_runtime_is_seen(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(*BUGS[kind])
    if kind == "lost":  # or it would look again for ever
        monkeypatch.setattr(DeadlineTimer, "_look", _nothing)
    assert kind in {each.partition(":")[0] for each in violations(await _simple())}


async def _nothing(_: Any) -> None:
    """See no deadline."""


async def test_an_append_without_a_command_id_of_its_own_is_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As by two workers at once; here one appends twice."""
    append = OwnStreams.append

    async def twice(self: Any, key: str, event: Any, *, command_id: str, **options: Any) -> Any:
        await append(self, key, event, command_id=f"{command_id}1", **options)
        return await append(self, key, event, command_id=f"{command_id}2", **options)

    monkeypatch.setattr(OwnStreams, "append", twice)
    assert "repeated" in {each.partition(":")[0] for each in violations(await _simple())}


async def _simple() -> Log:
    """A log with one deadline that passes, and one that is cancelled while it is reached."""
    clock, store = ManualClock(), MemoryStore()
    proxy, gate = Proxy(store), Gate()
    async with bank(proxy, processes=[dunning], clock=clock) as app:
        await app.dispatch(Open(aggregate_id="a", owner="100"))
        await settle()
        clock.advance(timedelta(seconds=1))
        await settle()
        await app.dispatch(Open(aggregate_id="b", owner="100"))
        await settle()
        proxy.before["append"] = gate
        clock.advance(timedelta(seconds=1))
        await settle()
        async with bank(store) as other:
            await other.dispatch(Deposit(aggregate_id="b", amount=5))
        gate.opened.set()
        await settle()
        await caught_up(app, dunning)
        log = await log_of(app)
    assert any(isinstance(each.event, Deposited) for each in log)
    return log


async def sent() -> tuple[dict[str, int], Log]:
    """Return how many events each of some commands has led to, and their log."""
    told: dict[str, int] = {}
    async with bank(MemoryStore(), processes=[dunning], clock=ManualClock()) as app:
        for command_id, command in {
            "opened": Open(aggregate_id="a", owner="100"),
            "deposited": Deposit(aggregate_id="a", amount=5),
            "unchanged": Rename(aggregate_id="a", owner="100"),
        }.items():
            metadata = Metadata(values={COMMAND: command_id})
            told[command_id] = len((await app.dispatch(command, metadata=metadata)).events)
        await caught_up(app, dunning)
        return told, await log_of(app)


async def test_commands_that_had_their_effect_once_are_settled() -> None:
    told, log = await sent()
    assert {"opened": 1, "deposited": 1, "unchanged": 0} == told
    assert [] == unsettled(told, log)


async def test_a_command_with_another_effect_than_was_told_is_seen() -> None:
    told, log = await sent()
    deposited = first(log, Deposited)
    assert ["undone: command deposited"] == unsettled(told, without(log, deposited))
    assert ["done again: command deposited"] == unsettled(told, [*log, log[deposited]])
    refused = {**told, "deposited": 0}
    assert ["done again: command deposited"] == unsettled(refused, log)


async def test_fates_count_the_deadlines_that_are_armed_at_a_position() -> None:
    log = await _simple()
    (opened_a, opened_b) = [each.position for each in log if isinstance(each.event, Opened)]
    assert {"reached": 1} == +fates(log, opened_a)
    assert {"cancelled": 1} == +fates(log, opened_b)
    assert {} == +fates(log, 0)
    assert {} == +fates(log, len(log))
