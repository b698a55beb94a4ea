"""What the findings of every adapter have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from eventhus.ports import Diagnosable, Finding
from eventhus.ports.diagnosis import Status


async def fresh_findings(adapter: Diagnosable) -> Sequence[Finding]:
    """Return the findings of an adapter whose server and bucket are fresh, after checking them."""
    findings = await adapter.diagnose()
    assert findings, "an adapter tells at least about its connection"
    for finding in findings:
        assert finding.name
        assert finding.detail
        assert finding.status in get_args(Status)
        assert (finding.status == "ok") == (not finding.advice), finding
    assert [] == [finding for finding in findings if finding.status == "error"]
    return findings
