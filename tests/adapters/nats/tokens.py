"""A NATS operator, its accounts and a user, for a server with decentralised authentication."""

from __future__ import annotations

import json
import os
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any

import nkeys  # type: ignore[import-untyped]

_LIMITS: dict[str, int | bool] = {
    **dict.fromkeys(["subs", "data", "payload", "imports", "exports", "conn", "leaf"], -1),
    "wildcards": True,
}
_JETSTREAM = dict.fromkeys(["mem_storage", "disk_storage", "streams", "consumer"], -1)


class Keys:
    """A pair of keys that can sign tokens."""

    def __init__(self, prefix: int) -> None:
        self.seed: str = nkeys.encode_seed(os.urandom(32), prefix).decode()
        self._pair: Any = nkeys.from_seed(bytearray(self.seed.encode()))
        self.public: str = self._pair.public_key.decode()

    def token(self, subject: str, kind: str, **claims: Any) -> str:
        """Return a signed JWT about a subject."""
        head = {"typ": "JWT", "alg": "ed25519-nkey"}
        body = {
            "jti": os.urandom(8).hex(),
            "iat": 1767225600,
            "iss": self.public,
            "name": kind,
            "sub": subject,
            "nats": {"type": kind, "version": 2, **claims},
        }
        text = ".".join(_text(json.dumps(each).encode()) for each in (head, body))
        return f"{text}.{_text(self._pair.sign(text.encode()))}"


def trusted(directory: Path) -> tuple[str, Path]:
    """Return a server's configuration and the credentials file of its only user."""
    operator = Keys(nkeys.PREFIX_BYTE_OPERATOR)
    system, account = Keys(nkeys.PREFIX_BYTE_ACCOUNT), Keys(nkeys.PREFIX_BYTE_ACCOUNT)
    user = Keys(nkeys.PREFIX_BYTE_USER)
    preload = "\n".join(
        f'{each.public}: "{operator.token(each.public, "account", limits=limits)}"'
        for each, limits in ((system, _LIMITS), (account, {**_LIMITS, **_JETSTREAM}))
    )
    configuration = f"""
        operator: "{operator.token(operator.public, "operator")}"
        system_account: "{system.public}"
        resolver: MEMORY
        resolver_preload: {{ {preload} }}
    """
    token = account.token(user.public, "user", subs=-1, data=-1, payload=-1)
    credentials = directory / "user.creds"
    credentials.write_text(
        f"-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{user.seed}\n------END USER NKEY SEED------\n"
    )
    return configuration, credentials


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")
