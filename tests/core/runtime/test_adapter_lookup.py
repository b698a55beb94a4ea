"""Adapters are found by URL, among what installed distributions register."""

import sys
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest

from eventhus import Application
from eventhus.errors import CompositionError
from eventhus.runtime.adapter_lookup import BUILT_IN, BUSES, CODECS, STORES, load_adapter
from eventhus_cattrs import CattrsCodec
from eventhus_memory import MemoryBus, MemoryStore
from eventhus_mongo import MongoStore
from eventhus_nats import NatsBus
from tests.bank import Open, account, note

SECRET = "T0pS3cr3t"
MODULE = """
from eventhus_memory import MemoryBus, MemoryStore
from tests.core.support import JsonCodec


class ShelfStore(MemoryStore):
    opened = []

    @classmethod
    def open(cls, url, bucket):
        cls.opened.append((url, bucket))
        return cls()


class ShelfBus(MemoryBus):
    opened = []

    @classmethod
    def open(cls, url, bucket):
        cls.opened.append((url, bucket))
        return cls()


class Codec(JsonCodec):
    pass
"""
ENTRY_POINTS = """
[eventhus.stores]
memory = eventhus_memory:MemoryStore.open
shelf = shelf_adapter:ShelfStore.open
driverless = shelf_adapter_without_driver:Store.open
partial = shelf_adapter_of_another_version:Store.open

[eventhus.buses]
memory = eventhus_memory:MemoryBus.open
shelf = shelf_adapter:ShelfBus.open

[eventhus.codecs]
cattrs = shelf_adapter:Codec
"""


@pytest.fixture(autouse=True)
def _installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A third party's distribution, as an installer leaves it behind."""
    folder = tmp_path / "shelf_adapter-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: shelf-adapter\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text(ENTRY_POINTS)
    (tmp_path / "shelf_adapter.py").write_text(MODULE)
    (tmp_path / "shelf_adapter_without_driver.py").write_text("import no_such_driver.client")
    (tmp_path / "shelf_adapter_of_another_version.py").write_text("from attrs import no_such_name")
    monkeypatch.syspath_prepend(tmp_path)


def open_with(**options: Any) -> Application:
    """An application whose ports are opened by URL."""
    return Application.open(bucket="bank", aggregates=[account, note], **options)


async def test_everything_in_memory_is_the_default() -> None:
    """No URL is needed to get going."""
    async with open_with() as app:
        assert 1 == (await app.dispatch(Open(aggregate_id="a"))).version


async def test_every_application_opened_in_memory_has_a_log_of_its_own() -> None:
    """Nothing is shared by way of a URL."""
    async with open_with() as one, open_with() as other:
        await one.dispatch(Open(aggregate_id="a"))
        assert 1 == (await other.dispatch(Open(aggregate_id="a"))).version


async def test_a_third_party_registers_schemes_of_its_own() -> None:
    """Its callables are given the whole URL and the bucket."""
    from shelf_adapter import (  # type: ignore[import-not-found]  # noqa: PLC0415
        ShelfBus,
        ShelfStore,
    )

    app = open_with(store="shelf://here/?depth=3", bus="shelf://there")
    assert [("shelf://here/?depth=3", "bank")] == ShelfStore.opened
    assert [("shelf://there", "bank")] == ShelfBus.opened
    async with app:
        await app.dispatch(Open(aggregate_id="a"))


async def test_a_scheme_may_be_in_capitals() -> None:
    """As in any URL."""
    open_with(store="SHELF://here")


async def test_every_option_reaches_the_application() -> None:
    """``open`` is the constructor, but for the URLs."""
    for bad in ({"workers": 0}, {"cache_size": -1}, {"snapshot_every": 0}, {"bucket": "?"}):
        options: dict[str, Any] = {"bucket": "bank", "aggregates": [account], **bad}
        with pytest.raises(CompositionError, match=next(iter(bad))):
            Application.open(**options)


async def test_middleware_and_codec_reach_the_application() -> None:
    """Given ones are used."""
    from tests.core.support import JsonCodec  # noqa: PLC0415

    wrapped: list[Any] = []
    encoded: list[Any] = []

    class Spy(JsonCodec):
        def encoder(self, as_type: Any) -> Any:
            encoded.append(as_type)
            return super().encoder(as_type)

    def middleware(handle: Any) -> Any:
        wrapped.append(handle)
        return handle

    async with open_with(codec=Spy(), middleware=[middleware]):
        pass
    assert 1 == len(wrapped)
    assert encoded


@pytest.mark.parametrize("port", ["store", "bus"])
@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param(f"nosql://user:{SECRET}@host/", "nothing is registered for 'nosql'", id="?"),
        pytest.param(f"user:{SECRET}@host:4222", "starts with a scheme", id="no scheme"),
        pytest.param(f"//user:{SECRET}@host", "starts with a scheme", id="no scheme but slashes"),
        pytest.param("", "starts with a scheme", id="empty"),
        pytest.param(f"://user:{SECRET}@host", "", id="an empty scheme"),
        pytest.param(f"user:{SECRET}@nats://host", "", id="credentials in the wrong place"),
        pytest.param(f"user:{SECRET}@host/?next=nats://x", "", id="a URL within"),
    ],
)
def test_a_url_that_leads_nowhere_is_refused_and_not_repeated(
    port: str, url: str, expected: str
) -> None:
    """The message tells the schemes that are known, and nothing that may be secret."""
    with pytest.raises(CompositionError) as caught:
        open_with(**{port: url})
    assert expected in str(caught.value)
    assert "memory, " in str(caught.value) or "memory" in str(caught.value)
    assert SECRET.lower() not in str(caught.value).lower()


def test_a_driver_that_is_not_installed_is_named() -> None:
    """With what to do, and without the URL."""
    with pytest.raises(CompositionError, match=r"'driverless' needs no_such_driver; install") as c:
        open_with(store=f"driverless://user:{SECRET}@host")
    assert SECRET not in str(c.value)
    assert isinstance(c.value.__cause__, ImportError)


def test_a_driver_of_another_version_is_named() -> None:
    """A name that is not there is an import that fails, too."""
    with pytest.raises(CompositionError, match=r"'partial' needs attrs"):
        open_with(store="partial://")


@pytest.fixture
def _without_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that was packed without the metadata of its distributions."""
    monkeypatch.setattr(sys, "path", [])


@pytest.mark.usefixtures("_without_metadata")
async def test_built_in_adapters_are_found_without_package_metadata() -> None:
    async with Application.open(bucket="bank", aggregates=[account, note], bus="memory://") as app:
        assert 1 == (await app.dispatch(Open(aggregate_id="a"))).version


@pytest.mark.usefixtures("_without_metadata")
@pytest.mark.parametrize(
    ("name", "group", "adapter"),
    [
        ("mongodb", STORES, MongoStore),
        ("mongodb+srv", STORES, MongoStore),
        ("nats", BUSES, NatsBus),
        ("tls", BUSES, NatsBus),
        ("cattrs", CODECS, CattrsCodec),
    ],
)
def test_every_built_in_name_has_its_adapter_without_package_metadata(
    name: str, group: str, adapter: type
) -> None:
    found = load_adapter(name, group)
    assert adapter is getattr(found, "__self__", found)


def test_built_in_adapters_are_those_that_the_distribution_registers() -> None:
    registered = {
        (each.group, each.name): each.value
        for each in distribution("eventhus").entry_points
        if each.group in {STORES, BUSES, CODECS}
    }
    assert registered == BUILT_IN


@pytest.mark.usefixtures("_without_metadata")
def test_an_unknown_scheme_lists_the_built_in_ones_without_package_metadata() -> None:
    with pytest.raises(CompositionError, match=r"known: memory, mongodb, mongodb\+srv$"):
        open_with(store="nosql://")
    with pytest.raises(CompositionError, match=r"known in eventhus\.buses: memory, nats, tls$"):
        open_with(bus="")


@pytest.mark.usefixtures("_without_metadata")
def test_a_built_in_adapter_that_was_not_packed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "eventhus_nats")
    with pytest.raises(CompositionError) as caught:
        open_with(bus="nats://host")
    assert str(caught.value) == (
        "the adapter for 'nats' needs eventhus_nats; install eventhus[nats], and include it when "
        "you pack a program"
    )


def test_the_memory_adapters_refuse_other_urls() -> None:
    """An adapter's own complaint about its URL arrives."""
    with pytest.raises(CompositionError, match="memory://"):
        open_with(store="memory://somewhere")


def test_the_memory_adapters_are_what_memory_stands_for() -> None:
    """The store and the bus of the same name."""
    assert isinstance(MemoryStore.open("memory://", "bank"), MemoryStore)
    assert isinstance(MemoryBus.open("memory://", "bank"), MemoryBus)
