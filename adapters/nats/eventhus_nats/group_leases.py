"""Leases of consumer groups: only the member that holds the lease is given messages."""

from __future__ import annotations

import asyncio
from typing import Any

import nats.js.errors
from nats.js.api import KeyValueConfig, StreamInfo
from nats.js.kv import KeyValue

from eventhus import new_id
from eventhus.errors import IncompatibleBucket
from eventhus_nats.connection import Connection
from eventhus_nats.driver_errors import to_eventhus_error

LEASE_S = 6.0  # how long a lease lasts after its last renewal
RENEW_S = 2.0  # between two renewals, and the time limit for the answer to one


def leases_name(bucket: str) -> str:
    """Return the name of the key-value bucket that holds the leases of a bucket's groups."""
    return f"{bucket}_groups"


class GroupLeases:
    """The leases of a bucket's groups, in a key-value bucket whose entries expire."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._entries: KeyValue | None = None

    async def lease(self, group: str, stream: StreamInfo) -> GroupLease:
        """Return the lease of a group as one new member sees it. It is not held yet.

        Args:
            group: The group.
            stream: The stream of events. A new key-value bucket gets as many replicas.

        Raises:
            BusUnavailable: The server did not answer.
            IncompatibleBucket: The entries of the key-value bucket expire after another time.
        """
        if self._entries is None:
            self._entries = await self._open(stream.config.num_replicas or 1)
        return GroupLease(self._connection, self._entries, group)

    async def _open(self, replicas: int) -> KeyValue:
        jetstream = self._connection.jetstream
        name = leases_name(self._connection.bucket)
        try:
            try:
                entries: KeyValue = await self._connection.ask(jetstream.key_value(name))
            except nats.js.errors.NotFoundError:
                config = KeyValueConfig(bucket=name, ttl=LEASE_S, replicas=replicas)
                entries = await self._connection.ask(jetstream.create_key_value(config))
            ttl_s = (await self._connection.ask(entries.status())).ttl
        except nats.js.errors.APIError as error:
            raise to_eventhus_error(self._connection.bucket, error) from error
        if ttl_s != LEASE_S:  # a member that crashed would keep its lease too long, or for ever
            raise IncompatibleBucket(
                self._connection.bucket,
                f"the entries of its key-value bucket {name} expire after {ttl_s:g} s, not "
                f"{LEASE_S:g} s; delete it while no group has a member",
            )
        return entries


class GroupLease:
    """The lease of one group, as one member sees it.

    The server's clock decides when the entry expires. The member counts from before its request,
    by its own clock, so it stops in time without knowing the server's.
    """

    def __init__(self, connection: Connection, entries: KeyValue, group: str) -> None:
        self._connection = connection
        self._entries = entries
        self._group = group
        self._owner = new_id().encode()
        self._revision = 0
        self._until_s = 0.0  # by the event loop's clock

    @property
    def is_held(self) -> bool:
        """Return whether this member certainly holds the lease."""
        return asyncio.get_running_loop().time() < self._until_s

    async def acquire(self) -> bool:
        """Acquire or renew the lease, and return whether this member holds it now.

        Raises:
            BusUnavailable: The server did not answer.
        """
        asked_s = asyncio.get_running_loop().time()
        try:
            try:
                entry = await self._ask(self._entries.get(self._group))
            except nats.js.errors.NotFoundError:  # released or expired
                self._revision = await self._ask(self._entries.create(self._group, self._owner))
            else:
                if entry.value != self._owner:
                    return False
                self._revision = await self._ask(
                    self._entries.update(self._group, self._owner, last=entry.revision)
                )
        except nats.js.errors.KeyWrongLastSequenceError:  # another member was faster
            return False
        except nats.js.errors.APIError as error:
            raise to_eventhus_error(self._connection.bucket, error) from error
        self._until_s = asked_s + LEASE_S
        return True

    def lose(self) -> None:
        """Note that another member holds the lease."""
        self._until_s = 0.0

    async def release(self) -> None:
        """Let another member acquire the lease at once. Does nothing if it is not held.

        Raises:
            BusUnavailable: The server did not answer; the lease expires by itself.
        """
        if not self.is_held:
            return
        self._until_s = 0.0
        try:
            await self._ask(self._entries.delete(self._group, last=self._revision))
        except nats.js.errors.APIError as error:
            raise to_eventhus_error(self._connection.bucket, error) from error

    async def _ask(self, question: Any) -> Any:
        return await self._connection.ask(question, within_s=RENEW_S)
