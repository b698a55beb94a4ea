"""What the sdist and the wheel contain, and what the installed distribution announces."""

import subprocess
import sys
import zipfile
from importlib.metadata import EntryPoint, distribution
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = [
    marker.parent
    for room in ("core", "adapters/*", "testing")
    for marker in ROOT.glob(f"{room}/eventhus*/__init__.py")
]


def files_below(folder: Path) -> set[Path]:
    """What belongs into a wheel."""
    kinds = {".py", ".typed", ".css", ".html", ".js", ".svg"}
    return {path for path in folder.rglob("*") if path.suffix in kinds}


def build(target: str, source: Path, to: Path) -> Path:
    """Build with the backend that is installed, so that nothing is downloaded."""
    hatchling = [sys.executable, "-m", "hatchling", "build"]
    command = [*hatchling, "--target", target, "--directory", str(to)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (made,) = to.glob("*.whl" if target == "wheel" else "*.tar.gz")
    return made


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist of this tree, unpacked."""
    folder = tmp_path_factory.mktemp("sdist")
    archive = build("sdist", ROOT, folder)
    subprocess.run([sys.executable, "-m", "tarfile", "--extract", archive, folder], check=True)
    return folder / archive.name.removesuffix(".tar.gz")


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names of the files in the wheel that is built from the sdist."""
    with zipfile.ZipFile(build("wheel", sdist, tmp_path_factory.mktemp("wheel"))) as opened:
        return set(opened.namelist())


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_every_package_is_typed(package: Path) -> None:
    """Type checkers read the annotations of a package that says it has them."""
    assert (package / "py.typed").is_file()


def test_the_wheel_holds_every_package_and_nothing_else(wheel: set[str]) -> None:
    """A package that is not listed in the build configuration would be missing here."""
    expected = {
        path.relative_to(package.parent).as_posix()
        for package in PACKAGES
        for path in files_below(package)
    }
    assert expected == {name for name in wheel if ".dist-info/" not in name}


def test_the_wheel_carries_its_licence(wheel: set[str]) -> None:
    """The licence asks to be part of every copy."""
    assert [name for name in wheel if name.endswith(".dist-info/licenses/LICENSE")]


def test_the_sdist_holds_what_its_tests_need(sdist: Path) -> None:
    """Distributors build from the sdist and run its tests, which execute the documents."""
    needed = {
        path
        for room in ("core", "adapters", "testing", "examples", "tests", "docs")
        for path in (ROOT / room).rglob("*")
        if path.suffix in {".py", ".typed", ".md"}
    } | set(ROOT.glob("*.md"))
    assert set() == {path for path in needed if not (sdist / path.relative_to(ROOT)).is_file()}


def test_the_sdist_holds_nothing_that_lies_about(sdist: Path) -> None:
    """Environments, caches and dot files stay behind, but for the list of what to ignore."""
    assert {".gitignore"} == {path.name for path in sdist.rglob(".*")}


@pytest.mark.parametrize(
    "announced", distribution("eventhus").entry_points, ids=lambda point: point.value
)
def test_everything_announced_can_be_loaded(announced: EntryPoint) -> None:
    """An entry point that leads nowhere would fail only once a user asks for it."""
    loaded = announced.load()
    assert callable(loaded) or announced.group == "pytest11"  # where a plugin is a module
