"""Diagnoses: what a bus finds out about itself."""

from __future__ import annotations

from eventhus.ports import EventBus
from eventhus_testing.conformance.bus.cases import (
    BusCases,
    Inbox,
    bus_case,
    message,
    publish,
    until,
)
from eventhus_testing.conformance.diagnosing import fresh_findings


class Diagnosing(BusCases):
    """Findings of a fresh bucket, while a bus is entered and while it is not."""

    @bus_case
    async def test_a_fresh_bus_has_no_errors(self, bus: EventBus) -> None:
        """Also with a group, and it goes on delivering."""
        await fresh_findings(bus)
        inbox = Inbox()
        await bus.subscribe(inbox, group="g")
        await fresh_findings(bus)
        await publish(bus, [message()])
        await until(lambda: inbox.messages)
        assert ["a-1"] == inbox.ids

    @bus_case
    async def test_a_diagnosis_needs_no_entered_bus(self, bus: EventBus) -> None:
        """It leaves one that is in use alone."""
        inbox = Inbox()
        await bus.subscribe(inbox, group="g")
        await fresh_findings(self.bus(f"{self.bucket}_2"))
        await publish(bus, [message()])
        await until(lambda: inbox.messages)
