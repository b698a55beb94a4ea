"""The condition of a reader of the log, as far as its own process knows it."""

from __future__ import annotations

from attrs import frozen


@frozen(kw_only=True)
class ReaderCondition:
    """The condition of a reader in this process.

    Attributes:
        owner: The owner of its lease, if it holds it.
        is_running: True if it was started and goes on. It may be a stand-by.
        has_ended: True if it was started and has ended, although nobody stopped it.
        failure: The failure of its last attempt, until the next one begins. A takeover by another
            process counts only if it happens again and again.
        last_failure: The same, until it makes progress.
        idle_s: The seconds since it started or last made progress.
    """

    owner: str
    is_running: bool
    has_ended: bool
    failure: BaseException | None
    last_failure: BaseException | None
    idle_s: float
