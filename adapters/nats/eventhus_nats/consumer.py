"""A consumer of the stream on the server, and the pull requests that keep it giving."""

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

from eventhus.errors import BusUnavailable, IncompatibleBucket
from eventhus_nats.connection import Connection
from eventhus_nats.driver_errors import typed

ACK_WAIT_S = 8.0  # after which the server gives again what nobody said anything about
INACTIVE_S = 300.0  # after which it forgets the place of a subscription without a group
MAX_IN_HAND = 512  # messages asked for or here, and not acknowledged
BATCH = 256  # of one pull request
PULL_S = 3.0  # how long a pull request stands: shorter than a seat, which it must not outlive

_OVER = {"404", "408"}  # no messages, or none in time

_logger = logging.getLogger(__name__)


@define
class _Request:
    number: int
    left: int
    overdue_s: float  # by the event loop's clock


@frozen
class State:
    """How far a consumer has come.

    Attributes:
        delivered: The sequence of the last message that it gave to anybody.
        pending: How many of those it gave are not acknowledged.
        is_elsewhere: Whether sequences mean something else now: the stream was made anew.
    """

    delivered: int
    pending: int
    is_elsewhere: bool = False


class Consumer:
    """Gives messages, and is made again where the server has lost it.

    Attributes:
        trouble: Why it gives nothing any more; ``None`` while it does.
        after: The sequence up to which everything is handled: behind it, it is made again. For one
            that is new, where it begins.
    """

    def __init__(self, connection: Connection, group: str | None, stream: StreamInfo) -> None:
        self.trouble: Exception | None = None
        self.after = stream.state.last_seq
        self._created = stream.created  # by which a stream is told from one that took its place
        self._connection = connection
        self._client = connection.client
        self._stream = connection.bucket
        self._name = group
        self._is_durable = group is not None
        self._missed = 0  # the sequence of the last message that was said to be gone
        self._receive: Callable[[Msg], Awaitable[None]] | None = None
        self._inbox = ""
        self._subscription: Subscription | None = None
        self._requests: deque[_Request] = deque()
        self._asked = 0

    async def ensure(self) -> State:
        """Find the consumer on the server, or make it, behind what is handled.

        Raises:
            IncompatibleBucket: There is one of this name that is not ours.
            BusUnavailable: The server did not answer, or has no such stream.
        """
        jetstream = self._connection.jetstream
        try:
            # Before the consumer's place is asked for, which may go on meanwhile.
            stream: StreamInfo = await self._connection.ask(jetstream.stream_info(self._stream))
            is_elsewhere = stream.created != self._created
            self._created = stream.created
            if self._name is not None:
                try:
                    info = await self._info()
                except nats.js.errors.NotFoundError:
                    pass
                else:
                    self._check(info)
                    self._look_back(info, stream.state.first_seq)
                    self.after = _handled(info)
                    state = _state(await self._unfiltered(info))
                    return evolve(state, is_elsewhere=is_elsewhere)
            if is_elsewhere or stream.state.last_seq < self.after:
                _logger.error(
                    "stream %s was made anew, or put back to what it was: consumer %s begins at "
                    "its start",
                    self._stream,
                    self._name,
                )
                self.after, self._missed, is_elsewhere = 0, 0, True
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
            raise typed(self._connection.bucket, error) from error
        self._name = made.name
        return evolve(_state(made), is_elsewhere=is_elsewhere)

    async def state(self) -> State:
        """How far it has come.

        Raises:
            BusUnavailable: The server did not answer, or has lost it.
        """
        try:
            return _state(await self._info())
        except nats.js.errors.APIError as error:
            raise typed(self._connection.bucket, error) from error

    async def _info(self) -> ConsumerInfo:
        info: ConsumerInfo = await self._connection.ask(
            self._connection.jetstream.consumer_info(self._stream, self._name or "")
        )
        return info

    async def open(self, receive: Callable[[Msg], Awaitable[None]]) -> None:
        """Be ready for messages, which are given to ``receive`` once they are pulled."""
        self._receive = receive
        self._inbox = self._client.new_inbox()
        self._subscription = await self._client.subscribe(
            f"{self._inbox}.*",
            cb=self._take,
            pending_msgs_limit=4 * MAX_IN_HAND,
            pending_bytes_limit=1 << 40,  # there are never more messages than were asked for
        )
        self._requests.clear()
        self.trouble = None

    async def close(self) -> None:
        """Take no more messages: the server forgets what it was asked for."""
        if self._subscription is not None and not self._client.is_closed:
            await self._subscription.unsubscribe()
        self._subscription = None

    async def remove(self) -> None:
        """Delete the consumer on the server, if it is one that nobody comes back to."""
        if not self._is_durable and self._name is not None:
            await self._connection.ask(
                self._connection.jetstream.delete_consumer(self._stream, self._name)
            )

    def forget_requests(self) -> None:
        """The server does not know any more what it was asked for."""
        self._requests.clear()

    async def pull(self, in_hand: int) -> None:
        """Ask for more, if so little is here or on its way that there is room for a batch."""
        now = asyncio.get_running_loop().time()
        while self._requests and self._requests[0].overdue_s < now:
            self._requests.popleft()
        while (
            self._subscription is not None
            and in_hand + sum(request.left for request in self._requests) <= MAX_IN_HAND - BATCH
        ):
            self._asked += 1
            self._requests.append(_Request(self._asked, BATCH, now + PULL_S + 1.0))
            await self._client.publish(
                f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{self._name}",
                json.dumps({"batch": BATCH, "expires": int(PULL_S * 1e9)}).encode(),
                reply=f"{self._inbox}.{self._asked}",
            )

    async def _take(self, msg: Msg) -> None:
        if self._receive is None:
            return
        if msg.reply:
            if self._requests:
                self._requests[0].left -= 1
                if not self._requests[0].left:
                    self._requests.popleft()
            await self._receive(msg)
            return
        # A status, which ends a request.
        number = int(msg.subject.rsplit(".", 1)[1])
        self._requests = deque(each for each in self._requests if each.number != number)
        headers = msg.headers or {}
        if headers.get("Status") not in _OVER:
            self.trouble = BusUnavailable(
                self._connection.bucket,
                f"the consumer {self._name} answered {headers.get('Status')} "
                f"{headers.get('Description', '')}".rstrip(),
            )
        await self._receive(msg)

    def _look_back(self, info: ConsumerInfo, first: int) -> None:
        """Say so where the stream begins behind what the consumer would give next."""
        # Of what it gave before, the server takes as acknowledged what goes from the stream.
        place = max(_state(info).delivered, self._missed)
        if first > place + 1:
            self._missed = first - 1
            _logger.error(
                "%d events, messages %d to %d, were gone from the stream %s before the consumer "
                "%s gave them; see to what was missed, and have the stream keep messages for "
                "longer (max_age)",
                self._missed - place,
                place + 1,
                self._missed,
                self._stream,
                self._name,
            )

    async def _unfiltered(self, info: ConsumerInfo) -> ConsumerInfo:
        """Have it give all that is in the stream.

        A filter passes over, for good and without a word, what stands in the stream with the
        subjects that events had before, or will have in the future.
        """
        config = info.config
        if not (config.filter_subject or config.filter_subjects):
            return info
        _logger.warning(
            "the consumer %s gave %s only; from now on it gives all of the stream",
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
        config = info.config
        if (
            config.deliver_subject
            or config.ack_policy != AckPolicy.EXPLICIT
            or (config.max_deliver or 0) > 0  # it would give up, and nobody would hear of it
        ):
            raise IncompatibleBucket(
                self._connection.bucket,
                f"its stream has a consumer {self._name} that is not as a group's has to be, which "
                f"is pulled, acknowledged one by one, and never gives up; name the group "
                f"differently, or delete it",
            )


def _state(info: ConsumerInfo) -> State:
    return State(
        delivered=info.delivered.stream_seq if info.delivered else 0,
        pending=info.num_ack_pending or 0,
    )


def _handled(info: ConsumerInfo) -> int:
    """The sequence up to which everything it gave is acknowledged.

    The server counts only what was ever acknowledged: one that began in the middle of a stream has
    handled nothing up to there, but is not to be given it either.
    """
    if not info.num_ack_pending and info.delivered:
        return int(info.delivered.stream_seq)
    acknowledged = info.ack_floor.stream_seq if info.ack_floor else 0
    return max(acknowledged, (info.config.opt_start_seq or 1) - 1)
