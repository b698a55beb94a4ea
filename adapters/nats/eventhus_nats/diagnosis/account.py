"""Checks of the account: whether it has JetStream, and room for the bucket."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias

import nats.js.errors
from nats.js.api import AccountInfo, Tier

from eventhus.ports import Finding
from eventhus_nats.connection import Connection
from eventhus_nats.diagnosis.names import JETSTREAM
from eventhus_nats.driver_errors import describe

Usage: TypeAlias = AccountInfo | Tier

_NOT_ENABLED = {10039, 10076, None}  # for the account; on the server; nobody answers
_NEARLY_FULL = 0.8
ENABLE = "enable JetStream on the server and for the account"


async def of_account(connection: Connection, missing_streams: int) -> Iterable[Finding]:
    """Return whether the account may use JetStream, and how much of its limits is left.

    Args:
        connection: The connection.
        missing_streams: The number of streams of the bucket that are to be created.
    """
    try:
        info = await connection.ask(connection.jetstream.account_info())
    except nats.js.errors.APIError as error:
        if error.err_code not in _NOT_ENABLED:
            raise
        return [Finding.error(JETSTREAM, describe(error), ENABLE)]
    return [*account_findings(info, missing_streams)]


def account_findings(info: AccountInfo, missing_streams: int) -> Iterable[Finding]:
    """Return the findings about the limits of an account and its usage."""
    tiers = info.tiers or {}
    if not tiers:
        findings = [*_limit_findings("", info, missing_streams)]
    else:
        findings = [
            finding
            for name, tier in tiers.items()
            for finding in _limit_findings(f" of tier {name}", tier, 0)
        ]
    if findings:
        return findings
    return [
        Finding.ok(
            JETSTREAM,
            f"JetStream has room; it holds {info.streams} streams and {info.consumers} consumers "
            f"of the account",
        )
    ]


def _limit_findings(tier: str, usage: Usage, missing_streams: int) -> Iterator[Finding]:
    limits = usage.limits
    if missing_streams and limits.max_bytes_required:
        yield Finding.error(
            JETSTREAM,
            f"the account{tier} requires max_bytes for every stream, so the bus cannot create "
            f"{missing_streams} of the bucket's streams",
            "create the streams with max_bytes and discard new, or lift max_bytes_required",
        )
    for what, used, limit, needed in (
        ("storage", usage.storage, limits.max_storage, 1),
        ("streams", usage.streams, limits.max_streams, missing_streams),
        ("consumers", usage.consumers, limits.max_consumers, 1),
    ):
        if limit < 0:  # no limit
            continue
        detail = f"{used:,} of {limit:,} {'bytes' if what == 'storage' else what} are used"
        advice = f"raise the limit of the account{tier} for {what}"
        if used + needed > limit:
            yield Finding.error(
                JETSTREAM, f"JetStream has no room for the account{tier}: {detail}", advice
            )
        elif what != "streams" and used > _NEARLY_FULL * limit:
            yield Finding.warning(
                JETSTREAM, f"JetStream is nearly full for the account{tier}: {detail}", advice
            )
