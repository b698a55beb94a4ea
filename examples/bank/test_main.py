"""The output of the program."""

import asyncio
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from eventhus import Application
from eventhus.ports import Message, MessageHandler
from eventhus_cattrs import CattrsCodec
from eventhus_memory import MemoryBus, MemoryStore
from eventhus_memory.bus import MemorySubscription
from examples.bank.__main__ import run
from examples.bank.account import account

ROOT = Path(__file__).parents[2]


def bank(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the program from the command line, with warnings as errors."""
    command = [sys.executable, "-W", "error", "-m", "examples.bank", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603


def test_the_program_prints_events_refusal_and_balances() -> None:
    """The nine events come in order for each account, then the refusal, then the balances."""
    finished = bank()
    assert (0, "") == (finished.returncode, finished.stderr)
    lines = finished.stdout.splitlines()
    accounts = [balance.split(":")[0] for balance in lines[10:]]

    assert 3 == len(set(accounts))
    for account_id in accounts:
        head = f'{{"aggregate_id":"{account_id}","aggregate_type":"Account"'
        assert [
            head + ',"version":1,"type":"AccountCreated","data":{"owner":"mishudark"}}',
            head + ',"version":2,"type":"DepositPerformed","data":{"amount":300}}',
            head + ',"version":3,"type":"WithdrawalPerformed","data":{"amount":249}}',
        ] == [line for line in lines[:9] if json.loads(line)["aggregate_id"] == account_id]
    assert "refused: balance 51 does not cover 1000" == lines[9]
    assert [f"{account_id}: mishudark has 51" for account_id in accounts] == lines[10:]


class LateBus(MemoryBus):
    """A bus that delivers later than any program that does not wait for it."""

    async def subscribe(
        self,
        handler: MessageHandler,
        *,
        group: str | None = None,
        concurrency: int = 1,
        **rest: Any,
    ) -> MemorySubscription:
        """Subscribe a handler that lets all other tasks run before each message."""

        async def late(message: Message) -> None:
            for _ in range(1000):
                await asyncio.sleep(0)
            await handler(message)

        return await super().subscribe(late, group=group, concurrency=concurrency, **rest)


async def test_the_program_waits_for_the_bus(capsys: pytest.CaptureFixture[str]) -> None:
    """Even late events are printed before the balances."""
    await run(
        Application(
            bucket="bank",
            aggregates=[account],
            store=MemoryStore(),
            bus=LateBus(),
            codec=CattrsCodec(),
        )
    )
    lines = capsys.readouterr().out.splitlines()
    assert [True] * 9 + [False] * 4 == [line.startswith("{") for line in lines]


def test_an_unknown_url_is_a_usage_error() -> None:
    """The program names the problem with the URL, and does not start."""
    finished = bank("--store", "abacus://")
    assert (2, "") == (finished.returncode, finished.stdout)
    assert re.search("error: .*abacus", finished.stderr)
