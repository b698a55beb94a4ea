"""Middleware around every command: logging and timing."""

import asyncio
import logging
from typing import Any

import pytest

from eventhus import Application, Committed, Metadata
from eventhus.errors import UnknownCommand
from eventhus.middleware import Envelope, Handler, Middleware, Timing, log_commands, time_commands
from tests.bank import (
    Account,
    AlreadyOpen,
    Deposit,
    InsufficientFunds,
    Open,
    Rename,
    Script,
    Undeclared,
    Withdraw,
)
from tests.core.hooks import Gate
from tests.core.support import Proxy, compose, stored_events

LOGGER = logging.getLogger("bank.commands")


def noting(name: str, notes: list[str]) -> Middleware:
    """Middleware that notes when it goes in and out."""

    def middleware(handle: Handler) -> Handler:
        async def noted(envelope: Envelope) -> Committed:
            notes.append(f"into {name}")
            committed = await handle(envelope)
            notes.append(f"out of {name}")
            return committed

        return noted

    return middleware


async def test_the_first_middleware_is_the_outermost() -> None:
    notes: list[str] = []
    async with compose(middleware=[noting("one", notes), noting("two", notes)]) as app:
        await app.dispatch(Open(aggregate_id="a"))
    assert ["into one", "into two", "out of two", "out of one"] == notes


async def test_middleware_can_replace_the_envelope() -> None:
    """To add metadata to every command, for example."""
    seen: list[Envelope] = []

    def adding(handle: Handler) -> Handler:
        async def added(envelope: Envelope) -> Committed:
            seen.append(envelope)
            return await handle(
                Envelope(command=envelope.command, metadata=Metadata(values={"user": "ada"}))
            )

        return added

    command = Open(aggregate_id="a")
    async with compose(middleware=[adding]) as app:
        committed = await app.dispatch(
            command, expected_version=0, command_id="k", metadata=Metadata("talk")
        )
    assert [
        Envelope(command=command, expected_version=0, command_id="k", metadata=Metadata("talk"))
    ] == seen
    assert {"user": "ada"} == committed.events[0].metadata.values


async def test_middleware_can_refuse_a_command() -> None:
    def forbidding(handle: Handler) -> Handler:
        async def forbidden(envelope: Envelope) -> Committed:
            raise PermissionError

        return forbidden

    store = Proxy()
    async with compose(store, middleware=[forbidding]) as app:
        with pytest.raises(PermissionError):
            await app.dispatch(Open(aggregate_id="a"))
    assert [] == await stored_events(store)


async def provoke(app: Application) -> None:
    """One command for each outcome."""

    def bug(_: Account) -> Any:
        raise KeyError("s3cret")

    async with app:
        await app.dispatch(Open(aggregate_id="a", owner="s3cret"))
        await app.dispatch(Rename(aggregate_id="a", owner="s3cret"))
        with pytest.raises(InsufficientFunds):
            await app.dispatch(Withdraw(aggregate_id="a", amount=424242))
        with pytest.raises(KeyError):
            await app.dispatch(Script(aggregate_id="a", decide=bug))


async def test_every_command_is_logged_at_the_level_of_its_outcome(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "bank.commands")
    await provoke(compose(middleware=[log_commands(LOGGER)]))
    assert [
        ("bank.commands", logging.INFO, "Open a: version 1"),
        ("bank.commands", logging.INFO, "Rename a: version 1"),
        ("bank.commands", logging.WARNING, "Withdraw a: rejected, InsufficientFunds"),
        ("bank.commands", logging.ERROR, "Script a: failed, KeyError"),
    ] == caplog.record_tuples


async def test_log_lines_never_contain_data(caplog: pytest.LogCaptureFixture) -> None:
    """Neither of commands, events and states nor of an exception."""
    caplog.set_level(logging.DEBUG)
    await provoke(compose(middleware=[log_commands(LOGGER)]))
    assert "s3cret" not in caplog.text
    assert "424242" not in caplog.text
    lines = [each for each in caplog.records if each.name == LOGGER.name]
    assert [None] * 4 == [each.exc_info for each in lines]


async def test_a_cancelled_command_is_logged_as_failed(caplog: pytest.LogCaptureFixture) -> None:
    store, gate = Proxy(), Gate()
    store.before["append"] = gate
    async with compose(store, middleware=[log_commands(LOGGER)]) as app:
        task = asyncio.create_task(app.dispatch(Open(aggregate_id="a")))
        await gate.arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert [("bank.commands", logging.ERROR, "Open a: failed, CancelledError")] == (
        caplog.record_tuples
    )


async def test_logging_a_value_that_is_not_a_command_keeps_the_original_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    event: Any = Undeclared()
    async with compose(middleware=[log_commands(LOGGER)]) as app:
        with pytest.raises(UnknownCommand):
            await app.dispatch(event)


async def test_every_command_is_timed_with_its_outcome() -> None:
    timings: list[Timing] = []
    await provoke(compose(middleware=[time_commands(timings.append)]))
    assert [
        ("Open", "accepted"),
        ("Rename", "unchanged"),
        ("Withdraw", "rejected"),
        ("Script", "failed"),
    ] == [(each.command, each.outcome) for each in timings]
    assert all(each.seconds >= 0 for each in timings)


async def test_a_cancelled_command_is_timed_as_failed() -> None:
    """Also one that was waiting for its turn."""
    timings: list[Timing] = []
    store, gate = Proxy(), Gate()
    store.before["append"] = gate
    async with compose(store, middleware=[time_commands(timings.append)]) as app:
        tasks = [asyncio.create_task(app.dispatch(Open(aggregate_id="a"))) for _ in range(2)]
        await gate.arrived.wait()
        for each in reversed(tasks):
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert ["failed", "failed"] == [each.outcome for each in timings]


async def test_timing_includes_the_wait_for_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 100.0
    monkeypatch.setattr("eventhus.middleware.perf_counter", lambda: now_s)
    timings: list[Timing] = []
    store, gates = Proxy(), [Gate(), Gate()]
    turns = iter(gates)

    async def next_gate(*_: object) -> None:
        await next(turns)()

    store.before["append"] = next_gate
    async with compose(store, middleware=[time_commands(timings.append)]) as app:
        commands = [Rename(aggregate_id="a", owner=each) for each in ("Ada", "Bob")]
        tasks = [asyncio.create_task(app.dispatch(each)) for each in commands]
        for gate in gates:
            await gate.arrived.wait()
            now_s += 5
            gate.opened.set()
        await asyncio.gather(*tasks)
    assert [5, 10] == [each.seconds for each in timings]


async def test_a_repeated_command_id_is_timed_as_accepted() -> None:
    timings: list[Timing] = []
    async with compose(middleware=[time_commands(timings.append)]) as app:
        await app.dispatch(Open(aggregate_id="a"), command_id="k")
        await app.dispatch(Open(aggregate_id="a"), command_id="k")
        await app.dispatch(Deposit(aggregate_id="a"))
    assert ["accepted"] * 3 == [each.outcome for each in timings]


async def test_an_error_of_observe_does_not_hide_the_answer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The command is committed by then."""

    def broken(timing: Timing) -> None:
        raise ZeroDivisionError

    async with compose(middleware=[time_commands(broken)]) as app:
        committed = await app.dispatch(Open(aggregate_id="a"))
        assert 1 == committed.version
        with pytest.raises(AlreadyOpen):
            await app.dispatch(Open(aggregate_id="a"))
    assert ["a command was not measured"] * 2 == [each.getMessage() for each in caplog.records]
