"""Messages, handlers and waiting, for the cases of buses."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar

from attrs import define, field

from eventhus import StreamId
from eventhus.errors import PublisherReplaced
from eventhus.ports import EventBus, Message
from eventhus_testing.conformance.harness import Bucketed, with_entered

C = TypeVar("C", bound="BusCases")
P = ParamSpec("P")

POLL_S = 0.002
MARKER = "marker"  # the stream of messages that are published only to be waited for


class BusCases(Bucketed):
    """Cases for a bus. Each is a method that ``bus_case`` made."""

    def bus(self, bucket: str) -> EventBus:
        """Make a bus over ``bucket``, not entered. To be written by the subclass.

        Called again with the same bucket, it makes another bus on the same channel, or gives the
        same one where the object is the channel.
        """
        raise NotImplementedError(f"write the method bus(bucket) of {type(self).__qualname__}")


def bus_case(
    test: Callable[Concatenate[C, EventBus, P], Coroutine[Any, Any, None]],
) -> Callable[Concatenate[C, P], None]:
    """Turn an asynchronous method that takes an entered bus into a plain one."""
    return with_entered("bus", test)


def message(aggregate_id: str = "a", version: int = 1, **parts: Any) -> Message:
    """Return the message of an aggregate's event, by default of the first."""
    body = {
        "aggregate_id": aggregate_id,
        "aggregate_type": "Account",
        "version": version,
        "type": parts.get("type", "Deposited"),
        "data": {"amount": version},
    }
    given: dict[str, Any] = {
        "id": f"{aggregate_id}-{version}",
        "stream": StreamId("Account", aggregate_id),
        "type": "Deposited",
        "body": json.dumps(body, separators=(",", ":")).encode(),
        "headers": {"Eventhus-Schema": "1"},
    }
    return Message(**{**given, **parts})


def messages(aggregate_id: str, size: int, *, after: int = 0) -> list[Message]:
    """Return an aggregate's next messages, in order."""
    return [message(aggregate_id, version) for version in range(after + 1, after + size + 1)]


async def publish(bus: EventBus, given: Sequence[Message]) -> None:
    """Publish messages, and begin again whenever another publisher takes over."""
    taken = 0
    while taken < len(given):
        publisher = await bus.publisher()
        try:
            await publisher.publish(given[taken:])
        except PublisherReplaced:
            taken += publisher.acknowledged
        else:
            return


async def until(condition: Callable[[], object]) -> None:
    """Wait until a condition holds, within the case's time limit."""
    while not condition():  # noqa: ASYNC110 - what happens in a server sets no event
        await asyncio.sleep(POLL_S)


@define
class Inbox:
    """A handler that collects messages."""

    messages: list[Message] = field(factory=list[Message])

    async def __call__(self, given: Message) -> None:
        """Keep it."""
        self.messages.append(given)

    @property
    def ids(self) -> list[str]:
        """The ids of what it was given, without markers."""
        return [each.id for each in self.messages if each.stream.aggregate_id != MARKER]

    def of(self, aggregate_id: str) -> list[str]:
        """The ids of what it was given of one aggregate."""
        return [each.id for each in self.messages if each.stream.aggregate_id == aggregate_id]


@define
class Gate:
    """A handler that waits until the case opens it."""

    entered: list[str] = field(factory=list[str])
    left: list[str] = field(factory=list[str])
    open: asyncio.Event = field(factory=asyncio.Event)

    async def __call__(self, given: Message) -> None:
        """Wait for the gate to open."""
        self.entered.append(given.id)
        await self.open.wait()
        self.left.append(given.id)


@define
class FailingHandler:
    """A handler that fails on some messages, each a given number of times."""

    refusals: dict[str, int]
    attempts: list[tuple[str, int]] = field(factory=list[tuple[str, int]])
    accepted: list[str] = field(factory=list[str])

    async def __call__(self, given: Message) -> None:
        """Refuse it, or take it."""
        self.attempts.append((given.id, given.attempt))
        refused = self.refusals.get(given.id, 0)
        if refused > 0:
            self.refusals[given.id] = refused - 1
            raise RuntimeError("not now")
        self.accepted.append(given.id)
