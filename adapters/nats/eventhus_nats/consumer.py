"""A JetStream consumer, and the pull requests that keep it delivering."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import Awaitable, Callable

import nats.js.errors
from attrs import define, evolve, frozen
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js.api import AckPolicy, ConsumerConfig, ConsumerInfo, DeliverPolicy, StreamInfo

from eventhus.domain.names import is_name
from eventhus.errors import BusUnavailable, IncompatibleBucket
from eventhus_nats.connection import Connection
from eventhus_nats.driver_errors import to_eventhus_error

ACK_WAIT_S = 8.0  # after which the server redelivers a message that got no answer
INACTIVE_S = 300.0  # after which it deletes the consumer of a subscription without a group
MAX_IN_HAND = 512  # messages that were asked for or received, and are not acknowledged
BATCH = 256  # messages of one pull request
MAX_BYTES_IN_HAND = 32 * 1024 * 1024  # as MAX_IN_HAND; a server hangs up at 64 MB of backlog
BATCH_BYTES = 8 * 1024 * 1024  # of one pull request
_FRAME = 64 * 1024  # bytes of a delivery besides headers and body, rounded up
PULL_S = 3.0  # how long a pull request stays open: shorter than a group lease

_EXPECTED = {"404", "408"}  # statuses that end a request: no messages, or none in time
_COMPLETED = "Batch Completed"  # all messages of a request were sent, and may arrive later
_TOO_LARGE = "Message Size Exceeds MaxBytes"  # the next message is larger than the request's rest

_logger = logging.getLogger(__name__)


@define
class _Request:
    number: int
    left: int
    bytes_left: int
    overdue_s: float  # by the event loop's clock


@frozen
class State:
    """The progress of a consumer.

    Attributes:
        delivered: The sequence of the last message that it delivered to anybody.
        pending: How many delivered messages are not acknowledged.
        is_new_stream: True if the stream was created anew, so that sequences start again.
    """

    delivered: int
    pending: int
    is_new_stream: bool = False


async def has_consumer(connection: Connection, group: str) -> bool:
    """Return whether the server has the consumer of a group.

    Raises:
        BusUnavailable: The server did not answer.
    """
    try:
        await connection.ask(connection.jetstream.consumer_info(connection.bucket, group))
    except nats.js.errors.NotFoundError:
        return False
    except nats.js.errors.APIError as error:
        raise to_eventhus_error(connection.bucket, error) from error
    return True


async def group_consumers(connection: Connection, *, most: int) -> list[ConsumerInfo]:
    """Return the consumers that can be those of groups: durable, and under a group's name.

    Args:
        connection: The connection.
        most: How many are enough. The last answer of the server may bring a few more.

    Raises:
        BusUnavailable: The server did not answer.
        nats.js.errors.APIError: The answer was an error, such as that there is no stream.
    """
    found: list[ConsumerInfo] = []
    offset = 0
    while len(found) < most:
        page: list[ConsumerInfo] = await connection.ask(
            connection.jetstream.consumers_info(connection.bucket, offset)
        )
        if not page:
            break
        offset += len(page)
        found += [info for info in page if info.config.durable_name and is_name(info.name)]
    return found


def can_serve(config: ConsumerConfig) -> bool:
    """Return whether a consumer with these settings can serve a group."""
    return not (
        config.deliver_subject
        or config.ack_policy != AckPolicy.EXPLICIT
        or (config.max_deliver or 0) > 0  # it would give up silently
    )


class Consumer:
    """A pull consumer of the bucket's stream, created again if the server lost it.

    Attributes:
        trouble: Why it stopped delivering; ``None`` while it delivers.
        after: The sequence up to which everything is handled. A consumer that is created starts
            after it.
    """

    def __init__(
        self, connection: Connection, group: str | None, stream: StreamInfo, *, after: int
    ) -> None:
        self.trouble: Exception | None = None
        self.after = after
        self._created = stream.created  # tells a stream from a later one of its name
        self._connection = connection
        self._client = connection.client
        self._stream = connection.bucket
        self._name = group
        self._is_durable = group is not None
        self._missed = 0  # the last sequence that was reported as gone
        self._receive: Callable[[Msg], Awaitable[None]] | None = None
        self._inbox = ""
        self._subscription: Subscription | None = None
        self._requests: deque[_Request] = deque()
        self._asked = 0
        self._largest = 0  # bytes that a request must allow for, because a message did not fit

    async def ensure(self) -> State:
        """Find the consumer on the server, or create it after the last handled message.

        Raises:
            IncompatibleBucket: A consumer of this name exists with other settings.
            BusUnavailable: The server did not answer, or the stream does not exist.
        """
        jetstream = self._connection.jetstream
        try:
            # The stream comes first: the consumer may make progress between the two answers.
            stream: StreamInfo = await self._connection.ask(jetstream.stream_info(self._stream))
            is_new_stream = stream.created != self._created
            self._created = stream.created
            if self._name is not None:
                try:
                    info = await self._info()
                except nats.js.errors.NotFoundError:
                    pass
                else:
                    self._check(info)
                    self._report_missed(info, stream.state.first_seq)
                    self.after = handled_by(info)
                    state = _state(await self._unfiltered(info))
                    return evolve(state, is_new_stream=is_new_stream)
            if is_new_stream or stream.state.last_seq < self.after:
                _logger.error(
                    "stream %s was created anew or restored to an earlier state; consumer %s "
                    "begins at its start",
                    self._stream,
                    self._name,
                )
                self.after, self._missed, is_new_stream = 0, 0, True
            config = ConsumerConfig(
                durable_name=self._name if self._is_durable else None,
                inactive_threshold=None if self._is_durable else INACTIVE_S,
                deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
                opt_start_seq=self.after + 1,
                ack_policy=AckPolicy.EXPLICIT,
                ack_wait=ACK_WAIT_S,
                max_ack_pending=2 * MAX_IN_HAND,
            )
            made: ConsumerInfo = await self._connection.ask(
                jetstream.add_consumer(self._stream, config)
            )
        except nats.js.errors.APIError as error:
            raise to_eventhus_error(self._connection.bucket, error) from error
        self._name = made.name
        return evolve(_state(made), is_new_stream=is_new_stream)

    async def state(self) -> State:
        """Ask the server for the consumer's progress.

        Raises:
            BusUnavailable: The server did not answer, or has lost the consumer.
        """
        try:
            return _state(await self._info())
        except nats.js.errors.APIError as error:
            raise to_eventhus_error(self._connection.bucket, error) from error

    async def _info(self) -> ConsumerInfo:
        info: ConsumerInfo = await self._connection.ask(
            self._connection.jetstream.consumer_info(self._stream, self._name or "")
        )
        return info

    async def open(self, receive: Callable[[Msg], Awaitable[None]]) -> None:
        """Subscribe to the answers of pull requests; ``receive`` is called with each message."""
        self._receive = receive
        self._inbox = self._client.new_inbox()
        self._subscription = await self._client.subscribe(
            f"{self._inbox}.*",
            cb=self._take,
            pending_msgs_limit=4 * MAX_IN_HAND,
            pending_bytes_limit=1 << 40,  # never more than was asked for
        )
        self._requests.clear()
        self.trouble = None

    async def close(self) -> None:
        """Receive no more messages. The server drops the open pull requests."""
        if self._subscription is not None and not self._client.is_closed:
            await self._subscription.unsubscribe()
        self._subscription = None

    async def remove(self) -> None:
        """Delete the consumer on the server, unless it is that of a group."""
        if not self._is_durable and self._name is not None:
            await self._connection.ask(
                self._connection.jetstream.delete_consumer(self._stream, self._name)
            )

    def forget_requests(self) -> None:
        """Forget the open pull requests, because the server has lost them."""
        self._requests.clear()

    async def pull(self, in_hand: int, bytes_in_hand: int) -> None:
        """Ask for more messages while there is room for a batch, by number and by size."""
        # Every message fits into a request, also one as large as the server accepts.
        batch_bytes = max(BATCH_BYTES, self._client.max_payload + _FRAME, self._largest)
        now = asyncio.get_running_loop().time()
        while self._requests and self._requests[0].overdue_s < now:
            self._requests.popleft()
        while (
            self._subscription is not None
            and in_hand + sum(request.left for request in self._requests) <= MAX_IN_HAND - BATCH
            and self._has_bytes(bytes_in_hand, batch_bytes)
        ):
            self._asked += 1
            self._requests.append(_Request(self._asked, BATCH, batch_bytes, now + PULL_S + 1.0))
            await self._client.publish(
                f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{self._name}",
                json.dumps(
                    {"batch": BATCH, "max_bytes": batch_bytes, "expires": int(PULL_S * 1e9)}
                ).encode(),
                reply=f"{self._inbox}.{self._asked}",
            )

    def _has_bytes(self, bytes_in_hand: int, batch_bytes: int) -> bool:
        asked = sum(request.bytes_left for request in self._requests)
        # Without the second part, nothing would fetch a message that is larger than the bound.
        return bytes_in_hand + asked + batch_bytes <= MAX_BYTES_IN_HAND or not (
            bytes_in_hand or self._requests
        )

    async def _take(self, msg: Msg) -> None:
        if self._receive is None:
            return
        if msg.reply:
            if self._requests:
                # A delivery does not tell which request it answers. Only the totals matter, so
                # the oldest one is charged.
                request = self._requests[0]
                request.left -= 1
                request.bytes_left = max(0, request.bytes_left - len(msg.data))
                if not request.left:
                    self._requests.popleft()
            await self._receive(msg)
            return
        # A status message, which ends a request.
        headers = msg.headers or {}
        if headers.get("Description") == _COMPLETED:
            return  # its messages are counted as they arrive
        number = int(msg.subject.rsplit(".", 1)[1])
        self._requests = deque(each for each in self._requests if each.number != number)
        if headers.get("Description") == _TOO_LARGE:
            if headers.get("Nats-Pending-Messages") == str(BATCH):  # not even as the first one
                self._largest = 2 * max(self._largest, int(headers["Nats-Pending-Bytes"]))
        elif headers.get("Status") not in _EXPECTED:
            self.trouble = BusUnavailable(
                self._connection.bucket,
                f"the consumer {self._name} answered {headers.get('Status')} "
                f"{headers.get('Description', '')}".rstrip(),
            )
        await self._receive(msg)

    def _report_missed(self, info: ConsumerInfo, first: int) -> None:
        """Log an error if messages left the stream before the consumer delivered them."""
        # The server counts delivered messages as acknowledged when they leave the stream.
        place = max(_state(info).delivered, self._missed)
        if first > place + 1:
            self._missed = first - 1
            _logger.error(
                "%d events, messages %d to %d, were gone from the stream %s before the consumer "
                "%s delivered them; handle them from the log, and raise max_age of the stream",
                self._missed - place,
                place + 1,
                self._missed,
                self._stream,
                self._name,
            )

    async def _unfiltered(self, info: ConsumerInfo) -> ConsumerInfo:
        """Remove the consumer's filter, if it has one.

        A filter would silently skip messages with the subjects that events had before, or will
        have in the future.
        """
        config = info.config
        if not (config.filter_subject or config.filter_subjects):
            return info
        _logger.warning(
            "the consumer %s was filtered by %s; from now on it delivers the whole stream",
            self._name,
            ", ".join(config.filter_subjects or [config.filter_subject or ""]),
        )
        changed: ConsumerInfo = await self._connection.ask(
            self._connection.jetstream.add_consumer(
                self._stream, config.evolve(filter_subject=None, filter_subjects=None)
            )
        )
        return changed

    def _check(self, info: ConsumerInfo) -> None:
        if not can_serve(info.config):
            raise IncompatibleBucket(
                self._connection.bucket,
                f"its stream has a consumer {self._name} that cannot serve a group: it must be a "
                f"pull consumer with explicit acknowledgement and without max_deliver; name the "
                f"group differently, or delete the consumer",
            )


def _state(info: ConsumerInfo) -> State:
    return State(
        delivered=info.delivered.stream_seq if info.delivered else 0,
        pending=info.num_ack_pending or 0,
    )


def handled_by(info: ConsumerInfo) -> int:
    """Return the sequence up to which every message is acknowledged or was never wanted.

    The server counts only acknowledgements. A consumer that began in the middle of a stream has
    none for the messages before it, and must not get these when it is created again.
    """
    if not info.num_ack_pending and info.delivered:
        return int(info.delivered.stream_seq)
    acknowledged = info.ack_floor.stream_seq if info.ack_floor else 0
    return max(acknowledged, (info.config.opt_start_seq or 1) - 1)
