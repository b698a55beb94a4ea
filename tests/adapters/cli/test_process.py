"""The command line as a process of its own: terminals, pipes, signals, and how fast it starts."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.request import urlopen

import pytest

ROOT = Path(__file__).parents[3]
SAMPLE = "tests.adapters.cli.sample"
EVENTHUS = [sys.executable, "-m", "eventhus_cli"]
LIMIT_S = 60  # for a machine that is busy
HEAVY = {"pymongo", "bson", "nats", "starlette", "uvicorn", "hypothesis", "pytest", "rich"}


def environment(**changes: str) -> dict[str, str]:
    # Unbuffered output, as many containers have it, would hide a flush that is missing.
    inherited = ("COLUMNS", "NO_COLOR", "PYTHONUNBUFFERED")
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith("EVENTHUS_") and key not in inherited
    }
    return {**kept, "EVENTHUS_APP": f"{SAMPLE}:filled", "TERM": "xterm", **changes}


@pytest.fixture(autouse=True)
def _in_the_foreground() -> Iterator[None]:
    """Children notice Ctrl-C, although a shell makes what it runs in the background ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@contextmanager
def started(*args: str) -> Iterator[subprocess.Popen[str]]:
    """A command that runs on, until a failure of the test at the latest."""
    with subprocess.Popen(
        [*EVENTHUS, *args],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def run(*args: str, **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*EVENTHUS, *args],
        cwd=ROOT,
        env=environment(**changes),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


class Terminal:
    """A process on a terminal of its own.

    Attributes:
        text: Everything that it has written.
    """

    def __init__(self, process: subprocess.Popen[bytes], descriptor: int) -> None:
        self.process = process
        self.text = ""
        self._descriptor = descriptor

    def read_until(self, wanted: str) -> None:
        """Read until some text has come, or the end if it is empty."""
        until_s = time.monotonic() + LIMIT_S
        while not wanted or wanted not in self.text:
            ready, _, _ = select.select([self._descriptor], [], [], until_s - time.monotonic())
            assert ready, f"{wanted!r} did not come, but: {self.text!r}"
            try:
                data = os.read(self._descriptor, 65_536)
            except OSError:  # the process has closed the terminal
                data = b""
            if not data:
                assert not wanted, f"{wanted!r} did not come, but: {self.text!r}"
                return
            self.text += data.decode()

    def write(self, text: str) -> None:
        os.write(self._descriptor, text.encode())

    def interrupt(self) -> None:
        """Press Ctrl-C, again if Python has missed it while it began to read a line."""
        for _ in range(LIMIT_S):
            self.process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(1)
                return

    def code(self) -> int:
        """Read to the end, and return the exit code."""
        self.read_until("")
        return self.process.wait(LIMIT_S)


@contextmanager
def terminal(*args: str, **changes: str) -> Iterator[Terminal]:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*EVENTHUS, *args],
        cwd=ROOT,
        env=environment(**changes),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        yield Terminal(process, ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


DISCARD = ("dead", "discard", "mail", "1", "2")
QUESTION = "Delete 2 dead letters of group mail for good: 1 (Opened), 2 (Opened)? [y/N]: "


@pytest.mark.parametrize(
    ("typed", "code", "end"),
    [
        ("y\n", 0, "discarded 2"),
        ("n\n", 4, "eventhus: nothing was done"),
        ("\n", 4, "eventhus: nothing was done"),
        ("\x04", 4, "eventhus: nothing was done"),  # Ctrl-D
        ("\x03", 130, ""),  # Ctrl-C
    ],
)
def test_a_terminal_is_asked_before_something_dangerous(typed: str, code: int, end: str) -> None:
    with terminal(*DISCARD) as shown:
        shown.read_until(QUESTION)
        if typed == "\x03":
            shown.interrupt()
        else:
            shown.write(typed)
        assert code == shown.code()
    after = shown.text.partition(QUESTION)[2]
    assert "Traceback" not in after
    assert end in after
    assert ("discarded" in after) == (code == 0)


def test_yes_is_not_asked() -> None:
    with terminal(*DISCARD, "--yes") as shown:
        assert 0 == shown.code()
    assert "discarded 2" == shown.text.strip()  # and the log is silent


def test_a_terminal_gets_a_progress_bar() -> None:
    with terminal("views", "build", "balances") as shown:
        assert 0 == shown.code()
    assert "view balances" in shown.text
    assert "6/6" in shown.text
    assert "\x1b[" in shown.text


def test_a_table_on_a_terminal_has_a_bold_header_and_nothing_else() -> None:
    with terminal("streams", COLUMNS="80") as shown:
        assert 0 == shown.code()
    assert {"\x1b[1m", "\x1b[0m"} == {*re.findall(r"\x1b\[[^a-zA-Z]*[a-zA-Z]", shown.text)}


def test_no_color_is_kept() -> None:
    with terminal("streams", COLUMNS="80", NO_COLOR="1") as shown:
        assert 0 == shown.code()
    assert "\x1b[3" not in shown.text


def test_a_pipe_gets_plain_text() -> None:
    for args in (("streams",), ("describe",), ("views", "build", "balances")):
        result = run(*args)
        assert 0 == result.returncode
        assert "\x1b" not in result.stdout + result.stderr


@pytest.mark.parametrize("command", ["tail", "describe"])
def test_a_reader_that_goes_away_is_no_error(command: str) -> None:
    readable, writable = os.pipe()
    process = subprocess.Popen(
        [*EVENTHUS, command],
        cwd=ROOT,
        env=environment(),
        stdout=writable,
        stderr=subprocess.PIPE,
    )
    os.close(readable)
    os.close(writable)
    _, errors = process.communicate(timeout=LIMIT_S)
    assert (141, b"") == (process.returncode, errors)


@pytest.mark.parametrize("command", ["streams", "tail"])
def test_a_full_disk_is_told(command: str) -> None:
    result = shell(f"{command} > /dev/full")
    expected = "eventhus: the answer cannot be written: No space left on device\n"
    assert (1, expected) == (result.returncode, result.stderr)


def test_a_closed_output_leaves_the_exit_code() -> None:
    result = shell("status >&-")
    assert (1, "") == (result.returncode, result.stderr)


def shell(command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        f"{' '.join(EVENTHUS)} {command}",
        shell=True,
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def test_ctrl_c_ends_a_tail_quietly() -> None:
    with started("tail", "-f") as process:
        assert process.stdout is not None
        for _ in range(6):
            assert process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=LIMIT_S)
    assert (130, "", "") == (process.returncode, rest, errors)


def test_a_terminal_without_a_character_gets_an_escape() -> None:
    result = run("event", "2", PYTHONIOENCODING="ascii")
    assert (0, "") == (result.returncode, result.stderr)
    assert r"\u2514\u2500 Paid" in result.stdout


AWAY = [
    ("--store", "mongodb://ada:s3cret@127.0.0.1:1/?x=1", "--bucket", "bank"),
    ("--store", "memory://", "--bucket", "bank", "--bus", "nats://ada:s3cret@127.0.0.1:1"),
]


@pytest.mark.parametrize(
    ("command", "target"), [("status", AWAY[0]), ("groups list", AWAY[1])], ids=["store", "bus"]
)
def test_a_server_that_is_away_ends_the_command_in_time(
    command: str, target: tuple[str, ...]
) -> None:
    begun_s = time.monotonic()
    result = run(*command.split(), *target, "--timeout", "1", EVENTHUS_APP="")
    assert (3, "") == (result.returncode, result.stdout)
    (line,) = result.stderr.splitlines()
    assert line.startswith("eventhus: ")
    assert "s3cret" not in line
    assert time.monotonic() - begun_s < 20


def test_the_domain_is_described_while_the_store_is_away() -> None:
    away = {"SAMPLE_STORE": "mongodb://127.0.0.1:1", "SAMPLE_BUCKET": "bank"}
    result = run("describe", "--timeout", "1", EVENTHUS_APP=f"{SAMPLE}:on_servers", **away)
    assert (0, "") == (result.returncode, result.stderr)
    assert result.stdout.startswith("bucket bank")


def test_the_status_shows_the_store_while_the_bus_is_away() -> None:
    result = run("status", *AWAY[1], EVENTHUS_APP="")
    assert (1, "") == (result.returncode, result.stderr)
    assert "NOT HEALTHY, ready, 0 events" in result.stdout
    assert "the bus did not answer" in result.stdout
    assert "s3cret" not in result.stdout


def test_debugging_shows_no_credentials() -> None:
    result = run("status", *AWAY[0], "--timeout", "1", "--debug", EVENTHUS_APP="")
    assert 3 == result.returncode
    assert "Traceback" in result.stderr
    assert "s3cret" not in result.stderr


def imported(*args: str) -> set[str]:
    """The modules that a command has imported when it ends."""
    code = (
        "import sys\nfrom eventhus_cli import main\n"
        f"sys.argv = ['eventhus', *{args!r}]\n"
        "try: main()\nexcept SystemExit: print('MODULES', *sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=True,
    )
    return {*result.stdout.rpartition("MODULES")[2].split()}


@pytest.mark.parametrize("args", [("--help",), ("views", "--help"), ("tail", "--help")])
def test_help_imports_nothing_heavy(args: tuple[str, ...]) -> None:
    assert set() == imported(*args) & {*HEAVY, "eventhus", "cattrs"}


def test_a_store_in_memory_needs_no_driver() -> None:
    assert {"rich"} == imported("status") & HEAVY
    assert set() == imported("status") & {"rich.progress", "rich.markdown", "rich.traceback"}


def test_a_missing_extra_is_named() -> None:
    code = "import sys; sys.modules['rich'] = None; from eventhus_cli import main; main()"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (2, "") == (result.returncode, result.stdout)
    assert result.stderr == ("eventhus: the command line needs rich; install eventhus[cli]\n")


def test_the_console_is_served_until_ctrl_c() -> None:
    with started("console", "--port", "0") as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[0]
        with urlopen(f"{url}streams") as page:
            assert b"Account" in page.read()
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=LIMIT_S)
    assert (130, "", "") == (process.returncode, rest, errors)
