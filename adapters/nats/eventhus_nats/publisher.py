"""The publisher of JetStream: a window of messages in flight, each chained to the one before."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from eventhus.errors import BusUnavailable, EventhusError, PublisherReplaced
from eventhus.ports import Message
from eventhus_nats.connection import Connection
from eventhus_nats.driver_errors import to_eventhus_error
from eventhus_nats.messages import (
    EXPECTED_LAST_MSG_ID,
    EXPECTED_LAST_SEQUENCE,
    MSG_ID,
    encode_id,
)
from eventhus_nats.subjects import Subjects

WINDOW = 256  # messages in flight, which the server has not acknowledged
ACK_S = 5.0  # the longest wait for the next acknowledgement

_OUT_OF_TURN = {10070, 10071}  # wrong last message id, wrong last sequence
_FRAME = 200  # bytes of a message besides headers and body, rounded up


class Acknowledgements:
    """Receives the server's acknowledgements for the publisher that began last."""

    def __init__(self, connection: Connection) -> None:
        self._client: Client = connection.client
        self._inbox = ""
        self._subscription: Subscription | None = None
        self._current: JetStreamPublisher | None = None
        self._publishers = 0

    async def route_to(self, publisher: JetStreamPublisher) -> str:
        """Route answers to ``publisher`` from now on, and return the subject for them."""
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

    The server accepts a message only directly after the one that this publisher sent before it,
    and the first one only if the stream has not grown since the publisher began. So a message that
    was lost on the way is not overtaken, and a publisher that was paused cannot come late. The
    server acknowledges a message that it recognises as a duplicate, wherever it is in the stream.
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
        """Replace the publisher before, if any."""
        self._reply = await acknowledgements.route_to(self)

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
            self._failure = to_eventhus_error(self._bucket, error)
        if self._failure is not None:
            raise self._failure

    def answered(self, number: int, msg: Msg) -> None:
        """Process the server's answer to a message, counted from 0."""
        problem = _problem(self._bucket, msg)
        if problem is None:
            # The server accepts each only after the one before, so it has all of those, too.
            self.acknowledged = max(self.acknowledged, number + 1)
        elif self._failure is None:
            self._failure = problem
        self._answered.set()

    def replaced(self) -> None:
        """Fail from now on, because another publisher of this bus has begun."""
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
        # The server would close the connection.
        size = len(message.body) + _FRAME + sum(map(len, headers.values())) + 32 * len(headers)
        if size > self._client.max_payload:
            raise BusUnavailable(
                self._bucket,
                f"event {message.id} of {message.stream} takes {size:,} bytes with its headers, "
                f"and the server accepts at most {self._client.max_payload:,}; raise max_payload "
                f"in its configuration",
            )

    async def _progress(self) -> None:
        """Wait for the next answer."""
        if self._failure is not None:
            raise self._failure
        self._answered.clear()
        async with asyncio.timeout(ACK_S):
            await self._answered.wait()
        if self._failure is not None:
            raise self._failure


def _problem(bucket: str, msg: Msg) -> EventhusError | None:
    if msg.headers:  # a status: there is no responder
        return BusUnavailable(bucket, "no JetStream stream has its subjects at the moment")
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
