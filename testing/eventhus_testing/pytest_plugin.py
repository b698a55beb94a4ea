"""The pytest plugin, which finds unchecked specs and writes reports.

A test with an unchecked outcome, or a spec without a ``when``, fails. ``--eventhus-report``
writes the specs as documentation, and ``--eventhus-fail-under`` fails a run whose specs exercise
too little of the behaviour.
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

RECORDING = pytest.StashKey[Recording]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the reports."""
    group = parser.getgroup("eventhus", "eventhus: specs as documentation")
    group.addoption(
        "--eventhus-report",
        metavar="DIR",
        help="Write the specs that ran, and the behaviour that none exercises, to "
        "DIR/index.html and DIR/specs.md.",
    )
    group.addoption(
        "--eventhus-fail-under",
        metavar="N",
        type=_percent,
        help="Fail a run whose specs exercise less than N percent of the types of commands, "
        "events and refusals of their aggregates. A spec that holds exercises the commands in "
        "its when, and the events and refusals that they lead to. Refusals are the subclasses "
        "of Rejected in the modules of decide, the commands and the events, without those that "
        "others derive from.",
    )


def _percent(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number <= 100:  # noqa: PLR2004 - percent; also true for NaN
        raise argparse.ArgumentTypeError(f"{text!r} is not a percentage from 0 to 100")
    return number


def pytest_configure(config: pytest.Config) -> None:
    """Register the reports, if an option asks for them."""
    report, fail_under = config.option.eventhus_report, config.option.eventhus_fail_under
    if report is not None or fail_under is not None:
        from eventhus_testing.reports.session import Reporting  # noqa: PLC0415 - rarely needed

        config.pluginmanager.register(Reporting(config, RECORDING), "eventhus-reports")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Record the specs of a test and its fixtures."""
    if not isinstance(item, pytest.Function):
        return (yield)
    with opened() as item.stash[RECORDING]:
        return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Clear the recording, because plugins may run a failed test again."""
    if RECORDING in item.stash:
        item.stash[RECORDING].clear()


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any],
) -> Generator[None, object, object]:
    """Do not record fixtures of wider scopes, whose outcomes not every test has to check."""
    if fixturedef.scope == "function":
        return (yield)
    with opened():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test that passed but left an outcome unchecked or a spec without a ``when``."""
    recording = item.stash.get(RECORDING, None)
    with _without_rejected_examples(item, recording):
        result = yield
    if recording is not None and recording.unchecked:
        from eventhus_testing.reports.unchecked import unchecked_text  # noqa: PLC0415 - rarely needed

        pytest.fail(unchecked_text(recording.unchecked), pytrace=False)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, dict[str, Any] | None, Any]:
    """Escape lone surrogates, which a worker of pytest-xdist cannot send."""
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
    """Colour expected and actual lines of failures, if the terminal has colours."""
    if not terminalreporter.hasmarkup or not terminalreporter.stats.get("failed"):
        return (yield)
    from eventhus_testing.texts.colour import coloured  # noqa: PLC0415 - rarely needed

    with coloured(terminalreporter.stats["failed"]):
        return (yield)


@contextmanager
def _without_rejected_examples(item: pytest.Item, recording: Recording | None) -> Iterator[None]:
    """Discard the entries of Hypothesis examples that were rejected, as by ``assume``."""
    handle = getattr(getattr(item, "obj", None), "hypothesis", None)
    inner = getattr(handle, "inner_test", None)
    if recording is None or handle is None or inner is None or iscoroutinefunction(inner):
        yield
        return

    @wraps(inner)
    def example(*args: Any, **kwargs: Any) -> Any:
        with recording.forgetting(lambda error: type(error).__module__ == "hypothesis.errors"):
            return inner(*args, **kwargs)

    handle.inner_test = example
    try:
        yield
    finally:
        handle.inner_test = inner


@pytest.fixture
def memory_application() -> Any:
    """Return ``eventhus_testing.memory_application``, which composes applications in memory.

    Call it as ``memory_application(account, snapshot_every=10)``.
    """
    # Imported only when used, because pytest loads this plugin in every environment with eventhus.
    from eventhus_testing.doubles.in_memory import memory_application  # noqa: PLC0415

    return memory_application
