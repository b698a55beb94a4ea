"""The common part of all servers for tests: a directory, a process, a port and a clean end."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, TypeVar

from eventhus import EventhusError

T = TypeVar("T")

_START_S = 60  # far beyond what any server takes to come up
_STOP_S = 60
_PORTS_TRIED = 10
_TAIL_LINES = 20

# Below the ports that Linux gives to outgoing connections: there, a client that tries to reach a
# server that is down can be given the server's own port, and keep it from coming back.
_PORTS = range(20_000, 32_768)


class ServerFailed(EventhusError, RuntimeError):
    """A server for tests did not start or did not end; says what it logged last."""


class Room:
    """A temporary directory, and servers that end before it is left.

    Attributes:
        directory: For the data and the logs of the servers.
    """

    def __init__(self, directory: Path, group: int) -> None:
        self.directory = directory
        self._group = group
        self._processes: list[subprocess.Popen[bytes]] = []

    def run(self, command: Sequence[str | Path], log: Path) -> subprocess.Popen[bytes]:
        """Start a process that adds what it says to ``log``."""
        with log.open("ab") as output:
            # It has joined the group before it runs the command, so the guard never misses it.
            process = subprocess.Popen(  # noqa: S603 - the caller chooses what to run
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=self._group,
            )
        self._processes.append(process)
        return process

    def wait(self) -> None:
        """Wait until all processes have ended."""
        for process in self._processes:
            process.wait()


@contextmanager
def room() -> Iterator[Room]:
    """Open a room, and clear it at the end, even if this process is killed with SIGKILL."""
    with tempfile.TemporaryDirectory(prefix="eventhus-") as directory:
        script = Path(__file__).with_name("guard.py")
        guard = subprocess.Popen(  # noqa: S603
            [sys.executable, "-I", "-S", script, str(os.getpid()), directory],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            process_group=0,
        )
        opened = Room(Path(directory), guard.pid)
        with guard:
            try:
                assert guard.stdout is not None
                if not guard.stdout.readline():  # it says when it is watching
                    raise ServerFailed(f"the guard of the servers did not start: {script}")
                yield opened
            finally:
                os.killpg(guard.pid, signal.SIGKILL)
                opened.wait()


class ServerProcess(ABC):
    """A server in a process of its own; its port and its data outlive the process.

    Attributes:
        port: The port that it listens on, on 127.0.0.1.
        directory: Where it keeps its data, and its log in ``log``.
    """

    READY: ClassVar[str]
    """The text that it logs once it accepts connections."""

    def __init__(self, room: Room, name: str) -> None:
        self.directory = room.directory / name
        self.directory.mkdir()
        self.port = free_port()
        self._log = self.directory / "log"
        self._log.touch()
        self._room = room
        self._name = name
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0  # of what the process says that was started last
        self._paused = False
        self._was_up = False

    @property
    @abstractmethod
    def url(self) -> str:
        """The URL for clients."""

    @abstractmethod
    def command(self) -> Sequence[str | Path]:
        """Return the command line that makes it listen on ``port``."""

    @property
    def pid(self) -> int:
        """The id of the process.

        Raises:
            RuntimeError: It is not running.
        """
        return self._running().pid

    @property
    def is_running(self) -> bool:
        """Return whether the process is alive, even if paused."""
        return self._process is not None and self._process.poll() is None

    @property
    def is_paused(self) -> bool:
        """Return whether the process is paused."""
        return self.is_running and self._paused

    def start(self) -> None:
        """Start it, on the port and with the data that it had; return once it takes connections.

        Does nothing if it is running.

        Raises:
            ServerFailed: It ended at once, or takes no connections after a minute.
        """
        if self.is_running:
            return
        for _ in range(_PORTS_TRIED):
            if self._launch():
                self._was_up = True
                return
            # Another process took the port since it was chosen. Clients know it once it was up.
            if self._was_up or "address already in use" not in self._said().lower():
                break
            self.port = free_port()
        raise ServerFailed(self._report("ended before it took connections"))

    def stop(self) -> None:
        """End it in good order with SIGTERM, and wait for that. Does nothing if it is not running.

        Raises:
            ServerFailed: It is still there after a minute; it was killed then.
        """
        if not self.is_running:
            return
        self.resume()  # until then, it would not notice
        process = self._running()
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ServerFailed(self._report(f"did not end within {_STOP_S} s")) from None

    def kill(self) -> None:
        """End it at once with SIGKILL, as a crash would. Does nothing if it is not running."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._paused = False

    def pause(self) -> None:
        """Suspend it with SIGSTOP: its connections stay open, and nothing answers.

        Raises:
            RuntimeError: It is not running.
        """
        process = self._running()
        if not self._paused:
            process.send_signal(signal.SIGSTOP)
            os.waitpid(process.pid, os.WUNTRACED)  # the signal takes effect a moment later
            self._paused = True

    def resume(self) -> None:
        """Let it go on after ``pause``. Does nothing if it is not paused.

        Raises:
            RuntimeError: It is not running.
        """
        self._running().send_signal(signal.SIGCONT)
        self._paused = False

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            raise RuntimeError(f"{self._name} on port {self.port} is not running; start() it first")
        return self._process

    def _launch(self) -> bool:
        """Start the process and wait until it is ready or has ended; whether it is ready."""
        self._log_start = self._log.stat().st_size
        self._paused = False
        self._process = process = self._room.run(self.command(), self._log)
        if not wait_for(
            lambda: process.poll() is not None or self.READY in self._said(), timeout_s=_START_S
        ):
            self.kill()
            raise ServerFailed(self._report(f"took no connections within {_START_S} s"))
        return process.poll() is None

    def _said(self) -> str:
        with self._log.open(errors="replace") as log:
            log.seek(self._log_start)
            return log.read()

    def _report(self, problem: str) -> str:
        code = self._process and self._process.returncode
        tail = self._said().splitlines()[-_TAIL_LINES:] or ["nothing"]
        place = f"{self._name} on port {self.port}"
        return "\n".join([f"{place} {problem} (exit code {code}); the end of its output:", *tail])


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on now. Another process may take it.

    Raises:
        OSError: There is none.
    """
    # In random order, so that tests that run side by side rarely try the same port.
    for port in random.sample(_PORTS, len(_PORTS)):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError(f"no port is free between {_PORTS.start} and {_PORTS.stop}")


def wait_for(look: Callable[[], T], *, timeout_s: float) -> T:
    """Call ``look`` until it returns something true, or time is up; return what it did last."""
    deadline = time.monotonic() + timeout_s
    while not (found := look()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found
