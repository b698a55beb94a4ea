"""Checks of the client: its driver, its options and its encryption."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from typing import Any

import pymongo
from pymongo import ReadPreference
from pymongo.client_options import ClientOptions
from pymongo.errors import PyMongoError

from eventhus.ports import Finding
from eventhus_mongo.connection import TIMEOUT_S, Client
from eventhus_mongo.diagnosis.names import DRIVER, OPTIONS, TLS

_OLDEST_DRIVER = (4, 13, 2)
_FEW_CONNECTIONS = 10
_SHORT_S = 1.0  # below this, a busy server is a failure
_ELECTION_S = 12.0  # how long a set with default settings is without a primary
_OFFERS_TLS = {"allowTLS", "preferTLS", "requireTLS"}


def of_client(client: Client) -> list[Finding]:
    """Return what can be said without a server."""
    return [_of_driver(), *of_options(client.options)]


def _of_driver() -> Finding:
    if pymongo.version_tuple[:3] < _OLDEST_DRIVER:
        return Finding.warning(
            DRIVER,
            f"pymongo {pymongo.version} does not find a server again after some failures",
            f"update pymongo to {'.'.join(map(str, _OLDEST_DRIVER))} or later",
        )
    return Finding.ok(DRIVER, f"pymongo {pymongo.version}")


def of_options(options: ClientOptions) -> list[Finding]:
    """Return the findings about the options of the URL, or of the client."""
    harmful = [*_harmful(options)]
    if harmful:
        return harmful
    unused = [*_unused(options)]
    note = f"; {', '.join(unused)} have no effect on the store" if unused else ""
    timeout_s = options.timeout or TIMEOUT_S
    return [Finding.ok(OPTIONS, f"an operation takes at most {timeout_s:g} s{note}")]


def _harmful(options: ClientOptions) -> Iterator[Finding]:
    timeout_s = options.timeout or TIMEOUT_S
    pool_size = options.pool_options.max_pool_size
    selection_s = options.server_selection_timeout
    if not options.retry_writes:
        yield Finding.warning(
            OPTIONS,
            "retryWrites is false, so leases, checkpoints and views fail at every election",
            "remove retryWrites from the URL",
        )
    if not options.retry_reads:
        yield Finding.warning(
            OPTIONS,
            "retryReads is false, so reads fail at every election",
            "remove retryReads from the URL",
        )
    if pool_size is not None and 0 < pool_size < _FEW_CONNECTIONS:
        yield Finding.warning(
            OPTIONS,
            f"maxPoolSize is {pool_size}, so operations wait for each other",
            f"remove maxPoolSize from the URL, or raise it to {_FEW_CONNECTIONS} or more",
        )
    if timeout_s < _SHORT_S:
        yield Finding.warning(
            OPTIONS,
            f"timeoutMS is {1000 * timeout_s:g}, so operations fail while the server is busy",
            "raise timeoutMS to 5000 or more",
        )
    elif selection_s < min(timeout_s, _ELECTION_S):
        yield Finding.warning(
            OPTIONS,
            f"serverSelectionTimeoutMS is {1000 * selection_s:g}, so operations fail in an "
            f"election, which takes up to {_ELECTION_S:g} s",
            "remove serverSelectionTimeoutMS from the URL, and set timeoutMS",
        )


def _unused(options: ClientOptions) -> Iterator[str]:
    if options.write_concern.document:
        yield "w, journal and wtimeoutMS"
    if options.read_concern.level is not None:
        yield "readConcernLevel"
    if options.read_preference != ReadPreference.PRIMARY:
        yield "readPreference"


async def of_encryption(client: Client) -> Iterable[Finding]:
    """Return whether the connection is encrypted, and how its certificates are checked."""
    # There is no public property.
    context: Any = client.options.pool_options._ssl_context  # noqa: SLF001
    if context is None:
        return [await _of_clear_text(client)]
    if context.verify_mode == ssl.CERT_NONE:
        problem = "every certificate is accepted, so a foreign server can read everything"
    elif not context.check_hostname:
        problem = "certificates are accepted from any host that an authority of yours knows"
    else:
        return [Finding.ok(TLS, "the connection is encrypted")]
    return [
        Finding.warning(
            TLS,
            problem,
            "remove tlsInsecure and tlsAllowInvalid… from the URL, and name the authority with "
            "tlsCAFile",
        )
    ]


async def _of_clear_text(client: Client) -> Finding:
    try:
        answer = await client.admin.command({"getParameter": 1, "tlsMode": 1})
    except PyMongoError:  # the user may not ask
        answer = {}
    is_offered = answer.get("tlsMode") in _OFFERS_TLS
    is_local = all(map(_is_local, client.topology_description.server_descriptions()))
    if is_local and not is_offered:
        return Finding.ok(TLS, "the connection is not encrypted, and stays on this machine")
    offer = ", although the server offers it" if is_offered else ""
    return Finding.warning(
        TLS,
        f"the connection is not encrypted{offer}",
        "set up TLS on the server, and add tls=true to the URL",
    )


def _is_local(address: tuple[str, int | None]) -> bool:
    host = address[0]
    if host == "localhost" or host.startswith("/"):  # a socket in the file system
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
