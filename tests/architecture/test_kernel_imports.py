"""The kernel and the in-memory adapters need nothing beyond the standard library and attrs."""

import ast
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

STDLIB_AND_ATTRS = sys.stdlib_module_names | {"attr", "attrs"}


def imported(source: str) -> set[str]:
    """The top-level names of the modules that ``source`` imports, wherever it does so."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(node.module or "")
    return {name.partition(".")[0] for name in names}


def modules_of(package: str) -> list[Path]:
    """The files of an importable package, wherever it is installed."""
    spec = find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return sorted(Path(spec.origin).parent.rglob("*.py"))


@pytest.mark.parametrize(
    ("package", "allowed"),
    [
        ("eventhus", STDLIB_AND_ATTRS | {"eventhus"}),
        ("eventhus_memory", STDLIB_AND_ATTRS | {"eventhus", "eventhus_memory"}),
    ],
)
def test_imports_only_the_standard_library_and_attrs(package: str, allowed: set[str]) -> None:
    """Installing the kernel installs attrs and nothing else."""
    foreign = {
        f"{path.name} imports {name}"
        for path in modules_of(package)
        for name in imported(path.read_text(encoding="utf-8")) - allowed
    }
    assert set() == foreign


def test_imports_are_found_wherever_they_are() -> None:
    """The search sees every form of import, nested ones too, and looks past relative ones."""
    source = "import a.b, c as d\nfrom . import e\nfrom .f import g\nif h:\n    from i.j import k"
    assert {"a", "c", "i"} == imported(source)
