"""Which commands run at the same time, in which order, and who gets which answer."""

import asyncio
from typing import Any

import pytest

from eventhus import Application, Committed, Rejected
from eventhus.errors import NotRunning, UnknownCommand
from eventhus.middleware import Handler
from eventhus.ports import Commit
from tests.bank import Account, Deposit, Deposited, Open, Scribble, Script, Undeclared, account
from tests.core.hooks import Gate, Hook, at
from tests.core.support import FakeClock, Proxy, compose
from tests.core.waiting import eventually, settle


def send(app: Application, aggregate_id: str, amount: int = 1) -> asyncio.Task[Committed]:
    """Dispatch a deposit that needs no open account, in a task of its own."""
    command = Script(aggregate_id=aggregate_id, decide=lambda _: [Deposited(amount)])
    return asyncio.create_task(app.dispatch(command))


def only_for(aggregate_id: str, hook: Hook) -> Hook:
    """A hook before ``append`` that acts on the commits of one aggregate."""

    async def hook_for_one(commit: Commit) -> None:
        if commit.stream.aggregate_id == aggregate_id:
            await hook(commit)

    return hook_for_one


@pytest.mark.parametrize("workers", [1, 3])
async def test_at_most_so_many_commands_run_at_once(workers: int) -> None:
    """And not fewer, where there is work for all."""
    store, gate = Proxy(), Gate()
    store.before["append"] = gate
    async with compose(store, workers=workers) as app:
        tasks = [send(app, f"a{n}") for n in range(10)]
        await settle()
        assert workers == gate.waiting
        assert workers == store.calls["load"]  # the others have not even begun
        gate.opened.set()
        await asyncio.gather(*tasks)


async def test_never_more_than_so_many_at_any_time() -> None:
    """Counted at every append of a busy run, conflicts and refusals included."""
    store = Proxy()
    running = 0
    most = 0

    async def gauge_in(*_: object) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    store.before["append"] = store.before["load"] = gauge_in
    async with compose(store, workers=4, cache_size=0) as app:
        tasks = [send(app, f"a{n % 13}") for n in range(200)]
        await asyncio.gather(*tasks)
    assert 4 == most


async def test_the_default_is_thirty_workers() -> None:
    """As in the Go toolkit's ``AsyncCommandBus(30)``."""
    store, gate = Proxy(), Gate()
    store.before["append"] = gate
    async with compose(store) as app:
        tasks = [send(app, f"a{n}") for n in range(40)]
        await settle()
        assert 30 == gate.waiting
        gate.opened.set()
        await asyncio.gather(*tasks)


async def test_commands_of_one_aggregate_run_in_order_of_arrival() -> None:
    """One at a time, however many workers are free."""
    store, gate = Proxy(), Gate()
    store.before["append"] = gate
    async with compose(store) as app:
        tasks = [send(app, "a", n) for n in range(20)]
        await settle()
        assert 1 == gate.waiting
        gate.opened.set()
        answers = await asyncio.gather(*tasks)
        assert list(range(20)) == [each.events[0].event.amount for each in answers]
        assert list(range(1, 21)) == [each.version for each in answers]


async def test_the_order_is_kept_under_conflict() -> None:
    """A command that has to be decided again does not lose its place."""
    store, clock = Proxy(), FakeClock()
    async with compose(store, clock=clock) as app, compose(store.inner) as other:
        await other.dispatch(Open(aggregate_id="a"))

        async def interfere(*_: object) -> None:
            await other.dispatch(Deposit(aggregate_id="a", amount=1000))

        store.before["append"] = at(range(1, 60, 3), interfere)
        answers = await asyncio.gather(*(send(app, "a", n) for n in range(20)))
        assert list(range(20)) == [each.events[0].event.amount for each in answers]
        history = await app.history(account, "a")
        ours = [each.event.amount for each in history if isinstance(each.event, Deposited)]
        assert list(range(20)) == [amount for amount in ours if amount < 1000]
        assert len(clock.sleeps_s) >= 10


async def test_a_crowd_for_one_aggregate_does_not_keep_the_others_waiting() -> None:
    """However many wait for the same one, they take up one worker."""
    store, gate = Proxy(), Gate()
    store.before["append"] = only_for("hot", gate)
    async with compose(store, workers=2) as app:
        crowd = [send(app, "hot") for _ in range(50)]
        await gate.arrived.wait()
        cold = [send(app, f"cold{n}") for n in range(10)]
        await asyncio.gather(*cold)
        assert not any(each.done() for each in crowd)
        gate.opened.set()
        await asyncio.gather(*crowd)


async def test_two_types_with_one_id_do_not_wait_for_each_other() -> None:
    """A turn belongs to an aggregate, not to an id."""
    store, gate = Proxy(), Gate()
    store.before["append"] = at([1], gate)
    async with compose(store) as app:
        held = send(app, "x")
        await gate.arrived.wait()
        await app.dispatch(Scribble(aggregate_id="x"))
        assert not held.done()
        gate.opened.set()
        await held


class Odd(Rejected):
    """The test refuses odd amounts."""


async def test_every_caller_gets_its_own_answer_or_its_own_error() -> None:
    """Among many at once, answers and refusals are not mixed up."""

    def script(amount: int) -> Any:
        def decide(_: Account) -> list[Deposited]:
            if amount % 2:
                raise Odd(str(amount))
            return [Deposited(amount)]

        return decide

    async with compose(workers=3) as app:
        outcomes = await asyncio.gather(
            *(app.dispatch(Script(aggregate_id=f"a{n % 5}", decide=script(n))) for n in range(100)),
            return_exceptions=True,
        )
    for n, outcome in enumerate(outcomes):
        if n % 2:
            assert isinstance(outcome, Odd)
            assert str(n) == str(outcome)
        else:
            assert isinstance(outcome, Committed)
            assert [Deposited(n)] == [each.event for each in outcome.events]


async def test_a_command_that_nobody_takes_is_unknown() -> None:
    """The error names its class and the classes that would be taken."""

    class Stray(Open):
        """Derived from a command that is taken; a route is for one class alone."""

    async with compose() as app:
        with pytest.raises(UnknownCommand, match=r"Stray.*Deposit, Open, Rename") as caught:
            await app.dispatch(Stray(aggregate_id="a"))
        assert Stray is caught.value.command
        await app.dispatch(Open(aggregate_id="a"))


async def test_a_value_that_is_not_a_command_is_unknown() -> None:
    """An event that was dispatched by mistake, say."""
    event: Any = Undeclared()
    async with compose() as app:
        with pytest.raises(UnknownCommand):
            await app.dispatch(event)


async def test_leaving_answers_what_was_accepted_and_takes_no_more() -> None:
    """Those at work, those in line for an aggregate and those in line for a worker."""
    store, gate = Proxy(), Gate()
    store.before["append"] = gate
    app = compose(store, workers=2)
    tasks: list[asyncio.Task[Committed]] = []

    async def run() -> None:
        async with app:
            tasks.extend(send(app, f"a{n % 3}", n) for n in range(9))
            await settle()

    running = asyncio.create_task(run())
    await gate.arrived.wait()
    await settle()
    await settle()  # the application is being left by now
    assert not running.done()
    assert not any(each.done() for each in tasks)
    with pytest.raises(NotRunning):
        await app.dispatch(Open(aggregate_id="late"))
    gate.opened.set()
    await running
    assert list(range(9)) == [each.result().events[0].event.amount for each in tasks]
    assert 9 == await store.inner.head()
    assert 1 == store.calls["__aexit__"]


async def test_leaving_waits_through_a_lull() -> None:
    """No command at work for a moment, with the next one in line, is not the end."""
    store, gates = Proxy(), [Gate(), Gate()]
    turns = iter(gates)

    async def next_gate(*_: object) -> None:
        await next(turns)()

    store.before["append"] = next_gate
    app = compose(store)

    async def run() -> None:
        async with app:
            tasks.extend([send(app, "a"), send(app, "a")])
            await gates[0].arrived.wait()

    tasks: list[asyncio.Task[Committed]] = []
    running = asyncio.create_task(run())
    for gate in gates:
        await gate.arrived.wait()
        await settle()
        assert not running.done()
        gate.opened.set()
    await running
    assert [1, 2] == [each.result().version for each in tasks]


async def test_a_command_that_its_middleware_held_back_too_long_is_not_taken() -> None:
    """It reaches the bus when the application is being left: refused, and nothing written."""
    gate, store = Gate(), Proxy()

    def hold(handle: Handler) -> Handler:
        async def held(envelope: Any) -> Committed:
            await gate()
            return await handle(envelope)

        return held

    app = compose(store, middleware=[hold])
    async with app:
        task = send(app, "a")
        await gate.arrived.wait()
    gate.opened.set()
    with pytest.raises(NotRunning):
        await task
    assert 0 == await store.inner.head()


async def next_works(app: Application, aggregate_id: str, version: int) -> None:
    """The lane is free: another command goes through at once."""
    assert version == (await send(app, aggregate_id)).version


async def test_cancelled_while_waiting_for_its_turn() -> None:
    """It is not carried out, and the later ones move up."""
    store, gate = Proxy(), Gate()
    store.before["append"] = gate
    async with compose(store) as app:
        first, second, third = (send(app, "a", n) for n in range(3))
        await settle()
        second.cancel()
        await settle()
        assert second.cancelled()
        gate.opened.set()
        assert [0, 2] == [(await each).events[0].event.amount for each in (first, third)]
        await next_works(app, "a", version=3)


async def test_cancelled_when_its_turn_has_come_but_it_does_not_know_yet() -> None:
    """The turn goes on to the next in line."""
    tasks: list[asyncio.Task[Committed]] = []

    def cancel_the_second(handle: Handler) -> Handler:
        async def cancelling(envelope: Any) -> Committed:
            committed = await handle(envelope)
            # The turn has been passed on in this very step of the loop.
            if asyncio.current_task() is tasks[0]:
                tasks[1].cancel()
            return committed

        return cancelling

    store = Proxy()
    async with compose(store, middleware=[cancel_the_second]) as app:
        tasks.extend(send(app, "a", n) for n in range(3))
        await eventually(lambda: all(each.done() for each in tasks))
        assert [False, True, False] == [each.cancelled() for each in tasks]
        await next_works(app, "a", version=3)


async def test_cancelled_while_waiting_for_a_worker() -> None:
    """It holds its aggregate's turn by then, and gives it back."""
    store, gate = Proxy(), Gate()
    store.before["append"] = only_for("a", gate)
    async with compose(store, workers=1) as app:
        busy = send(app, "a")
        await gate.arrived.wait()
        waiting, behind = send(app, "b", 1), send(app, "b", 2)
        await settle()
        waiting.cancel()
        await settle()
        assert waiting.cancelled()
        gate.opened.set()
        await busy
        assert [Deposited(2)] == [each.event for each in (await behind).events]
        await next_works(app, "b", version=2)


async def test_cancelled_when_a_worker_is_free_but_it_does_not_know_yet() -> None:
    """The worker goes on to the next in line: one that was lost would be lost for ever."""
    tasks: list[asyncio.Task[Committed]] = []

    def cancel_the_second(handle: Handler) -> Handler:
        async def cancelling(envelope: Any) -> Committed:
            committed = await handle(envelope)
            if asyncio.current_task() is tasks[0]:
                tasks[1].cancel()
            return committed

        return cancelling

    async with compose(workers=1, middleware=[cancel_the_second]) as app:
        tasks.extend(send(app, each) for each in "abc")
        await eventually(lambda: all(each.done() for each in tasks))
        assert [False, True, False] == [each.cancelled() for each in tasks]
        await next_works(app, "b", version=1)


@pytest.mark.parametrize("method", ["load", "append"])
async def test_cancelled_in_the_middle_of_its_work_before_anything_is_written(method: str) -> None:
    """Nothing has happened, and the next command works."""
    store, gate = Proxy(), Gate()
    store.before[method] = at([1], gate)
    async with compose(store, workers=1) as app:
        task = send(app, "a")
        await gate.arrived.wait()
        task.cancel()
        await settle()
        assert task.cancelled()
        assert 0 == await store.inner.head()
        await next_works(app, "a", version=1)


async def test_cancelled_in_the_middle_of_its_work_after_it_was_written() -> None:
    """It has happened as a whole, and the next command is decided on it."""
    store, gate = Proxy(), Gate()
    async with compose(store, workers=1) as app:
        await send(app, "a", 1)
        store.after["append"] = at([1], gate)
        task = send(app, "a", 2)
        await gate.arrived.wait()
        task.cancel()
        await settle()
        assert task.cancelled()
        assert 3 == (await app.state(account, "a")).balance
        await next_works(app, "a", version=3)


async def test_cancelled_while_backing_off() -> None:
    """The pause after a conflict is no trap either."""
    store, clock, gate = Proxy(), FakeClock(), Gate()
    clock.before_waking = gate
    async with compose(store, clock=clock, workers=1) as app, compose(store.inner) as other:
        await send(app, "a")

        async def interfere(*_: object) -> None:
            await send(other, "a")

        store.before["append"] = at([1], interfere)
        task = send(app, "a")
        await gate.arrived.wait()
        task.cancel()
        await settle()
        assert task.cancelled()
        await next_works(app, "a", version=3)


async def test_leaving_does_not_wait_for_the_cancelled() -> None:
    """Commands that are gone are not counted as accepted any more."""
    store, gate = Proxy(), Gate()
    store.before["append"] = gate
    async with compose(store, workers=1) as app:
        tasks = [send(app, each) for each in "aabbc"]
        await settle()
        for each in tasks:
            each.cancel()
    assert 0 == await store.inner.head()
