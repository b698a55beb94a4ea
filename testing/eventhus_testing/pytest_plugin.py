"""The pytest plugin: it checks that every spec is complete, and writes reports.

A test fails if a spec of its has an outcome that nobody checked. ``--eventhus-report`` writes the
specs as documentation, and ``--eventhus-fail-under`` fails a run whose specs exercise too little.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any

import pytest

from eventhus_testing.specs.recording import Recording, opened
from eventhus_testing.texts.printable import encodable

NOTEBOOK = pytest.StashKey[Recording]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the reports."""
    group = parser.getgroup("eventhus", "eventhus: specs as documentation")
    group.addoption(
        "--eventhus-report",
        metavar="DIR",
        help="Write the specs that ran as documentation, with what they leave out, to "
        "DIR/index.html and DIR/specs.md.",
    )
    group.addoption(
        "--eventhus-fail-under",
        metavar="N",
        type=_percent,
        help="Fail a run whose specs exercise less than N percent of the types of commands, "
        "events and refusals of the aggregates that they are about. A spec that holds exercises "
        "a command by carrying it out in a when, an event by making it happen there, a refusal "
        "by being refused with it. Refusals are the subclasses of Rejected in the modules of "
        "decide, the commands and the events; those that others derive from do not count.",
    )


def _percent(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number <= 100:  # noqa: PLR2004 - percent; neither for what is no number
        raise argparse.ArgumentTypeError(f"{text!r} is no share: give percent, from 0 to 100")
    return number


def pytest_configure(config: pytest.Config) -> None:
    """Have the reports made, if one is asked for."""
    report, fail_under = config.option.eventhus_report, config.option.eventhus_fail_under
    if report is not None or fail_under is not None:
        from eventhus_testing.reports.session import Reporting  # noqa: PLC0415 - rarely needed

        config.pluginmanager.register(Reporting(config, NOTEBOOK), "eventhus-reports")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Have what the specs of a test do written down, fixtures included."""
    if not isinstance(item, pytest.Function):
        return (yield)
    with opened() as item.stash[NOTEBOOK]:
        return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Begin anew: the test may have run before, and be repeated because it failed."""
    if NOTEBOOK in item.stash:
        item.stash[NOTEBOOK].entries.clear()


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any],
) -> Generator[None, object, object]:
    """Leave out what is made for several tests: not every one of them has to look at it."""
    if fixturedef.scope == "function":
        return (yield)
    with opened():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test that passed and left an outcome unchecked: it says nothing about it."""
    notebook = item.stash.get(NOTEBOOK, None)
    with _without_given_up_examples(item, notebook):
        result = yield
    if notebook is not None and notebook.unchecked:
        from eventhus_testing.reports.unchecked import text  # noqa: PLC0415 - rarely needed

        pytest.fail(text(notebook.unchecked), pytrace=False)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, dict[str, Any] | None, Any]:
    """Escape lone surrogates, which would end the worker of pytest-xdist that sends them."""
    return _encodable((yield))


def _encodable(data: Any) -> Any:
    match data:
        case str():
            return encodable(data)
        case dict():
            return {_encodable(key): _encodable(value) for key, value in data.items()}
        case list() | tuple():
            return type(data)(map(_encodable, data))
        case _:
            return data


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter,
) -> Generator[None, object, object]:
    """Show what was expected and what came in colours, where the terminal has any."""
    if not terminalreporter.hasmarkup or not terminalreporter.stats.get("failed"):
        return (yield)
    from eventhus_testing.texts.colour import coloured  # noqa: PLC0415 - rarely needed

    with coloured(terminalreporter.stats["failed"]):
        return (yield)


@contextmanager
def _without_given_up_examples(item: pytest.Item, notebook: Recording | None) -> Iterator[None]:
    """Forget what an example of Hypothesis did that was given up in the middle, as by assume."""
    handle = getattr(getattr(item, "obj", None), "hypothesis", None)
    inner = getattr(handle, "inner_test", None)
    if notebook is None or handle is None or inner is None or iscoroutinefunction(inner):
        yield
        return

    @wraps(inner)
    def example(*args: Any, **kwargs: Any) -> Any:
        before = len(notebook.entries)
        try:
            return inner(*args, **kwargs)
        except BaseException as error:
            if type(error).__module__ == "hypothesis.errors":
                del notebook.entries[before:]
            raise

    handle.inner_test = example
    try:
        yield
    finally:
        handle.inner_test = inner


@pytest.fixture
def memory_application() -> Any:
    """Composes applications in memory: ``memory_application(account, snapshot_every=10)``.

    It is ``eventhus_testing.memory_application``, a ``Callable[..., Application]``.
    """
    # Not for every test run of whoever has installed eventhus.
    from eventhus_testing.doubles.in_memory import memory_application  # noqa: PLC0415

    return memory_application
