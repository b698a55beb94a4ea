"""Every case of operations, for the stores to run."""

from tests.core.operations import group_cases  # which adds its cases to the list
from tests.core.operations.cases import CASES, Case

__all__ = ["CASES", "Case", "group_cases"]
