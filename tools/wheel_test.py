"""Test the wheel as its users get it: installed, without the source tree.

``python tools/wheel_test.py [TESTS]`` builds the sdist from this tree and the wheel from the sdist,
so a file that either of them lacks is noticed. The tests come from the sdist, and no package can be
imported from source there. Untracked files are included; a fresh clone has none.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

XDIST = ("--numprocesses=auto", "--dist=loadfile", "--quiet")
IS_INSTALLED = """
import importlib, sys, sysconfig
for name in sys.argv[1:]:
    found = importlib.import_module(name).__file__
    assert found.startswith(sysconfig.get_path("purelib")), f"{name} comes from {found}"
"""


def run(*command: str | Path, cwd: Path) -> None:
    """Run a command without a PYTHONPATH, which could lead back to the sources."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    subprocess.run(command, cwd=cwd, env=environment, check=True)


with TemporaryDirectory(prefix="eventhus-") as folder:
    work = Path(folder)
    run(sys.executable, "-m", "build", "--outdir", work, cwd=Path.cwd())
    (sdist,) = work.glob("*.tar.gz")
    (wheel,) = work.glob("*.whl")

    shutil.unpack_archive(sdist, work)
    tree = work / sdist.name.removesuffix(".tar.gz")
    sources = [path.parent for path in tree.glob("**/eventhus*/__init__.py")]
    packages = [source.name for source in sources]
    for source in sources:
        shutil.rmtree(source)

    python = work / "venv" / "bin" / "python"
    run(sys.executable, "-m", "venv", work / "venv", cwd=work)
    run(python, "-m", "pip", "install", "--quiet", f"{wheel}[dev]", cwd=work)
    run(python, "-c", IS_INSTALLED, *packages, cwd=tree)
    tests = [test for test in sys.argv[1:] if (tree / test).exists()] or ["tests", "examples"]
    run(python, "-m", "pytest", *XDIST, "--ignore=tests/packaging", *tests, cwd=tree)
