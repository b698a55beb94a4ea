"""Who may connect, and that what travels is encrypted."""

import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from eventhus import BusUnavailable, CompositionError
from eventhus_nats import NatsBus
from eventhus_testing.conformance.bus_harness import Inbox, message, publish
from eventhus_testing.servers import nats_server
from tests.nats.support import until


async def works(bus: NatsBus) -> None:
    """Carry a message."""
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
async def test_credentials(
    nats_executable: Path, configuration: str, login: str, token: str | None
) -> None:
    """Percent-encoded in the URL, or an argument."""
    with nats_server(configuration=f"authorization: {{ {configuration} }}") as server:
        await works(NatsBus.open(server.url.replace("//", f"//{login}"), "bank", token=token))


async def test_rights_that_suffice(nats_executable: Path) -> None:
    """Those that the adapter's page lists."""
    users = """authorization: { users: [ { user: "u", password: "p", permissions: {
        publish: ["bank.>", "$JS.API.>", "$JS.ACK.>", "$KV.bank_groups.>"],
        subscribe: "_INBOX.>" } } ] }"""
    with nats_server(configuration=users) as server:
        await works(NatsBus.open(server.url.replace("//", "//u:p@"), "bank"))


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority of our own, and a certificate for 127.0.0.1."""
    directory = tmp_path_factory.mktemp("certificates")
    command: list[str | Path] = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-keyout", directory / "key.pem", "-out", directory / "cert.pem"]
    subprocess.run(command, check=True, capture_output=True)
    return directory


@pytest.mark.parametrize("scheme", ["nats", "tls"])
async def test_encrypted(nats_executable: Path, certificates: Path, scheme: str) -> None:
    """Where the server demands it, whatever the scheme; with the authority that it is given."""
    tls = f'tls: {{ cert_file: "{certificates}/cert.pem", key_file: "{certificates}/key.pem" }}'
    context = ssl.create_default_context(cafile=str(certificates / "cert.pem"))
    with nats_server(configuration=tls) as server:
        url = server.url.replace("nats", scheme)
        await works(NatsBus.open(url, "bank", tls=context))
        with pytest.raises(BusUnavailable, match="SSLCertVerificationError"):
            await NatsBus.open(url, "bank").__aenter__()


@pytest.mark.parametrize("login", ["", "user:s3cr3t@", "s3cr3t@"])
async def test_a_server_that_does_not_encrypt(nats_executable: Path, login: str) -> None:
    """Who asks for encryption does not talk without, and sends no credentials."""
    with nats_server(arguments=["-DV"]) as server:
        url = server.url.replace("nats://", f"tls://{login}")
        with pytest.raises(BusUnavailable, match="the server does not encrypt"):
            await NatsBus.open(url, "bank").__aenter__()
        log = (server.directory / "log").read_text()
    assert "s3cr3t" not in log


def test_servers_with_different_credentials() -> None:
    """There is one login for all of them."""
    with pytest.raises(CompositionError, match="different credentials") as caught:
        NatsBus.open("nats://a:s3cr3t@a,nats://b:s3cr3t@b", "bank")
    assert "s3cr3t" not in str(caught.value)


async def test_a_credentials_file_without_its_library(
    nats_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names what to install."""
    monkeypatch.setitem(sys.modules, "nkeys", None)
    with pytest.raises(CompositionError, match=r"install nats-py\[nkeys\]"):
        await NatsBus.open(nats_url, "bank", credentials="user.creds").__aenter__()
