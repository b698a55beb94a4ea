"""A position of the log is found in a stream that is not as regular as the log."""

from __future__ import annotations

import logging

import pytest

from eventhus.errors import InvalidArgument
from eventhus_nats import NatsBus
from eventhus_testing.conformance.bus.cases import MARKER, Inbox, message, publish
from tests.adapters.nats.support import plain, until


def at(position: int, prefix: str = "a") -> dict[str, object]:
    return {"id": f"{prefix}-{position}", "headers": {"Eventhus-Position": f"{position}"}}


@pytest.mark.parametrize("start", range(16))
async def test_no_later_event_is_left_out_where_a_relay_went_back(
    nats_url: str, nats_bucket: str, start: int
) -> None:
    """Whichever of its messages is found, every event after the position comes after it."""
    inbox = Inbox()
    async with NatsBus.open(nats_url, nats_bucket) as bus:
        given = [*map(at, range(1, 11)), *[at(position, "b") for position in range(4, 14)]]
        await publish(bus, [message("a", 1, **each) for each in given])
        await bus.subscribe(inbox, start=start)
        await publish(bus, [message("a", 1, **at(16))])
        await until(lambda: "a-16" in inbox.ids)
    found = [int(each.headers["Eventhus-Position"]) for each in inbox.messages]
    assert {*range(start + 1, 14), 16} <= {*found}
    assert [] == [each for each in found[:1] if each > start + 1 and each != 16]


@pytest.mark.parametrize("start", range(13))
async def test_gaps_and_messages_without_a_position_are_passed(
    nats_url: str, nats_bucket: str, start: int
) -> None:
    """A message of another program, which tells none, is delivered rather than lost."""
    inbox = Inbox()
    async with NatsBus.open(nats_url, nats_bucket) as bus:
        for position in range(1, 13):
            await publish(bus, [message("a", 1, **at(position)), message("f", position)])
        async with plain(nats_url) as (_, jetstream):
            for sequence in (1, 7, 9, 10, 11, 23):
                await jetstream.delete_msg(nats_bucket, sequence)
        kept = [position for position in range(1, 13) if position not in (1, 4, 5, 6, 12)]
        expected = [f"a-{position}" for position in kept if position > start]
        foreign = {f"f-{each}" for each in range(1, 13) if each != 5 and each > start}
        await bus.subscribe(inbox, start=start)
        await publish(bus, [message(MARKER)])
        # The marker may come before messages of other streams.
        await until(lambda: inbox.of(MARKER) and {*expected, *foreign} <= {*inbox.ids})
    assert expected == [each for each in inbox.ids if each.startswith("a")]


async def test_many_messages_without_a_position_hide_no_event(
    nats_url: str, nats_bucket: str
) -> None:
    """The subscription begins too early rather than too late."""
    inbox = Inbox()
    async with NatsBus.open(nats_url, nats_bucket) as bus:
        await publish(bus, [message("a", 1, **at(1)), message("a", 1, **at(2))])
        await publish(bus, [message("f", position) for position in range(1, 301)])
        await publish(bus, [message("a", 1, **at(3)), message("a", 1, **at(4))])
        await bus.subscribe(inbox, start=2)
        await until(lambda: "a-4" in inbox.ids)
    assert ["a-3", "a-4"] == inbox.of("a")


@pytest.mark.parametrize(("start", "is_told"), [("beginning", True), (2, True), (3, False)])
async def test_a_stream_that_lost_the_wanted_events_is_reported(
    nats_url: str,
    nats_bucket: str,
    start: int,
    is_told: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    inbox = Inbox()
    async with NatsBus.open(nats_url, nats_bucket) as bus:
        await publish(bus, [message("a", 1, **at(position)) for position in range(1, 6)])
        async with plain(nats_url) as (_, jetstream):
            await jetstream.purge_stream(nats_bucket, seq=4)
        with caplog.at_level(logging.WARNING):
            await bus.subscribe(inbox, group="g", start=start)
        await until(lambda: len(inbox.messages) == 2)
    assert is_told == ("begins with the event at position 4" in caplog.text)
    assert ["a-4", "a-5"] == inbox.ids


@pytest.mark.parametrize("start", ["beginning", 0, 7])
async def test_core_nats_starts_only_with_the_next_message(
    nats_url: str, nats_bucket: str, start: int
) -> None:
    async with NatsBus.open(nats_url, nats_bucket, jetstream=False) as bus:
        with pytest.raises(InvalidArgument, match=r"keeps no messages.*use JetStream"):
            await bus.subscribe(Inbox(), start=start)
