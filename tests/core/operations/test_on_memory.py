"""The cases of operations, in memory."""

import pytest

from eventhus_memory import MemoryStore
from tests.core.operations.all_cases import CASES, Case


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
async def test_operations(case: Case) -> None:
    await case(MemoryStore())
