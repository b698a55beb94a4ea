"""Ends the servers of a test process that is gone, and clears up after them.

Run as a script, as the first process of the group that the servers will join. It outlives its
owner by a moment, because an owner that is killed with SIGKILL cannot do this itself.

The other ways fall short. ``PR_SET_PDEATHSIG`` is sent when the *thread* that started the server
ends, so a server started from a worker thread would die too early. The end of a pipe is not seen
while any process forked from the owner lives, since that has a copy of it.
"""

import os
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

_LOOK_EVERY_S = 0.1
_PATIENCE_S = 10  # bounds the wait where nobody reaps orphans, as in some containers


def main(owner: int, directory: Path) -> None:
    """Wait until ``owner`` is gone; then kill this process group and delete ``directory``."""
    # The kernel sends SIGHUP to a group that loses its owner while one of it is stopped.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    sys.stdout.write("watching\n")
    sys.stdout.flush()
    while os.getppid() == owner:
        time.sleep(_LOOK_EVERY_S)
    group = os.getpgrp()
    if os.fork() == 0:
        os.setpgid(0, 0)  # outside, so that it survives what it does to the group
        _kill(group)
        shutil.rmtree(directory, ignore_errors=True)


def _kill(group: int) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    # Again and again: a server that was just being started may join the group only now.
    with suppress(OSError):  # there is no such group any more
        while time.monotonic() < deadline:
            os.killpg(group, signal.SIGKILL)
            time.sleep(0.01)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
