"""Finds and composes the application that a command looks at."""

from __future__ import annotations

import inspect
import os
import sys
import sysconfig
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from traceback import extract_tb
from typing import TYPE_CHECKING, Any, Final, Literal

from eventhus_cli.exit_codes import USAGE, Failure

if TYPE_CHECKING:
    from eventhus import Application

APPLICATION: Final = "an application"
HANDLER: Final = "a handler"

_EXAMPLES = {APPLICATION: "shop.composition:app", HANDLER: "shop.mails:send_mail"}


def composed(target: dict[str, str]) -> Application:
    """Return the application that the options name, else that of the nearest pyproject.toml.

    Args:
        target: The options, as ``Options.target`` returns them.

    Raises:
        Failure: There is none, or it cannot be composed. The message says where and why.
    """
    if "store" in target:
        return _raw(target)
    path = target.get("app")
    if path is None:
        path = _of_project()
    return _application(path)


def load(path: str, noun: Literal["an application", "a handler"]) -> Any:
    """Import a module, and return one of its attributes.

    Args:
        path: ``module:attribute``.
        noun: The thing that is loaded, for messages.

    Raises:
        Failure: The path has another form, or does not lead anywhere, or the module raises.
    """
    module_name, _, attribute = path.partition(":")
    if not all(map(str.isidentifier, [*module_name.split("."), *attribute.split(".")])):
        raise Failure(
            f"{path!r} is not the path of {noun}; write module:name, such as {_EXAMPLES[noun]}",
            USAGE,
        )
    _put_on_path(Path.cwd())
    value = _told(f"importing {module_name}", lambda: _imported(module_name))
    for name in attribute.split("."):
        if not hasattr(value, name):
            raise Failure(
                f"{module_name} has no {attribute}; check the name after the colon", USAGE
            )
        value = getattr(value, name)
    return value


def _application(path: str) -> Application:
    from eventhus import Application

    found = load(path, APPLICATION)
    wanted = "name an Application, or a function without arguments that returns one"
    if callable(found) and not isinstance(found, Application):
        if _is_async(found) or _needs_arguments(found):
            raise Failure(f"{path} cannot be called here; {wanted}", USAGE)
        found = _told(f"calling {path}", found)
    if not isinstance(found, Application):
        raise Failure(f"{path} is of class {type(found).__qualname__}; {wanted}", USAGE)
    return found


def _raw(target: dict[str, str]) -> Application:
    from eventhus import Application

    if "bucket" not in target:
        raise Failure("--store needs --bucket, the name of the bucket in it", USAGE)
    return Application.open(
        bucket=target["bucket"], store=target["store"], bus=target.get("bus"), work=False
    )


def _of_project() -> str:
    """Return the path in the nearest pyproject.toml that has one."""
    import tomllib

    here = Path.cwd()
    for folder in (here, *here.parents):
        file = folder / "pyproject.toml"
        if not file.is_file():
            continue
        try:
            tools = tomllib.loads(file.read_text(encoding="utf-8")).get("tool", {})
        except (ValueError, OSError) as error:
            raise Failure(f"{file} cannot be read: {error}", USAGE) from error
        if "eventhus" not in tools:
            continue
        table = tools["eventhus"]
        path = table.get("app") if isinstance(table, dict) else None
        if not isinstance(path, str):
            raise Failure(f'{file} has no app in [tool.eventhus]; add app = "module:name"', USAGE)
        _put_on_path(folder)
        return path
    raise Failure(
        "there is no application to look at; give --app module:name, or --store URL with --bucket "
        'NAME, or add [tool.eventhus] app = "module:name" to pyproject.toml',
        USAGE,
    )


def _put_on_path(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def _imported(name: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        raise Failure(
            f"there is no module {error.name}; run eventhus where it can be imported, as with "
            f"python -m {name}",
            USAGE,
        ) from None


def _told(doing: str, action: Callable[[], Any]) -> Any:
    """Run code of the user. A failure names its file and line.

    Raises:
        Failure: It raises anything.
    """
    try:
        return action()
    except (Failure, KeyboardInterrupt):
        raise
    except BaseException as error:  # sys.exit, too
        raise Failure(
            f"{doing} failed at {_place(error)}: {type(error).__name__}: {_message(error)}", USAGE
        ) from error


def _message(error: BaseException) -> str:
    return (error.msg if isinstance(error, SyntaxError) else str(error)) or "no message"


def _place(error: BaseException) -> str:
    """Return the file and line where code of the user raised an error."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_shortened(error.filename)}:{error.lineno}"
    frames = [(each.filename, each.lineno) for each in extract_tb(error.__traceback__)]
    libraries = {sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")}
    own = [
        (file, line)
        for file, line in frames
        if not file.startswith("<")
        and file != __file__
        and not any(file.startswith(f"{folder}{os.sep}") for folder in libraries)
    ]
    file, line = (own or frames)[-1]
    return f"{_shortened(file)}:{line}"


def _shortened(file: str) -> str:
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else file


def _is_async(found: Any) -> bool:
    return inspect.iscoroutinefunction(found)


def _needs_arguments(found: Any) -> bool:
    try:
        inspect.signature(found).bind()
    except TypeError:
        return True
    except ValueError:  # a built-in without a signature
        return False
    return False
