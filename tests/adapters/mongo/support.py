"""What these tests share: clients, what they send, and waiting for a condition."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, TypeAlias, TypeVar

from pymongo import AsyncMongoClient, MongoClient
from pymongo.monitoring import (
    CommandFailedEvent,
    CommandListener,
    CommandStartedEvent,
    CommandSucceededEvent,
)

from eventhus.errors import OutcomeUnknown, StoreUnavailable

T = TypeVar("T")
Client: TypeAlias = AsyncMongoClient[dict[str, Any]]


class Commands(CommandListener):
    """What clients send to their servers, in order.

    Attributes:
        sent: The commands as they were sent.
        most: How many of each name were under way at once, at most.
    """

    def __init__(self) -> None:
        self.sent: list[Mapping[str, Any]] = []
        self.most: Counter[str] = Counter()
        self._under_way: Counter[str] = Counter()

    @property
    def names(self) -> list[str]:
        """The names of the commands, which are their first keys."""
        return [next(iter(command)) for command in self.sent]

    def named(self, name: str) -> list[Mapping[str, Any]]:
        """The commands of one name."""
        return [command for command in self.sent if next(iter(command)) == name]

    def inserts(self) -> list[int]:
        """How many documents each insert had."""
        return [len(command["documents"]) for command in self.named("insert")]

    def forget(self) -> None:
        """Begin again."""
        self.sent.clear()
        self.most.clear()

    async def wait_for(self, name: str) -> None:
        """Return at the turn of the event loop that follows the sending of such a command."""
        while name not in self.names:
            await asyncio.sleep(0)

    def started(self, event: CommandStartedEvent) -> None:
        self.sent.append(dict(event.command))
        self._under_way[event.command_name] += 1
        self.most |= self._under_way

    def succeeded(self, event: CommandSucceededEvent) -> None:
        self._under_way[event.command_name] -= 1

    def failed(self, event: CommandFailedEvent) -> None:
        self._under_way[event.command_name] -= 1


@contextmanager
def client(url: str) -> Iterator[MongoClient[dict[str, Any]]]:
    """A client that does not wait, for looking at a server from outside of the event loop."""
    with MongoClient[dict[str, Any]](url) as connected:
        yield connected


@asynccontextmanager
async def async_client(url: str, *listeners: Commands, **options: Any) -> AsyncIterator[Client]:
    """A client for a store."""
    async with AsyncMongoClient[dict[str, Any]](
        url, event_listeners=listeners, **options
    ) as connected:
        yield connected


async def until(condition: Callable[[], object]) -> None:
    """Return once something is true. A test is bounded in time, so nothing is here."""
    while not condition():
        await asyncio.sleep(0.002)


async def answered(call: Callable[[], Awaitable[T]]) -> T:
    """Call until the server answers in time. On a busy machine, that may take more than once."""
    while True:
        with suppress(StoreUnavailable, OutcomeUnknown):
            return await call()
