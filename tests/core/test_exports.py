"""The exports of each public module: complete, explained, and each name in one place."""

import ast
import inspect
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest

import eventhus

TOP = [
    "Aggregate",
    "Application",
    "BuildProgress",
    "BuriedEvent",
    "Cancel",
    "Command",
    "CommandRefused",
    "Committed",
    "ConcurrencyError",
    "Deadline",
    "DeadlineOvertaken",
    "DeadlineReached",
    "Decision",
    "Delivered",
    "EventhusError",
    "Loaded",
    "Metadata",
    "ParkedKey",
    "Process",
    "Query",
    "Recorded",
    "Rejected",
    "Replayed",
    "StreamId",
    "Transaction",
    "Upcaster",
    "View",
    "ViewItem",
    "ViewPage",
    "ViewVersion",
    "errors",
    "in_range",
    "new_id",
    "one_of",
]
CAUGHT_EVERYWHERE = {"ConcurrencyError", "EventhusError", "Rejected"}  # the errors among them

MODULES = [
    import_module(name)
    for name in (
        "eventhus",
        "eventhus.adapter_support",
        "eventhus.errors",
        "eventhus.middleware",
        "eventhus.operations",
        "eventhus.portable",
        "eventhus.ports",
        "eventhus_memory",
        "eventhus_cattrs",
        "eventhus_mongo",
        "eventhus_nats",
        "eventhus_otel",
        "eventhus_testing",
        "eventhus_testing.servers",
    )
    if (spec := find_spec(name)) is not None and spec.origin is not None  # a package, no folder
]
each_module = pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)


def sources(module: ModuleType) -> Iterator[Path]:
    """Yield the files of the module's distribution, where its names may be defined."""
    package = import_module(module.__name__.partition(".")[0])
    yield from Path(package.__file__ or "").parent.rglob("*.py")


def explained_assignments(source: str) -> set[str]:
    """Return the names that a module assigns with an explaining string right below."""
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
    """Return the docstring of a module, a class or a function, but not an inherited one."""
    own = (
        inspect.isroutine(value)
        or inspect.ismodule(value)
        or (inspect.isclass(value) and vars(value)["__doc__"])
    )
    return value.__doc__ if own else None


def test_eventhus_exports_what_a_domain_and_its_composition_root_need() -> None:
    """Adding a name here is a decision: most belong one import deeper."""
    assert TOP == eventhus.__all__


def by_kind(name: str) -> tuple[int, str]:
    """As ruff sorts them: constants, classes, functions."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2), name


@each_module
def test_exports_are_sorted(module: ModuleType) -> None:
    assert sorted(module.__all__, key=by_kind) == module.__all__


@each_module
def test_exports_can_be_imported(module: ModuleType) -> None:
    """Some are imported on first use."""
    for name in module.__all__:
        getattr(module, name)


@each_module
def test_public_names_are_exported(module: ModuleType) -> None:
    """A package may import only what it exports; a module also uses names of others."""
    is_package = hasattr(module, "__path__")
    public = {
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and not inspect.ismodule(value)
        and (is_package or getattr(value, "__module__", None) == module.__name__)
    }
    assert set() == public - set(module.__all__)


@each_module
def test_exports_are_explained(module: ModuleType) -> None:
    """A class or a function has a docstring of its own; an alias, a string below it."""
    aliases: set[str] = set()
    for path in sources(module):
        aliases |= explained_assignments(path.read_text(encoding="utf-8"))
    silent = {
        name
        for name in module.__all__
        if name not in aliases and not own_docstring(getattr(module, name))
    }
    assert set() == silent


def test_every_name_has_one_home() -> None:
    """A name that two packages export leaves the reader to choose."""
    count = Counter(name for module in MODULES for name in module.__all__)
    assert {name for name, times in count.items() if times > 1} == CAUGHT_EVERYWHERE


def test_explanations_are_found() -> None:
    """Only a string right below the assignment counts."""
    source = "A = int\n'''What A is.'''\nB: type = int\n'''What B is.'''\nC = int\nD = 1\n'x'\n"
    assert {"A", "B", "D"} == explained_assignments(source)
