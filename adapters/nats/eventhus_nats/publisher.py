"""Publishing to JetStream: a window of unacknowledged messages, each chained to the one before."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from eventhus import EventhusError
from eventhus.errors import BusUnavailable, PublisherReplaced
from eventhus.ports import Message
from eventhus_nats.connection import Connection
from eventhus_nats.driver_errors import typed
from eventhus_nats.messages import (
    EXPECTED_LAST_MSG_ID,
    EXPECTED_LAST_SEQUENCE,
    MSG_ID,
    encode_id,
)
from eventhus_nats.subjects import Subjects

WINDOW = 256  # messages that the server has not acknowledged
ACK_S = 5.0  # without any acknowledgement, while some are waited for

_OUT_OF_TURN = {10070, 10071}  # wrong last message id, wrong last sequence
_FRAME = 200  # bytes of a message's frame besides headers and body, generously


class Acknowledgements:
    """Receives what the server answers, for the publisher that was begun last."""

    def __init__(self, connection: Connection) -> None:
        self._client: Client = connection.client
        self._inbox = ""
        self._subscription: Subscription | None = None
        self._current: JetStreamPublisher | None = None
        self._publishers = 0

    async def lead_to(self, publisher: JetStreamPublisher) -> str:
        """From now on, hand answers to ``publisher`` alone; returns where they are to go."""
        if self._subscription is None:
            self._inbox = self._client.new_inbox()
            self._subscription = await self._client.subscribe(f"{self._inbox}.*.*", cb=self._take)
        if self._current is not None:
            self._current.replaced()
        self._current = publisher
        self._publishers += 1
        return f"{self._inbox}.{self._publishers}"

    async def _take(self, msg: Msg) -> None:
        _, publisher, number = msg.subject.rsplit(".", 2)
        if self._current is not None and int(publisher) == self._publishers:
            self._current.answered(int(number), msg)


class JetStreamPublisher:
    """See ``Publisher``.

    Every message is accepted only directly behind the one that this publisher sent before it, and
    the first one only directly behind what was last in the stream when the publisher began. So
    nothing is taken behind a message that was lost on the way, and nothing that comes late.
    Messages that the server recognises as repeats it acknowledges, wherever they stand.
    """

    def __init__(self, connection: Connection, subjects: Subjects, last_sequence: int) -> None:
        self.acknowledged = 0
        self._bucket = connection.bucket
        self._client = connection.client
        self._subjects = subjects
        self._expected = (EXPECTED_LAST_SEQUENCE, str(last_sequence))
        self._reply = ""
        self._sent = 0
        self._failure: EventhusError | None = None
        self._answered = asyncio.Event()

    async def begin(self, acknowledgements: Acknowledgements) -> None:
        """Take the place of the publisher before."""
        self._reply = await acknowledgements.lead_to(self)

    async def publish(self, messages: Sequence[Message]) -> None:
        """See ``Publisher.publish``."""
        try:
            for message in messages:
                while self._sent - self.acknowledged >= WINDOW:
                    await self._progress()
                await self._send(message)
            while self.acknowledged < self._sent:
                await self._progress()
        except (nats.errors.Error, TimeoutError, OSError) as error:
            self._failure = typed(self._bucket, error)
        if self._failure is not None:
            raise self._failure

    def answered(self, number: int, msg: Msg) -> None:
        """Take the server's answer to the message of this number."""
        problem = _problem(self._bucket, msg)
        if problem is None:
            # The server takes each only behind the one before, so it has those as well.
            self.acknowledged = max(self.acknowledged, number + 1)
        elif self._failure is None:
            self._failure = problem
        self._answered.set()

    def replaced(self) -> None:
        """Another publisher begins here."""
        if self._failure is None:
            self._failure = PublisherReplaced(self._bucket)
        self._answered.set()

    async def _send(self, message: Message) -> None:
        message_id = encode_id(message.id)
        name, expected = self._expected
        headers = {MSG_ID: message_id, name: expected, **message.headers}
        self._check_size(message, headers)
        if self._failure is not None:
            raise self._failure
        await self._client.publish(
            self._subjects.of(message),
            message.body,
            reply=f"{self._reply}.{self._sent}",
            headers=headers,
        )
        self._sent += 1
        self._expected = (EXPECTED_LAST_MSG_ID, message_id)

    def _check_size(self, message: Message, headers: dict[str, str]) -> None:
        # The server answers one that is too large by closing the connection.
        size = len(message.body) + _FRAME + sum(map(len, headers.values())) + 32 * len(headers)
        if size > self._client.max_payload:
            raise BusUnavailable(
                self._bucket,
                f"event {message.id} of {message.stream} takes {size:,} bytes with its headers, "
                f"and the server takes at most {self._client.max_payload:,}; raise max_payload in "
                f"its configuration",
            )

    async def _progress(self) -> None:
        """Return once there was another answer."""
        if self._failure is not None:
            raise self._failure
        self._answered.clear()
        async with asyncio.timeout(ACK_S):
            await self._answered.wait()
        if self._failure is not None:
            raise self._failure


class PlainPublisher:
    """Publishes without JetStream: whoever listens gets it, nobody confirms it."""

    def __init__(self, connection: Connection, subjects: Subjects) -> None:
        self.acknowledged = 0
        self._connection = connection
        self._subjects = subjects

    async def publish(self, messages: Sequence[Message]) -> None:
        """See ``Publisher.publish``: the server has taken the messages, if nobody else."""
        client = self._connection.client
        try:
            for message in messages:
                headers = {MSG_ID: encode_id(message.id), **message.headers}
                await client.publish(self._subjects.of(message), message.body, headers=headers)
        except (nats.errors.Error, OSError) as error:
            raise typed(self._connection.bucket, error) from error
        await self._connection.flush()
        self.acknowledged += len(messages)


def _problem(bucket: str, msg: Msg) -> EventhusError | None:
    if msg.headers:  # a status: nobody is there to answer
        return BusUnavailable(bucket, "no JetStream stream takes its subjects just now")
    if b'"error"' not in msg.data:
        return None
    error = json.loads(msg.data).get("error")
    if not error:
        return None
    if error.get("err_code") in _OUT_OF_TURN:
        return PublisherReplaced(bucket)
    return BusUnavailable(
        bucket, f"JetStream answered {error.get('err_code')}, {error.get('description')}"
    )
