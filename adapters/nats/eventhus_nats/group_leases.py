"""The one seat of each group: of all members, only the one that holds it is given messages."""

from __future__ import annotations

import asyncio
from typing import Any

import nats.js.errors
from nats.js.api import KeyValueConfig
from nats.js.kv import KeyValue

from eventhus import new_id
from eventhus.errors import IncompatibleBucket
from eventhus_nats.connection import Connection
from eventhus_nats.driver_errors import typed

SEAT_S = 6.0  # how long a member that says nothing keeps the others from taking its seat
RENEW_S = 2.0  # between two renewals, and for the answer to one


def seats_name(bucket: str) -> str:
    """The name of the key-value bucket that keeps who sits where."""
    return f"{bucket}_groups"


class GroupLeases:
    """The seats of a bucket's groups, kept in a key-value bucket whose keys run out."""

    def __init__(self, connection: Connection, replicas: int) -> None:
        self._connection = connection
        self._replicas = replicas
        self._kept: KeyValue | None = None

    async def seat(self, group: str) -> Seat:
        """The seat of a group, for one member."""
        if self._kept is None:
            self._kept = await self._open()
        return Seat(self._connection, self._kept, group)

    async def _open(self) -> KeyValue:
        jetstream = self._connection.jetstream
        name = seats_name(self._connection.bucket)
        try:
            try:
                kept: KeyValue = await self._connection.ask(jetstream.key_value(name))
            except nats.js.errors.NotFoundError:
                config = KeyValueConfig(bucket=name, ttl=SEAT_S, replicas=self._replicas)
                kept = await self._connection.ask(jetstream.create_key_value(config))
            ttl_s = (await self._connection.ask(kept.status())).ttl
        except nats.js.errors.APIError as error:
            raise typed(self._connection.bucket, error) from error
        if ttl_s != SEAT_S:  # one that died would keep its seat for another time, or for ever
            raise IncompatibleBucket(
                self._connection.bucket,
                f"its key-value bucket {name} forgets after {ttl_s:g} s, not {SEAT_S:g} s; delete "
                f"it, while no group has a member",
            )
        return kept


class Seat:
    """A group's seat, as one member sees it.

    It is given by the server's clock, and given up by the member's own before it runs out there.
    """

    def __init__(self, connection: Connection, kept: KeyValue, group: str) -> None:
        self._connection = connection
        self._kept = kept
        self._group = group
        self._owner = new_id().encode()
        self._revision = 0
        self._until_s = 0.0  # of the event loop's clock

    @property
    def is_held(self) -> bool:
        """Whether the seat is this member's, beyond doubt."""
        return asyncio.get_running_loop().time() < self._until_s

    async def hold(self) -> bool:
        """Take the seat or keep it; whether it is this member's.

        Raises:
            BusUnavailable: The server did not answer.
        """
        asked_s = asyncio.get_running_loop().time()
        try:
            try:
                entry = await self._ask(self._kept.get(self._group))
            except nats.js.errors.NotFoundError:  # left, or run out
                self._revision = await self._ask(self._kept.create(self._group, self._owner))
            else:
                if entry.value != self._owner:
                    return False
                self._revision = await self._ask(
                    self._kept.update(self._group, self._owner, last=entry.revision)
                )
        except nats.js.errors.KeyWrongLastSequenceError:  # another was faster
            return False
        except nats.js.errors.APIError as error:
            raise typed(self._connection.bucket, error) from error
        self._until_s = asked_s + SEAT_S
        return True

    def give_up(self) -> None:
        """Another has it."""
        self._until_s = 0.0

    async def leave(self) -> None:
        """Let another member have the seat at once. Does nothing where it is not held.

        Raises:
            BusUnavailable: The server did not answer: the seat runs out by itself.
        """
        if not self.is_held:
            return
        self._until_s = 0.0
        try:
            await self._ask(self._kept.delete(self._group, last=self._revision))
        except nats.js.errors.APIError as error:
            raise typed(self._connection.bucket, error) from error

    async def _ask(self, question: Any) -> Any:
        return await self._connection.ask(question, within_s=RENEW_S)
