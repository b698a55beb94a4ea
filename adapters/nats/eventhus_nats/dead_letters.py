"""The messages that a group could not handle, in a stream of their own."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import nats.js.errors

from eventhus.ports import DeadLetter, Message
from eventhus_nats.connection import REQUEST_S, Connection
from eventhus_nats.failures import translated, typed
from eventhus_nats.messages import MSG_ID, headers_of, message_from
from eventhus_nats.streams import dead_stream
from eventhus_nats.subjects import Subjects

# What servers answer where a message is "not found", and for other reasons too.
_GONE = {10037, 10043, 10057}


class DeadLetters:
    """The dead letters of a bucket."""

    def __init__(self, connection: Connection, subjects: Subjects) -> None:
        self._connection = connection
        self._subjects = subjects
        self._stream = dead_stream(connection.bucket)

    async def bury(self, message: Message, group: str) -> None:
        """See ``EventBus.bury``."""
        headers = headers_of(message)
        headers[MSG_ID] = f"{group}:{headers[MSG_ID]}"  # two groups may bury one message
        with translated(self._connection.bucket):
            await self._connection.jetstream.publish(
                self._subjects.dead(group),
                message.body,
                timeout=REQUEST_S,
                headers=headers,
            )

    async def read(self, group: str) -> AsyncGenerator[DeadLetter, None]:
        """See ``EventBus.dead_letters``."""
        jetstream, subject = self._connection.jetstream, self._subjects.dead(group)
        number = 0
        try:
            last = await self._connection.ask(jetstream.get_last_msg(self._stream, subject))
            while number < last.seq:
                raw = await self._connection.ask(
                    jetstream.get_msg(self._stream, seq=number + 1, subject=subject, next=True)
                )
                number = raw.seq
                headers = dict(raw.headers or {})
                headers[MSG_ID] = headers.get(MSG_ID, "").removeprefix(f"{group}:")
                message = message_from(raw.data or b"", headers, unnamed=f"{self._stream}-{number}")
                yield DeadLetter(message=message, number=number)
        except nats.js.errors.NotFoundError:
            return  # there are none, or no more
        except nats.js.errors.APIError as error:
            raise typed(self._connection.bucket, error) from error

    async def discard(self, letter: DeadLetter) -> None:
        """See ``EventBus.discard``."""
        jetstream = self._connection.jetstream
        try:
            await self._connection.ask(jetstream.delete_msg(self._stream, letter.number))
        except nats.js.errors.APIError as error:
            gone = error.err_code in _GONE and "found" in (error.description or "")
            if not gone:
                raise typed(self._connection.bucket, error) from error
