"""A real NATS server for tests."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from eventhus_testing.servers.processes import Room, ServerProcess, room

NO_NATS_SERVER = (
    "there is no nats-server: put one on the PATH or, on Debian and Ubuntu, "
    "`apt-get install nats-server`"
)

_SYSTEM = ("/usr/sbin", "/usr/local/sbin")  # where packages put it, and often not on the PATH


def find_nats_server() -> Path | None:
    """The nats-server on the PATH or, failing that, where packages of systems put it."""
    for path in (None, *_SYSTEM):
        if found := shutil.which("nats-server", path=path):
            return Path(found)
    return None


class NatsServer(ServerProcess):
    """One nats-server; see ``nats_server``."""

    READY = "Server is ready"

    def __init__(
        self,
        room: Room,
        executable: Path,
        arguments: Sequence[str],
        configuration: str,
        *,
        jetstream: bool,
    ) -> None:
        super().__init__(room, "nats-server")
        self._executable = executable
        self._arguments = list(arguments)
        if jetstream:
            self._arguments += ["-js", "-sd", str(self.directory / "data")]
        if configuration:
            file = self.directory / "nats.conf"
            file.write_text(configuration)
            self._arguments += ["-c", str(file)]

    @property
    def url(self) -> str:
        """Leads to the server, without credentials."""
        return f"nats://127.0.0.1:{self.port}"

    def command(self) -> Sequence[str | Path]:
        """See ``ServerProcess.command``."""
        return [self._executable, "-a", "127.0.0.1", "-p", str(self.port), *self._arguments]


@contextmanager
def nats_server(
    *, arguments: Sequence[str] = (), configuration: str = "", jetstream: bool = True
) -> Iterator[NatsServer]:
    """A nats-server of its own, with empty JetStream, for the time of the context.

    It ends with this process, however that ends.

    Args:
        arguments: Options, as on its command line.
        configuration: The text of a configuration file: users, TLS.
        jetstream: Whether it has JetStream.

    Raises:
        FileNotFoundError: There is no nats-server; says how to get one.
        ServerFailed: It does not come up; says what it logged last.
    """
    executable = find_nats_server()
    if executable is None:
        raise FileNotFoundError(NO_NATS_SERVER)
    with room() as opened:
        server = NatsServer(opened, executable, arguments, configuration, jetstream=jetstream)
        server.start()
        yield server


def delete_streams(url: str, bucket: str) -> None:
    """Delete all that a bus made for a bucket.

    Raises:
        ImportError: nats-py is not installed.
    """
    # In a thread, since the caller's may have an event loop of its own.
    work = threading.Thread(target=lambda: asyncio.run(_delete_streams(url, bucket)))
    work.start()
    work.join()


async def _delete_streams(url: str, bucket: str) -> None:
    import nats  # noqa: PLC0415 - an extra

    client = await nats.connect(url)
    try:
        jetstream = client.jetstream()
        for stream in await jetstream.streams_info():
            name = stream.config.name or ""
            if name == bucket or name.startswith((f"{bucket}_", f"KV_{bucket}_")):
                await jetstream.delete_stream(name)
    finally:
        await client.close()
