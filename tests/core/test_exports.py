"""What each package exports: nothing more, nothing less, each name once and explained."""

import ast
import inspect
from collections import Counter
from importlib import import_module
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest

PACKAGES = [
    import_module(name)
    for name in (
        "eventhus",
        "eventhus.adapter_support",
        "eventhus.ports",
        "eventhus_memory",
        "eventhus_cattrs",
        "eventhus_mongo",
        "eventhus_nats",
        "eventhus_testing",
        "eventhus_testing.servers",
    )
    if (spec := find_spec(name)) is not None and spec.origin is not None  # a package, no folder
]
each_package = pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)


def explained_assignments(source: str) -> set[str]:
    """The names that a module assigns, with a string right below that explains them."""
    body = ast.parse(source).body
    return {
        target.id
        for statement, below in pairwise(body)
        if isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
        and isinstance(below.value.value, str)
        for target in targets(statement)
        if isinstance(target, ast.Name)
    }


def targets(statement: ast.stmt) -> list[ast.expr]:
    match statement:
        case ast.Assign():
            return statement.targets
        case ast.AnnAssign():
            return [statement.target]
        case _:
            return []


def own_docstring(value: object) -> str | None:
    """The docstring that was written for a class or a function, not one that it inherits."""
    own = inspect.isroutine(value) or (inspect.isclass(value) and vars(value)["__doc__"])
    return value.__doc__ if own else None


@each_package
def test_exports_are_sorted(package: ModuleType) -> None:
    """A sorted list shows what is there, and where a new name goes."""
    assert sorted(package.__all__) == package.__all__


@each_package
def test_exports_are_what_is_there(package: ModuleType) -> None:
    """Every public name of a package is exported, and every exported name exists."""
    for name in package.__all__:
        getattr(package, name)  # some are imported on first use
    public = {
        name
        for name, value in vars(package).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert public == set(package.__all__)


@each_package
def test_exports_are_explained(package: ModuleType) -> None:
    """A class or a function has a docstring of its own; an alias, a string below it."""
    folder = Path(package.__file__ or "").parent
    aliases: set[str] = set()
    for path in folder.rglob("*.py"):
        aliases |= explained_assignments(path.read_text(encoding="utf-8"))
    silent = {
        name
        for name in package.__all__
        if name not in aliases and not own_docstring(getattr(package, name))
    }
    assert set() == silent


def test_every_name_has_one_home() -> None:
    """A name that two packages export would leave the reader to choose."""
    count = Counter(name for package in PACKAGES for name in package.__all__)
    assert [] == [name for name, times in count.items() if times > 1]


def test_explanations_are_found() -> None:
    """Only a string right below the assignment counts."""
    source = "A = int\n'''What A is.'''\nB: type = int\n'''What B is.'''\nC = int\nD = 1\n'x'\n"
    assert {"A", "B", "D"} == explained_assignments(source)
