"""The diagnosis of an application joins what its parts find."""

# ruff: noqa: SLF001 - the parts of an application have no public names

import asyncio
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError
from typing import Any

import pytest

from eventhus import Application, View
from eventhus.errors import NotRunning
from eventhus.ports import Finding
from eventhus.runtime import diagnosis
from eventhus_memory import MemoryBus, MemoryStore
from tests.core.readers import Balance, account_of, balances, bank, show, welcome
from tests.core.support import Proxy


def older_and_newer() -> tuple[View[Any, Any], View[Any, Any]]:
    older = View(name="totals", initial=Balance(), key=account_of, evolve=show)
    newer = View(name="totals", initial=Balance(), key=account_of, evolve=show, version=2)
    return older, newer


async def findings(app: Application) -> Sequence[Finding]:
    return await diagnosis.diagnose(app._store, app._source, app._readers)


async def of_readers(app: Application) -> list[tuple[str, str]]:
    found = await findings(app)
    return [(each.status, each.detail) for each in found if each.name == diagnosis.READERS]


async def test_every_part_is_asked() -> None:
    app = bank(MemoryStore(), views=[balances], bus=MemoryBus())
    async with app:
        names = [each.name for each in await findings(app)]
    assert ["eventhus.python", "memory.store", "memory.bus", "eventhus.readers"] == names


async def test_without_a_bus_only_the_store_is_asked() -> None:
    app = bank(MemoryStore(), views=[balances])
    names = [each.name for each in await findings(app)]
    assert ["eventhus.python", "memory.store", "eventhus.readers"] == names


async def test_an_adapter_that_raises_is_a_finding() -> None:
    class Raising(MemoryStore):
        async def diagnose(self) -> Sequence[Finding]:
            raise KeyError("s3cret")

    (found,) = [each for each in await findings(bank(Raising())) if each.name == "store"]
    assert "could not be checked: KeyError" == found.detail


async def test_versions_are_named() -> None:
    python, *_ = await findings(bank(MemoryStore()))
    assert "ok" == python.status
    assert python.detail.startswith("Python 3.")
    assert ", attrs " in python.detail


async def test_a_program_without_metadata_has_no_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(diagnosis, "version", unknown)
    python, *_ = await findings(bank(MemoryStore()))
    assert "ok" == python.status
    assert "," not in python.detail


async def test_debug_mode_is_a_warning() -> None:
    asyncio.get_running_loop().set_debug(True)
    python, *_ = await findings(bank(MemoryStore()))
    assert "warning" == python.status
    assert python.detail.startswith("asyncio runs in debug mode")


async def test_declared_versions_are_registered_once_the_application_runs() -> None:
    store = MemoryStore()
    app = bank(store, views=[balances], processes=[welcome])
    never = "is not registered in the store: it never ran, or was deleted"
    assert [
        ("warning", f"view balances {never}"),
        ("warning", f"process welcome {never}"),
    ] == await of_readers(app)
    async with app:
        fine = [("ok", "every declared version is registered in the store")]
        assert fine == await of_readers(app)
        await store.drop_collection("view_balances")
        assert [("warning", f"view balances {never}")] == await of_readers(app)


async def test_a_newer_version_in_the_store_is_a_warning() -> None:
    store = MemoryStore()
    older, newer = older_and_newer()
    async with bank(store, views=[older]) as app, bank(store, views=[newer]) as newest:
        assert [
            ("warning", "view totals is older than version 2, which is in the store")
        ] == await of_readers(app)
        assert "ok" == (await of_readers(newest))[0][0]


async def test_readers_are_not_checked_in_a_store_that_is_not_entered() -> None:
    """An application registers them when it is entered."""

    async def refuse() -> None:
        raise NotRunning("enter it first")

    store = Proxy(MemoryStore())
    store.before["registrations"] = refuse
    assert [] == await of_readers(bank(store, views=[balances]))
