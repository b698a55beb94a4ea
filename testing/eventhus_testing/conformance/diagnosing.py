"""Checks that hold for the findings of every adapter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from eventhus.ports import Diagnosable, Finding
from eventhus.ports.diagnosis import Status


async def fresh_findings(adapter: Diagnosable) -> Sequence[Finding]:
    """Return the findings of an adapter whose server and bucket are fresh, after checking them.

    A bus that reads the log has none: the store tells them.
    """
    findings = await adapter.diagnose()
    for finding in findings:
        assert finding.name
        assert finding.detail
        assert finding.status in get_args(Status)
        assert (finding.status == "ok") == (not finding.advice), finding
    assert [] == [finding for finding in findings if finding.status == "error"]
    return findings
