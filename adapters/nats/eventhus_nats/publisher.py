"""The publisher of JetStream: a window of messages in flight, each chained to the one before."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js.api import RawStreamMsg

from eventhus.adapter_support import check_messages
from eventhus.errors import BusUnavailable, EventhusError, PublisherReplaced
from eventhus.ports import Message
from eventhus_nats.connection import Connection
from eventhus_nats.driver_errors import to_eventhus_error
from eventhus_nats.messages import (
    EXPECTED_LAST_MSG_ID,
    EXPECTED_LAST_SEQUENCE,
    MSG_ID,
    encode_id,
    message_from,
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

    It recognises a duplicate by the id alone, which a foreign message may have. The publisher
    therefore compares the bodies, and fails until the duplicate window of a foreign one is over.
    """

    def __init__(
        self,
        connection: Connection,
        subjects: Subjects,
        *,
        last_sequence: int,
    ) -> None:
        self.acknowledged = 0
        self.is_first = last_sequence == 0
        self._connection = connection
        self._bucket = connection.bucket
        self._client = connection.client
        self._subjects = subjects
        self._before = last_sequence  # of the last message before this publisher's
        self._expected = (EXPECTED_LAST_SEQUENCE, str(last_sequence))
        self._reply = ""
        self._sent = 0
        self._answers = 0  # messages that the server has, or took for duplicates
        self._in_flight: dict[int, Message] = {}  # by number, from 0
        # Numbers of messages that the server took for duplicates, with the originals' sequences.
        self._duplicates: deque[tuple[int, int]] = deque()
        self._failure: EventhusError | None = None
        self._answered = asyncio.Event()

    async def begin(self, acknowledgements: Acknowledgements) -> None:
        """Replace the publisher before, if any."""
        self._reply = await acknowledgements.route_to(self)

    async def publish(self, messages: Sequence[Message]) -> None:
        """See ``Publisher.publish``."""
        check_messages(messages)
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

    async def published(self) -> AsyncGenerator[Message, None]:
        """See ``Publisher.published``."""
        for sequence in range(self._before, 0, -1):
            stored = await self._stored(sequence)
            if stored is None:  # it has expired, or was handled by every group
                return
            yield message_from(
                stored.data or b"", stored.headers, unnamed=f"{self._bucket}-{sequence}"
            )

    def answered(self, number: int, msg: Msg) -> None:
        """Process the server's answer to a message, counted from 0."""
        is_plain = b'"error"' not in msg.data and b'"duplicate"' not in msg.data
        answer: dict[str, Any] = {} if is_plain else json.loads(msg.data)
        problem = _problem(self._bucket, msg, answer)
        if problem is None:
            # The server accepts each only after the one before, so it has all of those, too.
            self._answers = max(self._answers, number + 1)
            if answer.get("duplicate") and number >= self.acknowledged:
                self._duplicates.append((number, int(answer["seq"])))
            self._count()
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
            await self._progress()
        self._in_flight[self._sent] = message  # the answer may arrive before publish returns
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
        """Wait for an answer unless there is one to process, and compare duplicates.

        Raises:
            EventhusError: Publishing has failed.
        """
        if self._failure is None and not self._duplicates:
            self._answered.clear()
            async with asyncio.timeout(ACK_S):
                await self._answered.wait()
        while self._duplicates:  # before the failure: a foreign duplicate explains it
            await self._compare(*self._duplicates[0])
            self._duplicates.popleft()
            self._count()
        if self._failure is not None:
            raise self._failure

    def _count(self) -> None:
        """Count as acknowledged what was answered, up to the first unconfirmed duplicate."""
        answers = self._duplicates[0][0] if self._duplicates else self._answers
        for number in range(self.acknowledged, answers):
            del self._in_flight[number]
        self.acknowledged = max(self.acknowledged, answers)

    async def _compare(self, number: int, sequence: int) -> None:
        """Fail if the message that the server took ours for is not ours."""
        message = self._in_flight[number]
        original = await self._stored(sequence)
        if original is None:  # expired, or handled by every group: there is nothing to compare
            return
        if original.data != message.body:
            self._failure = BusUnavailable(
                self._bucket,
                f"event {message.id} of {message.stream} was not stored, because foreign message "
                f"{sequence} of the stream has its id; it is published again once the duplicate "
                f"window is over",
            )
            raise self._failure

    async def _stored(self, sequence: int) -> RawStreamMsg | None:
        """Return a message of the stream, or ``None`` if it is not there any more."""
        try:
            found: RawStreamMsg = await self._connection.ask(
                self._connection.jetstream.get_msg(self._bucket, sequence)
            )
        except nats.js.errors.NotFoundError:
            return None
        return found


def _problem(bucket: str, msg: Msg, answer: dict[str, Any]) -> EventhusError | None:
    if msg.headers:  # a status: there is no responder
        return BusUnavailable(bucket, "no JetStream stream has its subjects at the moment")
    error = answer.get("error")
    if not error:
        return None
    if error.get("err_code") in _OUT_OF_TURN:
        return PublisherReplaced(bucket)
    return BusUnavailable(
        bucket, f"JetStream answered {error.get('err_code')}, {error.get('description')}"
    )
