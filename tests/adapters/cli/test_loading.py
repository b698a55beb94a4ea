"""The application that a command looks at is found, or one line says why not."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from eventhus_cli.root import eventhus

APP = """
from eventhus import Application

app = Application.open(bucket="bank")
number = 17

def compose():
    return Application.open(bucket="composed")

def compose_for(tenant):
    return Application.open(bucket=tenant)

async def compose_later():
    return app

def compose_nothing():
    return None

def fail():
    raise LookupError("no such tenant\\n\\x1b[31mred")

class Shop:
    bank = app
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working directory, with a module ``shop``."""
    (tmp_path / "shop.py").write_text(APP)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name in ("APP", "STORE", "BUCKET", "BUS"):
        monkeypatch.delenv(f"EVENTHUS_{name}", raising=False)
    before = {*sys.modules}
    yield tmp_path
    for name in {*sys.modules} - before:
        if not name.startswith(("eventhus", "rich")):
            del sys.modules[name]


def run(*args: str, **environment: str) -> Result:
    return CliRunner(env=environment).invoke(eventhus, args)


def bucket(*args: str, **environment: str) -> str:
    """The bucket that is described."""
    result = run("describe", *args, **environment)
    assert 0 == result.exit_code, result.output
    return result.stdout.splitlines()[0].removeprefix("bucket ")


def failure(*args: str, **environment: str) -> str:
    """The line about a wrong application."""
    result = run("describe", *args, **environment)
    assert (2, "") == (result.exit_code, result.stdout)
    (line,) = result.stderr.splitlines()
    return line.removeprefix("eventhus: ")


@pytest.mark.parametrize(
    ("path", "name"),
    [("shop:app", "bank"), ("shop:compose", "composed"), ("shop:Shop.bank", "bank")],
)
def test_an_application_is_found_by_its_path(path: str, name: str) -> None:
    assert name == bucket("--app", path)


def test_options_may_stand_before_the_command() -> None:
    result = run("--app", "shop:app", "describe")
    assert (0, "bucket bank\n") == (result.exit_code, result.stdout)


def test_an_application_is_found_in_the_nearest_pyproject_that_names_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its folder is where modules are imported from."""
    (folder / "pyproject.toml").write_text('[tool.eventhus]\napp = "shop:compose"\n')
    below = folder / "below" / "deeper"
    below.mkdir(parents=True)
    (folder / "below" / "pyproject.toml").write_text("[tool.other]\n")
    monkeypatch.chdir(below)
    assert "composed" == bucket()


def test_the_command_line_beats_the_environment_and_that_the_project(folder: Path) -> None:
    (folder / "pyproject.toml").write_text('[tool.eventhus]\napp = "shop:nothing"\n')
    assert "bank" == bucket(EVENTHUS_APP="shop:app")
    assert "composed" == bucket("--app", "shop:compose", EVENTHUS_APP="shop:app")
    raw = ("--store", "memory://", "--bucket", "raw")
    assert "raw" == bucket(*raw, EVENTHUS_APP="shop:app")
    assert "raw" == bucket(EVENTHUS_STORE="memory://", EVENTHUS_BUCKET="raw")
    assert "other" == bucket("--bucket", "other", "--store", "memory://", EVENTHUS_BUCKET="raw")


WRONG = {
    "shop": "'shop' is not the path of an application; write module:name, such as "
    "shop.composition:app",
    "shop:": "'shop:' is not the path of an application; write module:name, such as "
    "shop.composition:app",
    "shop:nope": "shop has no nope; check the name after the colon",
    "nope:app": "there is no module nope; run eventhus where it can be imported, as with "
    "python -m nope",
    "shop.sub:app": "there is no module shop.sub; run eventhus where it can be imported, as with "
    "python -m shop.sub",
    "shop:number": "shop:number is of class int; name an Application, or a function without "
    "arguments that returns one",
    "shop:compose_nothing": "shop:compose_nothing is of class NoneType; name an Application, or "
    "a function without arguments that returns one",
    "shop:compose_for": "shop:compose_for cannot be called here; name an Application, or a "
    "function without arguments that returns one",
    "shop:compose_later": "shop:compose_later cannot be called here; name an Application, or a "
    "function without arguments that returns one",
    "shop:fail": "calling shop:fail failed at shop.py:20: LookupError: no such tenant \\x1b[31mred",
}


@pytest.mark.parametrize("path", WRONG)
def test_a_wrong_path_is_explained(path: str) -> None:
    assert WRONG[path] == failure("--app", path)


RAISING = {
    "error": ("\n1 / 0\n", "broken.py:2: ZeroDivisionError: division by zero"),
    "syntax": ("\n\ndef f(:\n", "broken.py:3: SyntaxError: invalid syntax"),
    "missing": ("import lacking\n", "broken.py:1: ModuleNotFoundError: No module named 'lacking'"),
    "exit": ("import sys\nsys.exit('no')\n", "broken.py:2: SystemExit: no"),
    "library": ("import json\njson.loads('{')\n", "broken.py:2: JSONDecodeError: Expecting"),
    "secret": (
        "raise ValueError('cannot reach mongodb://ada:pa@ss/w0rd@db1/?x=1')\n",
        "broken.py:1: ValueError: cannot reach mongodb://***@db1/?x=1",
    ),
}


@pytest.mark.parametrize("how", RAISING)
def test_a_module_that_raises_is_named_with_its_line(folder: Path, how: str) -> None:
    source, message = RAISING[how]
    (folder / "broken.py").write_text(source)
    assert failure("--app", "broken:app").startswith(f"importing broken failed at {message}")


def test_a_traceback_is_shown_while_debugging(folder: Path) -> None:
    (folder / "broken.py").write_text("raise ValueError('mongodb://ada:secret@db1')\n")
    result = run("describe", "--app", "broken:app", "--debug")
    assert 2 == result.exit_code
    assert "Traceback" in result.stderr
    assert "secret" not in result.stderr


def test_an_application_must_be_named() -> None:
    assert failure() == (
        "there is no application to look at; give --app module:name, or --store URL with "
        '--bucket NAME, or add [tool.eventhus] app = "module:name" to pyproject.toml'
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[tool.eventhus]\n", "has no app in [tool.eventhus]"),
        ("[tool.eventhus]\napp = 1\n", "has no app in [tool.eventhus]"),
        ("[tool]\neventhus = 1\n", "has no app in [tool.eventhus]"),
        ("[tool", "cannot be read"),
    ],
)
def test_a_wrong_project_file_is_named(folder: Path, text: str, message: str) -> None:
    (folder / "pyproject.toml").write_text(text)
    assert f"{folder / 'pyproject.toml'} {message}" in failure()


CONTRADICTIONS = [
    (("--app", "shop:app", "--store", "memory://"), "both an application and a store are named"),
    (("--store", "memory://"), "--store needs --bucket"),
    (("--store", "nope://", "--bucket", "b"), "nothing is registered for 'nope'"),
    (("--store", "memory://", "--bucket", "b/c"), "bucket 'b/c' is not 1 to 63 letters"),
]


@pytest.mark.parametrize(("args", "message"), CONTRADICTIONS)
def test_wrong_options_are_explained(args: tuple[str, ...], message: str) -> None:
    assert failure(*args).startswith(message)
