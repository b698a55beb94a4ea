"""The servers of a bus and the credentials for them."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Self
from urllib.parse import SplitResult, unquote, urlsplit

from attrs import field, frozen

from eventhus.errors import CompositionError


@frozen(kw_only=True)
class Address:
    """The servers to connect to, and the credentials. Its ``repr`` shows neither.

    Attributes:
        servers: The URLs of the servers, without credentials.
        user: The user, with ``password``.
        token: A token, in place of user and password.
        credentials: The path of a credentials file, in place of both.
        tls: How to encrypt; ``None`` encrypts where the server demands it.
    """

    servers: Sequence[str] = field(repr=False)
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    credentials: Path | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)

    @classmethod
    def parse(
        cls,
        url: str,
        bucket: str,
        *,
        token: str | None,
        credentials: str | Path | None,
        tls: ssl.SSLContext | None,
    ) -> Self:
        """Return the address that the arguments of ``NatsBus.open`` describe.

        Raises:
            CompositionError: The URL has another form, or its servers have different credentials.
                The message quotes nothing of the URL, which may hold a secret.
        """
        servers = _servers(url, bucket)
        logins = {(split.username, split.password) for split in servers if split.username}
        if len(logins) > 1:
            raise CompositionError(
                f"the servers of the bus of bucket {bucket!r} have different credentials; "
                f"give them one user that all of them know"
            )
        user, password = logins.pop() if logins else (None, None)
        if user and password is None:  # nats://token@host
            user, token = None, token or unquote(str(user))
        if tls is None and any(split.scheme == "tls" for split in servers):
            tls = ssl.create_default_context()
        return cls(
            servers=[f"{each.scheme}://{each.netloc.rpartition('@')[2]}" for each in servers],
            user=unquote(user) if user else None,
            password=unquote(password) if password else None,
            token=token,
            credentials=None if credentials is None else Path(credentials),
            tls=tls,
        )


def _servers(url: str, bucket: str) -> list[SplitResult]:
    scheme, separator, rest = url.partition("://")
    parts = rest.split(",") if separator else [""]
    try:
        servers = [urlsplit(part if "://" in part else f"{scheme}://{part}") for part in parts]
        if all(map(_is_server, servers)):
            return servers
    except ValueError:
        pass
    raise CompositionError(
        f"the URL of the bus of bucket {bucket!r} is not of the form "
        f"nats://user:password@host:4222 or tls://host:4222, with user and password "
        f"percent-encoded, and several servers separated by commas"
    )


def _is_server(split: SplitResult) -> bool:
    return bool(
        split.scheme in {"nats", "tls"}
        and split.hostname
        and split.port != 0
        and not (split.path.strip("/") or split.query or split.fragment)
    )
