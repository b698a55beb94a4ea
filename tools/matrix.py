"""Test on every supported Python of this machine, with the lowest versions, and the wheel.

With ``--compat``, run only the tests whose outcome can depend on the Python, on the versions of
libraries or on packaging. The newest Python and the lowest versions get those of the kernel, the
codec, the kit and the memory adapters, and the conformance suites on one real server each. The
Pythons between them get a part of these, on the wheel. The Python that runs this script is left out
then, since ``make test`` runs everything on it.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

PROBE = "import sys; print(*sys.version_info[:4], sys.executable, sep='\\n')"
COMPAT = (
    "core",
    "examples/bank",
    "tests/core",
    "tests/testing",
    "--ignore=tests/testing/conformance",  # shows that the suites find planted defects, in memory
    "tests/adapters/cattrs",
    "tests/adapters/console/test_pages.py",
    "tests/adapters/console/test_serving.py",
    "tests/adapters/memory",
    "tests/adapters/otel/test_metrics.py",
    "tests/adapters/otel/test_spans.py",
    "tests/adapters/cli",
    "tests/adapters/mongo/test_conformance.py::TestOnAReplicaSet",
    "tests/adapters/nats/test_conformance.py",
)
WHEEL = (
    "core",
    "examples/bank",
    "tests/core",
    "tests/testing/specs",
    "tests/testing/scenarios",
    "tests/testing/golden",
    "tests/adapters/cattrs",
    "tests/adapters/console/test_pages.py",
    "tests/adapters/memory",
    "tests/adapters/otel/test_spans.py",
    "tests/adapters/cli",
    "tests/adapters/nats/test_conformance.py",
)


def pythons() -> dict[str, str]:
    """Find the released Pythons from 3.11 up: one executable per minor version, lowest first.

    One on the PATH takes precedence over one of pyenv. Each is run before it counts, since a pyenv
    shim can be on the PATH and not work.
    """
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    names = ["python3", *(f"python3.{minor}" for minor in range(11, 30))]
    candidates = [
        *filter(None, map(shutil.which, names)),
        *sorted(map(str, pyenv.glob("versions/*/bin/python3")), reverse=True),
        sys.executable,
    ]
    found: dict[tuple[int, int], str] = {}
    for candidate in candidates:
        command = [candidate, "-c", PROBE]
        probe = subprocess.run(command, capture_output=True, text=True, check=False)
        match probe.stdout.splitlines():
            case ["3", minor, _, "final", executable] if int(minor) >= 11:
                found.setdefault((3, int(minor)), executable)
            case _:
                pass
    return {f"{major}.{minor}": found[major, minor] for major, minor in sorted(found)}


def make(*arguments: str) -> tuple[bool, float]:
    """Run ``make``; return whether it succeeded, and the seconds that it took."""
    print(f"\n=== make {' '.join(arguments)}", flush=True)
    start = time.monotonic()
    result = subprocess.run(["make", *arguments], check=False)
    return result.returncode == 0, time.monotonic() - start


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--compat", action="store_true")
is_compat = parser.parse_args().compat

found = pythons()
lowest, *others = found
here = f"{sys.version_info.major}.{sys.version_info.minor}"
in_source, in_wheel = [*found], [here]
source_tests, wheel_tests = [], []
if is_compat:
    in_source = [version for version in others[-1:] if version != here]
    in_wheel = [version for version in others[:-1] if version != here] or [here]
    source_tests, wheel_tests = [f"TESTS={' '.join(COMPAT)}"], [f"TESTS={' '.join(WHEEL)}"]


def environment(version: str) -> tuple[str, ...]:
    """Name the environment of a version for ``make``."""
    return f"VENV=.venv-{version}", f"PYTHON={found[version]}"


outcomes = {
    f"Python {version}": make("pytest", *environment(version), *source_tests)
    for version in in_source
}
outcomes[f"lowest versions, Python {lowest}"] = make(
    "lowest", f"PYTHON={found[lowest]}", *source_tests
)
for version in in_wheel:
    at = () if version == here else environment(version)
    outcomes[f"installed wheel, Python {version}"] = make("wheel-test", *at, *wheel_tests)

print()
for name, (passed, seconds) in outcomes.items():
    print(f"{name:32} {'passed' if passed else 'FAILED'} {seconds:6.0f} s")
if not others:
    print(f"Only Python {lowest} was found; install others to test on them.")
sys.exit(not all(passed for passed, _ in outcomes.values()))
