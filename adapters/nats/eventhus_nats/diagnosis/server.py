"""Checks of the server and of the connection to it."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from ipaddress import ip_address
from typing import Any

from eventhus.ports import Finding
from eventhus_nats.address import Address
from eventhus_nats.diagnosis.names import AUTHENTICATION, DRIVER, MAX_PAYLOAD, TLS, VERSION

_OLDEST = (2, 9)  # that the tests run against
_DEFAULT_PAYLOAD = 1 << 20  # bytes


def of_driver() -> Finding:
    """Return the version of the driver."""
    try:
        return Finding.ok(DRIVER, f"nats-py {version('nats-py')}")
    except PackageNotFoundError:  # a program that was packed without metadata
        return Finding.ok(DRIVER, "nats-py")


def server_findings(
    info: Mapping[str, Any], address: Address, host: str | None
) -> Iterator[Finding]:
    """Return the findings about what the server says of itself.

    Args:
        info: The server's INFO.
        address: The servers and credentials of the bus.
        host: The host of the server.
    """
    yield from _of_version(str(info["version"]))
    yield from _of_encryption(info, address, host)
    if info.get("auth_required"):
        yield Finding.ok(AUTHENTICATION, "the server asks for credentials")
    else:
        yield Finding.warning(
            AUTHENTICATION,
            "the server lets everybody in who can reach it",
            "give the server users, and the bus the credentials of one",
        )
    yield _of_payload(int(info["max_payload"]))


def _of_version(found: str) -> Iterable[Finding]:
    numbers = tuple(int(part) for part in found.split("-", 1)[0].split(".")[:2])
    if numbers < _OLDEST:
        yield Finding.warning(
            VERSION,
            f"nats-server {found}; eventhus is not tested with versions before "
            f"{'.'.join(map(str, _OLDEST))}",
            "update the server",
        )
    else:
        yield Finding.ok(VERSION, f"nats-server {found}")


def _of_encryption(
    info: Mapping[str, Any], address: Address, host: str | None
) -> Iterable[Finding]:
    context = address.tls
    if not info.get("tls_required"):
        if info.get("tls_available"):
            problem = "the connection is not encrypted, although the server offers it"
        elif _is_local(host):
            yield Finding.ok(TLS, "the connection is not encrypted, and stays on this machine")
            return
        else:
            problem = "the connection is not encrypted"
        yield Finding.warning(
            TLS, problem, "let the server demand TLS, and begin the URL with tls://"
        )
    elif context is None:
        yield Finding.warning(
            TLS,
            "the connection is encrypted only because the server demands it; somebody between "
            "could ask for the credentials in clear",
            "begin the URL with tls://",
        )
    elif context.verify_mode == ssl.CERT_NONE or not context.check_hostname:
        yield Finding.warning(
            TLS,
            "the certificate of the server is not checked, so a foreign server can read everything",
            "pass an ssl.SSLContext that checks certificates and host names",
        )
    else:
        yield Finding.ok(TLS, "the connection is encrypted")


def _of_payload(size: int) -> Finding:
    detail = f"a message takes at most {size:,} bytes; a larger event stops the relay"
    if size < _DEFAULT_PAYLOAD:
        return Finding.warning(
            MAX_PAYLOAD,
            detail,
            f"raise max_payload of the server to {_DEFAULT_PAYLOAD:,} or more",
        )
    return Finding.ok(MAX_PAYLOAD, detail)


def _is_local(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return False
