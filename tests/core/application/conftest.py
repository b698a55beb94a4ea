"""Fixtures of the tests of applications."""

import pytest

from tests.core.observing import Recorder


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()
