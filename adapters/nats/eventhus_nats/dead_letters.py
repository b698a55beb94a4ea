"""Dead letters: the messages that a group could not handle, in a stream of their own."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from hashlib import blake2b

import nats.js.errors
from nats.js.api import StreamInfo

from eventhus.adapter_support import keeping_cancellations
from eventhus.ports import DeadLetter, Message
from eventhus_nats.connection import REQUEST_S, Connection
from eventhus_nats.driver_errors import to_eventhus_error, translating_errors
from eventhus_nats.messages import MSG_ID, encode_id, message_from
from eventhus_nats.streams import dead_stream
from eventhus_nats.subjects import Subjects

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # the header names that the driver sends
_DIGEST_SIZE = 8  # bytes of the hash of a body in the id of its letter
_FRAME = len("NATS/1.0\r\n\r\n")
_HEADER_FRAME = len(": \r\n")
_MOST_HEADERS = 65_535  # bytes that JetStream stores, whatever the payload

# Error codes of "not found", which servers use for other errors, too.
_GONE = {10037, 10043, 10057}


def letter_headers(message: Message, limit: int, *, prefix: str = "") -> dict[str, str]:
    """Return headers with which a dead letter is at most ``limit`` bytes and can be stored.

    A foreign message may use all that a server accepts, and have headers that the driver refuses to
    send. Where they do not fit, the last headers are left out first: those that
    describe the failure.
    """
    headers = {MSG_ID: prefix + encode_id(message.id), **message.headers}
    headers = {key: value for key, value in headers.items() if _NAME.fullmatch(key)}
    limit = min(limit - len(message.body), _MOST_HEADERS)
    size = _FRAME + sum(map(_size, headers.items()))
    while headers and size > limit:
        size -= _size(headers.popitem())
    return headers


def _size(header: tuple[str, str]) -> int:
    name, value = header
    return len(name) + len(value.encode()) + _HEADER_FRAME


class DeadLetters:
    """The dead letters of a bucket."""

    def __init__(self, connection: Connection, subjects: Subjects) -> None:
        self._connection = connection
        self._subjects = subjects
        self._stream = dead_stream(connection.bucket)

    async def bury(self, message: Message, group: str) -> None:
        """See ``EventBus.bury``."""
        # The server drops a letter whose id it has just seen. The prefix keeps apart those of two
        # groups, and those of foreign messages that share an id.
        digest = blake2b(message.body, digest_size=_DIGEST_SIZE).hexdigest()
        headers = letter_headers(
            message, self._connection.client.max_payload, prefix=f"{group}:{digest}:"
        )
        with translating_errors(self._connection.bucket), keeping_cancellations():
            await self._connection.jetstream.publish(
                self._subjects.dead(group),
                message.body,
                timeout=REQUEST_S,
                headers=headers or None,
            )

    async def has(self, group: str) -> bool:
        """Return whether a group has dead letters."""
        jetstream, subject = self._connection.jetstream, self._subjects.dead(group)
        try:
            await self._connection.ask(
                jetstream.get_msg(self._stream, seq=1, subject=subject, next=True)
            )
        except nats.js.errors.NotFoundError:
            return False
        except nats.js.errors.APIError as error:
            raise to_eventhus_error(self._connection.bucket, error) from error
        return True

    async def counts(self) -> dict[str, int]:
        """Return the number of dead letters of each group that has some."""
        jetstream, subjects = self._connection.jetstream, self._subjects.dead("*")
        try:
            info: StreamInfo = await self._connection.ask(
                jetstream.stream_info(self._stream, subjects_filter=subjects)
            )
        except nats.js.errors.NotFoundError:
            return {}
        except nats.js.errors.APIError as error:
            raise to_eventhus_error(self._connection.bucket, error) from error
        by_subject = info.state.subjects or {}
        return {subject.rpartition(".")[2]: number for subject, number in by_subject.items()}

    async def read(self, group: str, *, after: int) -> AsyncGenerator[DeadLetter, None]:
        """See ``MessageSource.dead_letters``."""
        jetstream, subject = self._connection.jetstream, self._subjects.dead(group)
        number = after
        try:
            # Not the last one of the subject: nats-server 2.10 finds none once that was deleted.
            info = await self._connection.ask(jetstream.stream_info(self._stream))
            while number < info.state.last_seq:
                raw = await self._connection.ask(
                    jetstream.get_msg(self._stream, seq=number + 1, subject=subject, next=True)
                )
                number = raw.seq
                headers = {**(raw.headers or {})}
                letter_id = str(headers.get(MSG_ID, ""))
                headers[MSG_ID] = letter_id[len(group) + 2 * _DIGEST_SIZE + len("::") :]
                message = message_from(raw.data or b"", headers, unnamed=f"{self._stream}-{number}")
                yield DeadLetter(message=message, number=number)
        except nats.js.errors.NotFoundError:
            return  # there are no letters, or no more
        except nats.js.errors.APIError as error:
            raise to_eventhus_error(self._connection.bucket, error) from error

    async def discard(self, letter: DeadLetter) -> None:
        """See ``EventBus.discard``."""
        jetstream = self._connection.jetstream
        try:
            await self._connection.ask(jetstream.delete_msg(self._stream, letter.number))
        except nats.js.errors.APIError as error:
            gone = error.err_code in _GONE and "found" in (error.description or "")
            if not gone:
                raise to_eventhus_error(self._connection.bucket, error) from error
