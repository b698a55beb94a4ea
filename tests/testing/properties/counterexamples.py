"""Helpers for tests of counterexamples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from eventhus import Aggregate
from eventhus_testing import Counterexample, check_aggregate


def found(aggregate: Aggregate[Any, Any, Any], **arguments: Any) -> Counterexample:
    """Return the counterexample that ``check_aggregate`` raises."""
    with pytest.raises(Counterexample) as caught:
        check_aggregate(aggregate, **arguments)
    return caught.value


def pasted(spec: str) -> Callable[[], None]:
    """Execute source, and return the test function that it defines."""
    names: dict[str, Any] = {}
    exec(compile(spec, "pasted.py", "exec"), names)
    (test,) = (value for name, value in names.items() if name.startswith("test_"))
    return test  # type: ignore[no-any-return]


def body(spec: str) -> str:
    """Return a spec without its imports."""
    return spec.partition("\n\n\n")[2]
