"""The transport without JetStream: a message reaches the current subscribers, at most once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence

import nats.errors
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from eventhus.adapter_support import (
    StreamQueues,
    WorkerPool,
    check_messages,
    next_attempt,
)
from eventhus.errors import InvalidArgument
from eventhus.ports import DeadLetter, Finding, GroupStatus, Message, MessageHandler, Start
from eventhus_nats.connection import Connection
from eventhus_nats.dead_letters import letter_headers
from eventhus_nats.diagnosis import diagnose_core
from eventhus_nats.driver_errors import to_eventhus_error, translating_errors
from eventhus_nats.messages import MSG_ID, encode_id, message_of
from eventhus_nats.subjects import Subjects
from eventhus_nats.subscription import RETRY

MAX_IN_HAND = 1024  # messages; more wait in the driver, which drops some when it is full
MAX_BYTES_IN_HAND = 32 * 1024 * 1024  # likewise, and never less than one message

_logger = logging.getLogger(__name__)


class CoreNats:
    """Publishes and subscribes as the Go toolkit does: nothing is kept or acknowledged."""

    def __init__(self, connection: Connection, subjects: Subjects) -> None:
        self._connection = connection
        self._subjects = subjects

    async def open(self) -> None:
        """Do nothing: core NATS needs nothing on the server."""

    async def publisher(self) -> CoreNatsPublisher:
        """See ``EventBus.publisher``."""
        return CoreNatsPublisher(self._connection, self._subjects)

    async def subscribe(
        self, handler: MessageHandler, group: str | None, concurrency: int, start: Start
    ) -> CoreNatsSubscription:
        """See ``MessageSource.subscribe``."""
        if start != "now":
            raise InvalidArgument(
                f"core NATS keeps no messages, so a subscription cannot start at {start!r}; leave "
                f"start out, or use JetStream"
            )
        subscription = CoreNatsSubscription(self._connection, handler, concurrency)
        try:
            await subscription.open(self._subjects.all, group)
        except BaseException:
            subscription.abandon()
            raise
        return subscription

    async def bury(self, message: Message, group: str) -> None:
        """Publish a dead letter to the current subscribers."""
        client = self._connection.client
        headers = letter_headers(message, client.max_payload)
        with translating_errors(self._connection.bucket):
            await client.publish(self._subjects.dead(group), message.body, headers=headers or None)
        await self._connection.flush()

    async def has_group(self, group: str) -> bool:  # noqa: ARG002
        """Return ``True``: core NATS keeps no groups, so nobody knows."""
        return True

    async def groups(self) -> Sequence[GroupStatus]:
        """Return nothing: core NATS keeps no groups."""
        return ()

    async def move(self, group: str, start: Start) -> None:
        """Raise ``InvalidArgument``: core NATS keeps no messages, so no group has a place."""
        raise InvalidArgument(
            f"core NATS keeps no messages, so group {group!r} cannot start at {start!r}; use "
            f"JetStream"
        )

    async def delete_group(self, group: str) -> None:
        """Raise ``InvalidArgument``: core NATS keeps no groups."""
        raise InvalidArgument(
            f"core NATS keeps no groups, so there is nothing to delete of {group!r}; a group ends "
            f"with its last member"
        )

    async def dead_letters(
        self,
        group: str,  # noqa: ARG002
        *,
        after: int,  # noqa: ARG002
    ) -> AsyncGenerator[DeadLetter, None]:
        """Yield nothing: core NATS keeps no dead letters."""
        letters: list[DeadLetter] = []
        for letter in letters:
            yield letter

    async def discard(self, letter: DeadLetter) -> None:
        """Do nothing: core NATS keeps no dead letters."""

    async def diagnose(self) -> Sequence[Finding]:
        """See ``Diagnosable.diagnose``. It needs no open transport."""
        return await diagnose_core(self._connection, self._subjects)


class CoreNatsPublisher:
    """Publishes to the current subscribers, which do not confirm messages."""

    def __init__(self, connection: Connection, subjects: Subjects) -> None:
        self.acknowledged = 0
        self.is_first = False  # nothing keeps messages
        self._connection = connection
        self._subjects = subjects

    async def publish(self, messages: Sequence[Message]) -> None:
        """Return once the server has the messages. See ``Publisher.publish``."""
        check_messages(messages)
        client = self._connection.client
        try:
            for message in messages:
                headers = {MSG_ID: encode_id(message.id), **message.headers}
                await client.publish(self._subjects.of(message), message.body, headers=headers)
        except (nats.errors.Error, OSError) as error:
            raise to_eventhus_error(self._connection.bucket, error) from error
        await self._connection.flush()
        self.acknowledged += len(messages)

    async def published(self) -> AsyncGenerator[Message, None]:
        """Yield nothing: nothing keeps messages."""
        kept: list[Message] = []
        for message in kept:
            yield message


class CoreNatsSubscription:
    """See ``Subscription``. Messages of one aggregate may go to different members of a group."""

    def __init__(self, connection: Connection, handler: MessageHandler, concurrency: int) -> None:
        self._connection = connection
        self._closing = False
        self._queues = StreamQueues()
        self._in_hand = 0  # messages
        self._bytes_in_hand = 0
        self._has_room = asyncio.Event()
        self._subscription: Subscription | None = None
        self._pool = WorkerPool(handler, concurrency, handled=self._handled)

    async def open(self, subjects: str, group: str | None) -> None:
        """Subscribe, and return once the server has heard of it."""
        self._pool.start(self._queues)
        client = self._connection.client
        self._subscription = await client.subscribe(subjects, queue=group or "", cb=self._take)
        await self._connection.flush()

    @property
    def is_over(self) -> bool:
        """Return whether every worker has ended."""
        return self._pool.is_over

    def abandon(self) -> None:
        """Cancel everything, whatever the handlers are doing."""
        self._closing = True
        self._pool.abandon()

    async def close(self) -> None:
        """See ``Subscription.close``. A handler that closes its own subscription is not awaited."""
        self._closing = True
        if self._subscription is not None and not self._connection.client.is_closed:
            subscription, self._subscription = self._subscription, None
            await subscription.unsubscribe()
        self._pool.stop()
        await self._pool.wait()

    async def _take(self, msg: Msg) -> None:
        if self._closing:
            return
        while self._in_hand >= MAX_IN_HAND or self._bytes_in_hand >= MAX_BYTES_IN_HAND:
            self._has_room.clear()
            await self._has_room.wait()
        self._in_hand += 1
        self._bytes_in_hand += len(msg.data)
        self._queues.add(message_of(msg))

    async def _handled(self, message: Message, failure: BaseException | None) -> None:
        if failure is None:
            self._queues.done(message)
            self._in_hand -= 1
            self._bytes_in_hand -= len(message.body)
            self._has_room.set()
            return
        again, delay_s = next_attempt(message, failure, backoff=RETRY, logger=_logger)
        asyncio.get_running_loop().call_later(delay_s, self._queues.give_back, again)
