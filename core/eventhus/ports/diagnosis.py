"""Diagnoses: an adapter's findings about its server, its settings and its bucket."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol, Self, TypeAlias

from attrs import field, frozen

from eventhus.printable import printable

Status: TypeAlias = Literal["ok", "warning", "error"]


@frozen
class Finding:
    """The result of one check.

    It names no credentials, no data of events, and no host that the caller has not named. Names
    from a server are escaped where they are not printable.

    Attributes:
        name: The check, such as ``mongodb.indexes``. A check may have several findings.
        status: ``error`` if something does not work or loses events, ``warning`` if it is not fit
            for production or could not be checked.
        detail: What was found.
        advice: What to do about it; empty if everything is fine.
    """

    name: str
    status: Status
    detail: str = field(converter=printable)
    advice: str = field(default="", converter=printable)

    @classmethod
    def ok(cls, name: str, detail: str) -> Self:
        """Return a finding that needs no action."""
        return cls(name, "ok", detail)

    @classmethod
    def warning(cls, name: str, detail: str, advice: str) -> Self:
        """Return a finding that needs attention before production."""
        return cls(name, "warning", detail, advice)

    @classmethod
    def error(cls, name: str, detail: str, advice: str) -> Self:
        """Return a finding that needs action now."""
        return cls(name, "error", detail, advice)


class Diagnosable(Protocol):
    """An adapter that can check its server, its settings and its bucket."""

    async def diagnose(self) -> Sequence[Finding]:
        """Check the connection, the server and the bucket, and return the findings.

        It works before the adapter is entered and while it is, changes nothing, and takes about
        10 seconds at most. It never raises because of the server: a server that is away, refuses
        or answers strangely is a finding.
        """
        ...
