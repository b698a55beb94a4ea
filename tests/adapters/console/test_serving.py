"""Tests of the console as the command line serves it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from httpx2 import AsyncClient

from eventhus.errors import InvalidArgument
from eventhus_console import Access, serve
from tests.adapters.console.scene import Scene


@asynccontextmanager
async def served(scene: Scene, **options: object) -> AsyncIterator[str]:
    """Serve the console on a free port, and give its URL."""
    started: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(
        serve(scene.app, port=0, on_start=started.set_result, **options)  # type: ignore[arg-type]
    )
    serving.add_done_callback(lambda _: started.done() or started.cancel())
    try:
        yield await started
    finally:
        serving.cancel()
        await asyncio.wait([serving])


async def test_the_console_is_served_on_this_machine_alone(scene: Scene) -> None:
    async with served(scene) as url, AsyncClient(base_url=url) as client:
        assert url.startswith("http://127.0.0.1:")
        assert "need attention" in (await client.get("")).text
        page = await client.get("group?name=mailer")
        assert 'method="post"' not in page.text


async def test_another_name_for_this_machine_is_refused(scene: Scene) -> None:
    """A site may make its name resolve to 127.0.0.1, and then reads what it serves."""
    async with served(scene) as url, AsyncClient(base_url=url) as client:
        port = url.rstrip("/").rpartition(":")[2]
        for name in ("localhost", "127.0.0.1", "[::1]"):
            for host in (name, f"{name}:{port}", f"{name.upper()}:{port}"):
                response = await client.get("log", headers={"Host": host})
                assert response.status_code == 200, host
        for host in (
            f"evil.example:{port}",
            "evil.example",
            "localhost.evil",
            "",
            "127.0.0.1.evil:1",
        ):
            response = await client.get("log", headers={"Host": host})
            assert (421, "Open the console by its address.\n") == (
                response.status_code,
                response.text,
            )


async def test_other_machines_need_an_authorize(scene: Scene) -> None:
    for host in ("0.0.0.0", "::", "192.0.2.1", "console.example"):
        with pytest.raises(InvalidArgument, match="can be reached from other machines"):
            await serve(scene.app, host=host)


async def test_a_client_cannot_say_where_it_comes_from(scene: Scene) -> None:
    clients: list[str] = []

    def authorize(request: object) -> Access:
        clients.append(request.client.host)  # type: ignore[attr-defined]
        return Access.READ

    async with served(scene, authorize=authorize) as url, AsyncClient(base_url=url) as client:
        await client.get("log", headers={"X-Forwarded-For": "10.0.0.1"})
    assert clients == ["127.0.0.1"]


async def test_a_port_in_use_is_an_error(scene: Scene) -> None:
    async with served(scene) as url:
        port = int(url.rstrip("/").rpartition(":")[2])
        with pytest.raises(OSError, match="in use"):
            await serve(scene.app, port=port)
