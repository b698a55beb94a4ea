"""Limits: messages up to them are delivered, and those beyond them are refused."""

from __future__ import annotations

from typing import Any

import pytest

from eventhus import StreamId
from eventhus.errors import InvalidArgument
from eventhus.ports import EventBus
from eventhus_testing.conformance.bus.cases import (
    BusCases,
    Inbox,
    bus_case,
    message,
    messages,
    publish,
    until,
)

ID = "ü" * 512
NAME = "x" + "ü" * 127
HEADER = "x" * 255
MESSAGE_ID = "ü" * 256
HEADERS_BYTES = 60_000

BEYOND: dict[str, dict[str, Any]] = {
    "aggregate_id": {"stream": StreamId("Account", ID + "x")},
    "aggregate_type": {"stream": StreamId(NAME + "x", "a")},
    "message id": {"id": MESSAGE_ID + "x"},
    "message type": {"type": NAME + "x"},
    "name of a header": {"headers": {HEADER + "x": ""}},
    "headers": {"headers": {"a": "x" * HEADERS_BYTES}},
}
OF_ANOTHER_FORM: dict[str, dict[str, Any]] = {
    "an empty id": {"id": ""},
    "half of a surrogate pair in an id": {"id": "a\ud800"},
    "half of a surrogate pair in a type": {"type": "a\ud800"},
    "a number as type": {"type": 7},
    "a header with a line break": {"headers": {"a": "b\r\nc: d"}},
    "a header that is not ASCII": {"headers": {"a": "é"}},
    "a name of a header with a colon": {"headers": {"a: b": "c"}},
    "an empty name of a header": {"headers": {"": "c"}},
}
REFUSED = {**BEYOND, **OF_ANOTHER_FORM}


class Limits(BusCases):
    """The limits that ``eventhus.ports.bus`` lists."""

    @bus_case
    async def test_a_message_may_be_as_long_as_its_limits(self, bus: EventBus) -> None:
        """It arrives whole, and can be buried."""
        inbox = Inbox()
        await bus.subscribe(inbox)
        rest = HEADERS_BYTES - 2 * len(HEADER) - len("a") - 2 * len(": \r\n")
        given = message(ID, id=MESSAGE_ID, headers={HEADER: HEADER, "a": "x" * rest})
        await publish(bus, [given])
        await until(lambda: inbox.messages)
        assert [given] == inbox.messages
        await bus.bury(given, "g")

    @pytest.mark.parametrize("name", REFUSED)
    @bus_case
    async def test_messages_beyond_a_limit_are_refused(self, bus: EventBus, name: str) -> None:
        """Nothing of that call is published, the error quotes nothing, and others go on."""
        inbox = Inbox()
        await bus.subscribe(inbox)
        publisher = await bus.publisher()
        given = message("b", 2, **REFUSED[name])
        with pytest.raises(InvalidArgument, match=name if name in BEYOND else None) as caught:
            await publisher.publish([message("b", 1), given, message("b", 3)])
        if "surrogate" in name and "id" in REFUSED[name]:
            with pytest.raises(InvalidArgument):
                await bus.bury(given, "g")
        assert "üü" not in str(caught.value)
        assert 0 == publisher.acknowledged
        await publisher.publish(messages("b", 2, after=3))  # others would come before these
        await until(lambda: len(inbox.messages) >= 2)
        assert ["b-4", "b-5"] == inbox.ids
