"""One journey on MongoDB and NATS: looking changes nothing, and what is stuck is mended."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pymongo import MongoClient

from eventhus import Application
from eventhus_cli.root import eventhus
from eventhus_testing.servers import unused_name
from eventhus_testing.servers.nats import delete_streams
from tests.adapters.cli.sample import Pay, on_servers, work
from tests.adapters.nats.support import plain

ROOT = Path(__file__).parents[3]
SAMPLE = "tests.adapters.cli.sample"


@pytest.fixture
def bank(
    mongo_url: str, mongo_bucket: str, nats_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Application]:
    """A bank on both servers, with parked keys and dead letters, and nobody at work."""
    monkeypatch.setenv("SAMPLE_STORE", mongo_url)
    monkeypatch.setenv("SAMPLE_BUCKET", mongo_bucket)
    monkeypatch.setenv("SAMPLE_BUS", nats_url)
    monkeypatch.setenv("EVENTHUS_APP", f"{SAMPLE}:on_servers")
    monkeypatch.delenv("MENDED", raising=False)
    asyncio.run(work(on_servers()))
    yield on_servers()
    delete_streams(nats_url, mongo_bucket)


def answer(*args: str, code: int = 0, **environment: str) -> Any:
    result = CliRunner(env=environment).invoke(eventhus, [*args, "--json"])
    assert (code, "") == (result.exit_code, result.stderr), result.output
    return json.loads(result.stdout)


def readers() -> dict[str, Any]:
    """The readers of the status, by name."""
    found = answer("status", code=1)
    return {each["name"]: each for each in found["readers"]}


async def pay(bank: Application) -> None:
    """Dispatch a command while nobody works."""
    async with bank.watching():
        await bank.dispatch(Pay(aggregate_id="a1", amount=1))


def test_looking_takes_part_in_nothing(bank: Application) -> None:
    asyncio.run(pay(bank))
    for _ in range(2):  # the second time finds what the first one has left behind
        assert {"balances": 1, "rates": 1, "thanks": 1, "relay": 1} == {
            name: each["waiting"] for name, each in readers().items() if name != "mail"
        }
        assert answer("leases") == {"leases": []}
        assert 7 == answer("tail", "-n", "1")["position"]


def test_a_tail_goes_on_with_new_events(bank: Application) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "eventhus_cli", "tail", "-n", "2", "-f", "--json"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    ) as process:
        try:
            assert [5, 6] == [position_from(process), position_from(process)]
            asyncio.run(pay(bank))
            asyncio.run(pay(bank))
            assert [7, 8] == [position_from(process), position_from(process)]
        finally:
            process.kill()


def position_from(process: subprocess.Popen[bytes]) -> int:
    """Read the next line of a tail."""
    assert process.stdout is not None
    return int(json.loads(process.stdout.readline())["position"])


def test_what_is_stuck_is_mended(bank: Application) -> None:
    assert (1, 2) == (readers()["rates"]["parked"], readers()["mail"]["dead_letters"])
    assert ["b2"] == answer("parked", "retry", "rates", "b2", MENDED="1")["released"]
    replay = ("dead", "replay", "mail", "--yes", "--handler")
    assert {"handled": 0, "failed": 2} == answer(*replay, f"{SAMPLE}:refuse", code=1)
    assert {"handled": 1, "failed": 0} == answer(*replay, f"{SAMPLE}:accept", "--number", "2")
    assert {"discarded": [1]} == answer("dead", "discard", "mail", "1", "--yes")
    assert {"moved": "mail", "to": "beginning"} == answer(
        "groups", "move", "mail", "--to", "beginning", "--yes"
    )
    found = answer("status")
    assert found["problems"] == []
    assert {0} == {each["parked"] + each["dead_letters"] for each in found["readers"]}
    assert {"deleted": "mail"} == answer("groups", "delete", "mail", "--yes")
    assert {"groups": []} == answer("groups", "list")


async def streams_of(nats_url: str) -> list[str]:
    """The names of all streams on a server."""
    async with plain(nats_url) as (_, jetstream):
        return [str(each.config.name) for each in await jetstream.streams_info()]


LOOKING = ["status", "tail", "streams", "leases", "groups list", "views list", "parked list"]


@pytest.mark.parametrize("is_raw", [True, False], ids=["raw", "app"])
@pytest.mark.parametrize("command", LOOKING)
def test_a_misspelt_bucket_is_not_created(
    mongo_url: str,
    mongo_client: MongoClient[dict[str, Any]],
    nats_url: str,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    *,
    is_raw: bool,
) -> None:
    bucket = f"misspelt_{unused_name()}"
    monkeypatch.setenv("SAMPLE_STORE", mongo_url)
    monkeypatch.setenv("SAMPLE_BUCKET", bucket)
    monkeypatch.setenv("SAMPLE_BUS", nats_url)
    raw = ["--store", mongo_url, "--bucket", bucket, "--bus", nats_url]
    target = raw if is_raw else ["--app", f"{SAMPLE}:on_servers"]
    result = CliRunner().invoke(eventhus, [*command.split(), *target])
    assert result.exit_code in {0, 1}, result.output
    assert bucket not in mongo_client.list_database_names()
    assert bucket not in " ".join(asyncio.run(streams_of(nats_url)))


def test_raw_data_is_shown_without_code(
    bank: Application, mongo_url: str, mongo_bucket: str, nats_url: str
) -> None:
    target = ("--store", mongo_url, "--bucket", mongo_bucket, "--bus", nats_url)
    assert 6 == answer("status", *target, code=1)["head"]
    assert ["a1", "b2", "thanks"] == [
        each["stream"]["aggregate_id"] for each in answer("streams", *target)["streams"]
    ]
    assert {"owner": "Ada"} == answer("event", "1", *target)["event"]["data"]
    assert {"owner": "Ada", "balance": 1000} == (
        answer("views", "show", "balances", "a1", *target)["document"]["data"]
    )
    assert ["b2"] == [each["key"] for each in answer("parked", "list", *target)["parked"]]
    state = answer("state", "Account/a1", *target, code=1)
    assert state["data"] is None
    assert "aggregate" in state["problem"]
