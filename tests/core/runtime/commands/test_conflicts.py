"""Other writers get in between: expected versions, and deciding again."""

from random import Random
from typing import Any

import pytest

from eventhus import Application, ConcurrencyError, StreamId
from eventhus.errors import InvalidArgument, TooManyConflicts
from eventhus.runtime.commands.executor import ATTEMPTS, CONFLICT_BACKOFF
from eventhus_memory import MemoryStore
from tests.bank import (
    Account,
    Deposit,
    Deposited,
    InsufficientFunds,
    NotOpen,
    Open,
    Rename,
    Script,
    Withdraw,
    account,
)
from tests.core.hooks import Hook, at
from tests.core.support import FakeClock, Proxy, compose, stored_events

A = StreamId("Account", "a")


def deposit_through(other: Application, amount: int = 1) -> Hook:
    """A hook by which another application writes to the stream."""

    async def hook(*_: object) -> None:
        await other.dispatch(Deposit(aggregate_id="a", amount=amount))

    return hook


async def test_a_command_is_decided_again_on_events_that_got_in_between() -> None:
    """The events that are appended come from the state that they are appended to."""
    store, clock = Proxy(), FakeClock()
    async with compose(store, clock=clock) as app, compose(store.inner) as other:
        await app.dispatch(Open(aggregate_id="a"))
        store.before["append"] = at([1], deposit_through(other, amount=40))
        committed = await app.dispatch(
            Script(aggregate_id="a", decide=lambda state: [Deposited(state.balance + 2)])
        )
        assert ([Deposited(42)], 3) == (
            [each.event for each in committed.events],
            committed.version,
        )
        assert Account("Ada", 82) == await app.state(account, "a")


async def test_a_conflict_costs_one_read_of_the_new_events() -> None:
    """The part of the stream that was read before is not read again."""
    store, clock = Proxy(), FakeClock()
    async with compose(store, clock=clock) as app, compose(store.inner) as other:
        for _ in range(5):
            await app.dispatch(Script(aggregate_id="a", decide=lambda _: [Deposited(1)]))
        await app.dispatch(Rename(aggregate_id="a", owner="Ada"))
        store.calls.clear()
        store.before["append"] = at([1], deposit_through(other))
        await app.dispatch(Deposit(aggregate_id="a"))
        assert {"append": 2, "load": 1, "events loaded": 1} == store.calls


async def test_a_command_may_be_refused_on_events_that_got_in_between() -> None:
    """The second decision is the one that counts, and it leaves no trace."""
    store, clock = Proxy(), FakeClock()
    async with compose(store, clock=clock) as app, compose(store.inner) as other:
        await app.dispatch(Open(aggregate_id="a"))
        await app.dispatch(Deposit(aggregate_id="a", amount=1))

        async def withdraw(*_: object) -> None:
            await other.dispatch(Withdraw(aggregate_id="a", amount=1))

        store.before["append"] = at([1], withdraw)
        with pytest.raises(InsufficientFunds):
            await app.dispatch(Withdraw(aggregate_id="a", amount=1))
        assert 3 == await store.inner.head()


async def test_a_command_may_become_needless_by_events_that_got_in_between() -> None:
    """Then it is answered without events, at the version of the store."""
    store, clock = Proxy(), FakeClock()
    async with compose(store, clock=clock) as app, compose(store.inner) as other:
        await app.dispatch(Open(aggregate_id="a"))

        async def rename(*_: object) -> None:
            await other.dispatch(Rename(aggregate_id="a", owner="Bob"))

        store.before["append"] = at([1], rename)
        unchanged = await app.dispatch(Rename(aggregate_id="a", owner="Bob"))
        assert ((), 2, 2) == (unchanged.events, unchanged.version, unchanged.position)


async def test_the_last_attempt_may_succeed() -> None:
    store, clock = Proxy(), FakeClock()
    async with compose(store, clock=clock) as app, compose(store.inner) as other:
        await app.dispatch(Open(aggregate_id="a"))
        store.before["append"] = at(range(1, ATTEMPTS), deposit_through(other))
        committed = await app.dispatch(Deposit(aggregate_id="a", amount=100))
        assert 1 + ATTEMPTS == committed.version
        assert ATTEMPTS - 1 == len(clock.sleeps_s)


async def test_a_conflict_of_the_last_attempt_is_reported() -> None:
    """The next command is not affected."""
    store, clock = Proxy(), FakeClock()
    async with compose(store, clock=clock) as app, compose(store.inner) as other:
        await app.dispatch(Open(aggregate_id="a"))
        store.calls.clear()
        store.before["append"] = deposit_through(other)
        with pytest.raises(TooManyConflicts) as caught:
            await app.dispatch(Deposit(aggregate_id="a", amount=100))
        assert (A, ATTEMPTS) == (caught.value.stream, caught.value.attempts)
        assert ATTEMPTS == store.calls["append"]
        assert ATTEMPTS - 1 == len(clock.sleeps_s)
        del store.before["append"]
        await app.dispatch(Deposit(aggregate_id="a", amount=100))
        assert Account("Ada", 100 + ATTEMPTS) == await app.state(account, "a")


async def test_the_pauses_between_attempts_grow_and_are_spread_over_their_range() -> None:
    """Full jitter, from the source of chance that was given: a run can be repeated."""
    store, clock = Proxy(), FakeClock()
    async with (
        compose(store, clock=clock, random=Random(7)) as app,
        compose(store.inner) as other,
    ):
        await app.dispatch(Open(aggregate_id="a"))
        store.before["append"] = deposit_through(other)
        with pytest.raises(TooManyConflicts):
            await app.dispatch(Deposit(aggregate_id="a"))
    caps = [CONFLICT_BACKOFF.delay_s(n) for n in range(1, ATTEMPTS)]
    chance = Random(7)
    assert [chance.uniform(0, cap) for cap in caps] == clock.sleeps_s
    assert max(caps) == CONFLICT_BACKOFF.cap_s


async def test_the_commit_of_every_attempt_has_an_id_of_its_own() -> None:
    """An id that was refused is not taken up again for other events."""
    store, clock = Proxy(), FakeClock()
    seen: list[str] = []
    async with compose(store, clock=clock) as app, compose(store.inner) as other:
        await app.dispatch(Open(aggregate_id="a"))

        async def interfere(commit: Any) -> None:
            seen.append(commit.id)
            if len(seen) < 3:
                await other.dispatch(Deposit(aggregate_id="a"))

        store.before["append"] = interfere
        await app.dispatch(Deposit(aggregate_id="a"))
    assert 3 == len(set(seen))


# expected_version


@pytest.mark.parametrize("warm", [True, False])
async def test_the_expected_version_lets_a_command_through(warm: bool) -> None:
    """0 where the aggregate is new, and the last answer's version later."""
    async with compose(cache_size=10 if warm else 0) as app:
        first = await app.dispatch(Open(aggregate_id="a"), expected_version=0)
        second = await app.dispatch(Deposit(aggregate_id="a"), expected_version=first.version)
        assert 2 == second.version


@pytest.mark.parametrize("expected", [0, 1, 3])
@pytest.mark.parametrize("warm", [True, False])
async def test_another_version_is_refused(expected: int, warm: bool) -> None:
    """Behind or ahead, with the state cached or not: nothing is decided or written."""
    store = MemoryStore()
    decided: list[Account] = []

    def spy(state: Account) -> list[Any]:
        decided.append(state)
        return [Deposited(1)]

    async with compose(store) as first:
        await first.dispatch(Open(aggregate_id="a"))
        await first.dispatch(Deposit(aggregate_id="a"))
        async with compose(store) as second:
            app = first if warm else second
            with pytest.raises(ConcurrencyError) as caught:
                await app.dispatch(Script(aggregate_id="a", decide=spy), expected_version=expected)
    assert (A, expected, 2) == (caught.value.stream, caught.value.expected, caught.value.actual)
    assert [] == decided
    assert 2 == await store.head()


async def test_an_expected_version_ahead_of_a_stale_cache_is_looked_up() -> None:
    """A caller who knows more than the cache is right."""
    store = MemoryStore()
    async with compose(store) as here, compose(store) as there:
        await here.dispatch(Open(aggregate_id="a"))
        newer = await there.dispatch(Deposit(aggregate_id="a"))
        committed = await here.dispatch(Deposit(aggregate_id="a"), expected_version=newer.version)
        assert 3 == committed.version


async def test_an_expected_version_that_only_a_stale_cache_has_is_refused() -> None:
    """A caller who knows as little as the cache is told the version of the store."""
    store = MemoryStore()
    async with compose(store) as here, compose(store) as there:
        older = await here.dispatch(Open(aggregate_id="a"))
        await there.dispatch(Deposit(aggregate_id="a"))
        with pytest.raises(ConcurrencyError) as caught:
            await here.dispatch(Deposit(aggregate_id="a"), expected_version=older.version)
        assert (1, 2) == (caught.value.expected, caught.value.actual)
        await here.dispatch(Deposit(aggregate_id="a"), expected_version=2)


async def test_a_refusal_at_an_expected_version_that_only_the_cache_has_is_a_conflict() -> None:
    """The domain's "no" is about a state that is gone; the caller must look again first."""
    store = MemoryStore()
    async with compose(store) as here, compose(store) as there:
        older = await here.dispatch(Open(aggregate_id="a"))
        await there.dispatch(Deposit(aggregate_id="a"))
        with pytest.raises(ConcurrencyError):
            await here.dispatch(
                Withdraw(aggregate_id="a", amount=5), expected_version=older.version
            )


async def test_a_refusal_at_the_expected_version_is_the_domains() -> None:
    """With the right version, the reason that counts is the domain's."""
    async with compose() as app:
        with pytest.raises(NotOpen):
            await app.dispatch(Deposit(aggregate_id="a"), expected_version=0)


async def test_a_conflict_with_an_expected_version_is_not_retried() -> None:
    """The caller has decided on a state that is gone: one attempt, no pause."""
    store, clock = Proxy(), FakeClock()
    async with compose(store, clock=clock) as app, compose(store.inner) as other:
        await app.dispatch(Open(aggregate_id="a"))
        store.calls.clear()
        store.before["append"] = at([1], deposit_through(other))
        with pytest.raises(ConcurrencyError) as caught:
            await app.dispatch(Deposit(aggregate_id="a"), expected_version=1)
        assert (1, 2) == (caught.value.expected, caught.value.actual)
        assert {"append": 1} == store.calls
        assert [] == clock.sleeps_s
        await app.dispatch(Deposit(aggregate_id="a"), expected_version=2)
        assert 3 == len(await stored_events(store.inner, A))


@pytest.mark.parametrize("expected", [-1, True, "1", 1.0])
async def test_an_invalid_version_is_refused(expected: Any) -> None:
    """It would never fit, and the message would say that version 1 is not 1."""
    async with compose() as app:
        with pytest.raises(InvalidArgument, match="expected_version must be an int of at least 0"):
            await app.dispatch(Open(aggregate_id="a"), expected_version=expected)
        assert [] == await app.history(account, "a")


async def test_the_pauses_of_a_command_outlast_its_rivals() -> None:
    """Seven rival processes kept a command waiting for 1.7 seconds when this was measured."""
    mean_pauses_s = [CONFLICT_BACKOFF.delay_s(n) / 2 for n in range(1, ATTEMPTS)]
    assert sum(mean_pauses_s) > 1.7
