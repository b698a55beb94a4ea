"""Authentication and encryption."""

import asyncio
import logging
import os
import signal
import ssl
import sys
from pathlib import Path

import pytest
from nats.aio.client import Client

from eventhus.errors import AccessDenied, BusUnavailable, CompositionError
from eventhus_nats import NatsBus
from eventhus_testing.conformance.bus.cases import Inbox, message, publish
from eventhus_testing.servers import nats_server
from eventhus_testing.servers.nats import NatsServer
from tests.adapters.nats.support import until
from tests.adapters.nats.tokens import trusted
from tests.certificates import certify


async def works(bus: NatsBus) -> None:
    """Carry a message through the bus."""
    async with bus:
        inbox = Inbox()
        await bus.subscribe(inbox, group="g")
        await publish(bus, [message()])
        await until(lambda: inbox.messages)
    assert ["a-1"] == inbox.ids


@pytest.mark.parametrize(
    ("configuration", "login", "token"),
    [
        ('user: "u:/@", password: "p@:/"', "u%3A%2F%40:p%40%3A%2F@", None),
        ('token: "t0k3n"', "t0k3n@", None),
        ('token: "t0k3n"', "", "t0k3n"),
    ],
    ids=["user and password", "token in the URL", "token"],
)
async def test_credentials_in_the_url_or_an_argument_are_accepted(
    nats_executable: Path, configuration: str, login: str, token: str | None
) -> None:
    with nats_server(configuration=f"authorization: {{ {configuration} }}") as server:
        await works(NatsBus.open(server.url.replace("//", f"//{login}"), "bank", token=token))


async def test_the_documented_permissions_suffice(nats_executable: Path) -> None:
    users = """authorization: { users: [ { user: "u", password: "p", permissions: {
        publish: ["bank.>", "$JS.API.>", "$JS.ACK.>", "$KV.bank_groups.>"],
        subscribe: "_INBOX.>" } } ] }"""
    with nats_server(configuration=users) as server:
        await works(NatsBus.open(server.url.replace("//", "//u:p@"), "bank"))


async def test_a_refused_connection_reconnects_once_it_is_accepted_again(
    nats_executable: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="eventhus_nats")
    users = 'authorization: { user: "u", password: "p" }'
    inbox = Inbox()
    with nats_server(configuration=users) as server:
        file = server.directory / "nats.conf"
        url = server.url.replace("//", "//u:p@")
        async with NatsBus.open(url, "bank", jetstream=False) as bus:
            await bus.subscribe(inbox)
            file.write_text(users.replace('"p"', '"other"'))
            os.kill(server.pid, signal.SIGHUP)
            await until(lambda: "refused the credentials" in caplog.text)
            file.write_text(users)
            os.kill(server.pid, signal.SIGHUP)
            await until(lambda: "connected to NATS again" in caplog.text)
            await publish(bus, [message()])
            await until(lambda: inbox.messages)
    assert ["a-1"] == inbox.ids


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1."""
    return certify(tmp_path_factory.mktemp("certificates"))


@pytest.mark.parametrize("scheme", ["nats", "tls"])
async def test_tls_is_used_where_the_server_demands_it(
    nats_executable: Path, certificates: Path, scheme: str
) -> None:
    """With either scheme; an unknown authority is refused."""
    tls = f'tls: {{ cert_file: "{certificates}/cert.pem", key_file: "{certificates}/key.pem" }}'
    context = ssl.create_default_context(cafile=str(certificates / "cert.pem"))
    with nats_server(configuration=tls) as server:
        url = server.url.replace("nats", scheme)
        await works(NatsBus.open(url, "bank", tls=context))
        with pytest.raises(BusUnavailable, match="SSLCertVerificationError"):
            await NatsBus.open(url, "bank").__aenter__()


@pytest.mark.parametrize("login", ["", "user:s3cr3t@", "s3cr3t@"])
async def test_no_credentials_are_sent_in_clear_when_tls_was_asked_for(
    nats_executable: Path, login: str
) -> None:
    with nats_server(arguments=["-DV"]) as server:
        url = server.url.replace("nats://", f"tls://{login}")
        with pytest.raises(BusUnavailable, match="the server does not encrypt"):
            await NatsBus.open(url, "bank").__aenter__()
        log = (server.directory / "log").read_text()
    assert "s3cr3t" not in log


def test_servers_with_different_credentials_are_refused() -> None:
    with pytest.raises(CompositionError, match="different credentials") as caught:
        NatsBus.open("nats://a:s3cr3t@a,nats://b:s3cr3t@b", "bank")
    assert "s3cr3t" not in str(caught.value)


async def test_a_credentials_file_lets_its_user_in_and_no_other(
    nats_executable: Path, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    configuration, credentials = trusted(tmp_path)
    _, foreign = trusted(tmp_path / "other")
    with nats_server(configuration=configuration) as server:
        await works(NatsBus.open(server.url, "bank", credentials=credentials))
        for wrong in (foreign, None):
            with pytest.raises(AccessDenied):
                await NatsBus.open(server.url, "bank", credentials=wrong).__aenter__()


@pytest.mark.parametrize(
    ("content", "problem"), [(None, "cannot be read: FileNotFoundError"), ("?", "is not one")]
)
async def test_a_missing_or_malformed_credentials_file_is_refused_at_once(
    nats_url: str, tmp_path: Path, content: str | None, problem: str
) -> None:
    """The driver would search for ever for what is not in the file."""
    path = tmp_path / "s3cr3t"
    if content is not None:
        path.write_text(content)
    with pytest.raises(CompositionError, match=problem) as caught:
        await NatsBus.open(nats_url, "bank", credentials=path).__aenter__()
    assert "s3cr3t" not in str(caught.value)


async def test_a_missing_library_for_credentials_files_is_named(
    nats_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, credentials = trusted(tmp_path)
    monkeypatch.setitem(sys.modules, "nkeys", None)
    with pytest.raises(CompositionError, match=r"install nats-py\[nkeys\]"):
        await NatsBus.open(nats_url, "bank", credentials=credentials).__aenter__()


async def test_any_of_several_servers_is_used(nats_executable: Path) -> None:
    """At first, and again when one goes away."""
    with nats_server() as one, nats_server() as other:
        url = f"nats://127.0.0.1:1,{one.url},{other.url}"
        inbox = Inbox()
        async with NatsBus.open(url, "bank", jetstream=False) as bus:
            await bus.subscribe(inbox)
            running = bus._running
            assert running is not None
            client = running.connection.client
            for server in (one, other):  # it may be at either
                await asyncio.to_thread(server.stop)
                rest = other if server is one else one
                await until(lambda rest=rest: _is_at(client, rest))  # type: ignore[misc]
                await publish(bus, [message(f"{rest.port}")])
                await until(lambda rest=rest: inbox.of(f"{rest.port}"))  # type: ignore[misc]
                await asyncio.to_thread(server.start)


def _is_at(client: Client, server: NatsServer) -> bool:
    at = client.connected_url
    return client.is_connected and at is not None and at.port == server.port
