"""The cases of operations, on MongoDB."""

import pytest

from eventhus_mongo import MongoStore
from tests.core.operations.all_cases import CASES, Case


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
async def test_operations(case: Case, store: MongoStore) -> None:
    await case(store)
