"""The diagnosis of an application, through operations."""

from eventhus.operations import Operations
from eventhus_memory import MemoryStore
from tests.core.operations.cases import bank
from tests.core.readers import balances


async def test_the_findings_of_all_parts_are_joined() -> None:
    app = bank(MemoryStore(), views=[balances])
    before = await Operations(app).doctor()
    assert "eventhus.python" in {each.name for each in before}
    async with app:
        found = {each.name: each.status for each in await Operations(app).doctor()}
    assert "ok" == found["eventhus.readers"]
