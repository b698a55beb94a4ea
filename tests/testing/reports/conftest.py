"""Fixtures that run test modules with the pytest plugin of the kit."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

Run: TypeAlias = Callable[..., pytest.RunResult]

ROOT = Path(__file__).parents[3]


@pytest.fixture
def specs() -> str:
    """Return the text of the test module of the library."""
    return Path(__file__).with_name("library_specs.py").read_text()


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs a test module with options and only the named plugins."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)

    def run(tests: str, *options: str, in_process: bool = True) -> pytest.RunResult:
        pytester.makepyfile(test_it=tests)
        start = pytester.runpytest_inprocess if in_process else pytester.runpytest_subprocess
        return start("-p", "eventhus_testing.pytest_plugin", *options)

    return run
