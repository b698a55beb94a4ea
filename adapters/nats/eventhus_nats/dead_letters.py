"""The messages that a group could not handle, in a stream of their own."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator

import nats.js.errors

from eventhus.ports import DeadLetter, Message
from eventhus_nats.connection import REQUEST_S, Connection
from eventhus_nats.driver_errors import translated, typed
from eventhus_nats.messages import MSG_ID, encode_id, message_from
from eventhus_nats.streams import dead_stream
from eventhus_nats.subjects import Subjects

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # of a header that the driver sends
_FRAME = len("NATS/1.0\r\n\r\n")  # around the headers; each has a colon, a space and a line's end

# What servers answer where a message is "not found", and for other reasons too.
_GONE = {10037, 10043, 10057}


def letter_headers(message: Message, limit: int, *, prefix: str = "") -> dict[str, str]:
    """The headers of a dead letter, such that the server takes it.

    A stranger's message may fill what a server takes to the last byte, and have headers that the
    driver would not send. Of what does not fit, the last headers are left out first: those that
    say what went wrong.
    """
    headers = {MSG_ID: prefix + encode_id(message.id), **message.headers}
    headers = {key: value for key, value in headers.items() if _NAME.fullmatch(key)}
    size = len(message.body) + _FRAME
    size += sum(len(key) + len(value.encode()) + 4 for key, value in headers.items())
    while headers and size > limit:
        key, value = headers.popitem()
        size -= len(key) + len(value.encode()) + 4
    return headers


class DeadLetters:
    """The dead letters of a bucket."""

    def __init__(self, connection: Connection, subjects: Subjects) -> None:
        self._connection = connection
        self._subjects = subjects
        self._stream = dead_stream(connection.bucket)

    async def bury(self, message: Message, group: str) -> None:
        """See ``EventBus.bury``."""
        # Two groups may bury one message.
        headers = letter_headers(message, self._connection.client.max_payload, prefix=f"{group}:")
        with translated(self._connection.bucket):
            await self._connection.jetstream.publish(
                self._subjects.dead(group),
                message.body,
                timeout=REQUEST_S,
                headers=headers or None,
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
                # The driver gives what is not ASCII as an object of its own.
                headers = {key: str(value) for key, value in (raw.headers or {}).items()}
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
