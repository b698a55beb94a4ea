"""The transport on JetStream: streams keep the messages, consumers keep the place of each group."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from nats.js.api import StreamInfo

from eventhus.adapter_support import group_with_letters, unknown_group
from eventhus.errors import BusUnavailable, ReaderBusy
from eventhus.ports import DeadLetter, Finding, GroupStatus, Message, MessageHandler, Start
from eventhus_nats.connection import Connection
from eventhus_nats.consumer import Consumer, has_consumer
from eventhus_nats.dead_letters import DeadLetters
from eventhus_nats.diagnosis import diagnose_jetstream
from eventhus_nats.group_leases import GroupLeases
from eventhus_nats.groups import delete_consumer, describe_groups, move_consumer
from eventhus_nats.publisher import Acknowledgements, JetStreamPublisher
from eventhus_nats.starting import sequence_before
from eventhus_nats.streams import StreamSettings, check_streams, ensure_streams
from eventhus_nats.subjects import Subjects
from eventhus_nats.subscription import JetStreamSubscription


class JetStream:
    """Publishes to a stream and subscribes with durable pull consumers."""

    def __init__(
        self, connection: Connection, subjects: Subjects, settings: StreamSettings
    ) -> None:
        self._connection = connection
        self._subjects = subjects
        self._settings = settings
        self._acknowledgements = Acknowledgements(connection)
        self._dead_letters = DeadLetters(connection, subjects)
        self._leases = GroupLeases(connection)

    async def open(self) -> None:
        """Check the streams that exist.

        Those that do not are created for the first message or subscription, because the name of the
        bucket may be misspelt.

        Raises:
            BusUnavailable: JetStream did not answer.
            IncompatibleBucket: A stream exists with other settings.
        """
        await check_streams(
            self._connection, self._subjects.all, self._subjects.dead("*"), self._settings
        )

    async def publisher(self) -> JetStreamPublisher:
        """See ``EventBus.publisher``."""
        found = await self._ensure_streams()
        publisher = JetStreamPublisher(
            self._connection,
            self._subjects,
            last_sequence=found.state.last_seq,
        )
        await publisher.begin(self._acknowledgements)
        return publisher

    async def subscribe(
        self, handler: MessageHandler, group: str | None, concurrency: int, start: Start
    ) -> JetStreamSubscription:
        """See ``MessageSource.subscribe``."""
        found = await self._ensure_streams()
        lease = None if group is None else await self._leases.lease(group, found)
        after = found.state.last_seq
        if start != "now" and not (group and await has_consumer(self._connection, group)):
            after = await sequence_before(self._connection, self._subjects.all, found, start)
        consumer = Consumer(self._connection, group, found, after=after)
        await consumer.ensure()
        return JetStreamSubscription(self._connection, consumer, lease, handler, concurrency)

    async def bury(self, message: Message, group: str) -> None:
        """See ``MessageSource.bury``."""
        try:
            await self._dead_letters.bury(message, group)
        except BusUnavailable:  # the stream may not exist
            await self._ensure_streams()
            await self._dead_letters.bury(message, group)

    async def has_group(self, group: str) -> bool:
        """See ``MessageSource.has_group``."""
        return await has_consumer(self._connection, group) or await self._dead_letters.has(group)

    async def groups(self) -> Sequence[GroupStatus]:
        """See ``MessageSource.groups``."""
        return await describe_groups(
            self._connection, self._subjects.all, await self._dead_letters.counts()
        )

    async def move(self, group: str, start: Start) -> None:
        """See ``MessageSource.move``."""
        if not await has_consumer(self._connection, group):
            raise unknown_group(group)
        found = await self._ensure_streams()
        after = found.state.last_seq
        if start != "now":
            after = await sequence_before(self._connection, self._subjects.all, found, start)
        async with self._leased(group, found):
            await move_consumer(self._connection, group, found, after=after)

    async def delete_group(self, group: str) -> None:
        """See ``MessageSource.delete_group``."""
        if not await self.has_group(group):
            raise unknown_group(group)
        found = await self._ensure_streams()
        async with self._leased(group, found):
            if await self._dead_letters.has(group):
                raise group_with_letters(group)
            await delete_consumer(self._connection, group, found)

    @asynccontextmanager
    async def _leased(self, group: str, stream: StreamInfo) -> AsyncGenerator[None, None]:
        """Hold the lease of a group.

        Raises:
            ReaderBusy: A member of the group holds it.
        """
        lease = await self._leases.lease(group, stream)
        if not await lease.acquire():
            raise ReaderBusy(f"group {group}")
        try:
            yield
        finally:
            await lease.release()

    async def dead_letters(self, group: str, *, after: int) -> AsyncGenerator[DeadLetter, None]:
        """See ``MessageSource.dead_letters``."""
        async for letter in self._dead_letters.read(group, after=after):
            yield letter

    async def discard(self, letter: DeadLetter) -> None:
        """See ``MessageSource.discard``."""
        await self._dead_letters.discard(letter)

    async def diagnose(self) -> Sequence[Finding]:
        """See ``Diagnosable.diagnose``. It needs no open transport."""
        return await diagnose_jetstream(self._connection, self._subjects, self._settings)

    async def _ensure_streams(self) -> StreamInfo:
        return await ensure_streams(
            self._connection, self._subjects.all, self._subjects.dead("*"), self._settings
        )
