"""The bank example on MongoDB and NATS."""

import subprocess
import sys
from pathlib import Path

from eventhus_testing.servers import nats_server, standalone_mongo

ROOT = Path(__file__).parents[3]


def test_the_bank_runs_on_both_servers(mongod: Path, nats_executable: Path) -> None:
    """A second run continues after the first."""
    with standalone_mongo() as mongo, nats_server() as nats:
        command = [sys.executable, "-W", "error", "-m", "examples.bank"]
        command += ["--store", mongo.url, "--bus", nats.url]
        for _ in range(2):
            finished = subprocess.run(
                command, cwd=ROOT, capture_output=True, text=True, check=False
            )
            assert (0, "") == (finished.returncode, finished.stderr)
            lines = finished.stdout.splitlines()
            assert [True] * 9 + [False] * 4 == [line.startswith("{") for line in lines]
            assert "refused: balance 51 does not cover 1000" == lines[9]
            assert all(line.endswith(": mishudark has 51") for line in lines[10:])
