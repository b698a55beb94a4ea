"""The event bus on NATS: one facade over two transports, JetStream and core NATS."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, TypeAlias

from attrs import field, frozen

from eventhus.adapter_support import (
    check_group,
    check_letter,
    check_letters_page,
    check_start,
)
from eventhus.errors import CompositionError, NotRunning
from eventhus.ports import (
    DeadLetter,
    Finding,
    GroupStatus,
    Message,
    MessageHandler,
    Publisher,
    Start,
    Subscription,
)
from eventhus_nats.address import Address
from eventhus_nats.connection import REQUEST_S, Connection
from eventhus_nats.core_nats import CoreNats, CoreNatsSubscription
from eventhus_nats.jetstream import JetStream
from eventhus_nats.streams import Retention, StreamSettings
from eventhus_nats.subjects import DEFAULT, Subjects, check_bucket
from eventhus_nats.subscription import JetStreamSubscription

CUT_OFF_S = 0.1  # for flushing and for disconnecting once nobody waits for it any more

_Subscription: TypeAlias = JetStreamSubscription | CoreNatsSubscription


class _Transport(Protocol):
    """The part of the bus that differs between JetStream and core NATS."""

    async def open(self) -> None: ...
    async def publisher(self) -> Publisher: ...
    async def subscribe(
        self, handler: MessageHandler, group: str | None, concurrency: int, start: Start
    ) -> _Subscription: ...
    async def bury(self, message: Message, group: str) -> None: ...
    async def has_group(self, group: str) -> bool: ...
    async def groups(self) -> Sequence[GroupStatus]: ...
    async def move(self, group: str, start: Start) -> None: ...
    async def delete_group(self, group: str) -> None: ...
    def dead_letters(self, group: str, *, after: int) -> AsyncGenerator[DeadLetter, None]: ...
    async def discard(self, letter: DeadLetter) -> None: ...
    async def diagnose(self) -> Sequence[Finding]: ...


@frozen
class _Running:
    """The parts of a bus that exist only while it is entered."""

    connection: Connection
    transport: _Transport
    subscriptions: list[_Subscription] = field(factory=list[_Subscription])


class NatsBus:
    """The event bus on NATS JetStream. Make one with ``open``.

    A bucket has a JetStream stream of its name for its events, and ``<bucket>_dead`` for its dead
    letters. Each group is a durable pull consumer of the first. Every operation waits at most 5
    seconds for the server. A connection that breaks is retried for ever.

    In addition to the errors of the port, every operation raises ``NotRunning`` outside of
    ``async with``.
    """

    def __init__(
        self, bucket: str, address: Address, transport: Callable[[Connection], _Transport]
    ) -> None:
        self._bucket = bucket
        self._address = address
        self._transport = transport
        self._running: _Running | None = None

    @classmethod
    def open(
        cls,
        url: str,
        bucket: str,
        *,
        token: str | None = None,
        credentials: str | Path | None = None,
        tls: ssl.SSLContext | None = None,
        subject: str = DEFAULT,
        retention: Retention | None = None,
        max_age: timedelta | None = None,
        replicas: int | None = None,
        duplicate_window: timedelta | None = None,
        jetstream: bool = True,
    ) -> Self:
        """Return a bus that connects when it is entered and disconnects when it is left.

        Args:
            url: ``nats://user:password@host:4222``, ``nats://token@host``, or ``tls://…``; several
                servers are separated by commas. ``tls`` asks for encryption; ``nats`` encrypts
                where the server demands it.
            bucket: The first token of every subject, and the name of the stream. ``_dead`` at the
                end, ``KV_`` at the start, and ``_INBOX`` are reserved.
            token: A token to authenticate with, in place of one in the URL.
            credentials: The path of a credentials file (JWT and seed), for which
                ``nats-py[nkeys]`` must be installed.
            tls: How to encrypt: the authorities to trust, and the certificate to present.
            subject: The tokens after ``bucket.``: words and ``{aggregate_type}`` (in lower
                case), ``{aggregate_id}``, ``{type}``, separated by dots.
            retention: For a new stream: ``"limits"`` (the default) keeps messages until they are
                too old, ``"interest"`` until every existing group has handled them.
            max_age: How long the stream keeps a message. 7 days for a new stream.
            replicas: The number of servers of a cluster that hold the stream, 1 to 5. 1 for a new
                stream.
            duplicate_window: How long the stream recognises an event that is published again.
                2 minutes for a new stream.
            jetstream: ``False`` publishes without JetStream, as the Go toolkit does: an event
                reaches the subscribers that are connected at the moment. Nothing is kept,
                acknowledged or ordered between the members of a group, and there are no dead
                letters to read.

        Raises:
            CompositionError: The URL, the bucket or the subject has another form, an argument is
                out of its range, or an argument for the stream is given without JetStream.
        """
        check_bucket(bucket)
        settings = StreamSettings(
            retention=retention,
            max_age=max_age,
            replicas=replicas,
            duplicate_window=duplicate_window,
        )
        settings.check()
        if not jetstream and settings != StreamSettings():
            raise CompositionError(
                "retention, max_age, replicas and duplicate_window are settings of a JetStream "
                "stream; leave them out with jetstream=False"
            )
        address = Address.parse(url, bucket, token=token, credentials=credentials, tls=tls)
        subjects = Subjects(bucket, subject)

        def transport(connection: Connection) -> _Transport:
            if jetstream:
                return JetStream(connection, subjects, settings)
            return CoreNats(connection, subjects)

        return cls(bucket, address, transport)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(bucket={self._bucket!r})"

    async def __aenter__(self) -> Self:
        """Connect, and check the streams that exist.

        Those that do not are created by ``publisher``, ``subscribe`` and ``bury``.

        Raises:
            BusUnavailable: No server answered, or JetStream did not.
            AccessDenied: A server refused the credentials.
            IncompatibleBucket: A stream of the bucket has other settings than the arguments.
            CompositionError: The connection cannot be set up as the arguments say.
            NotRunning: The bus is entered already.
        """
        if self._running is not None:
            raise NotRunning(f"the bus of bucket {self._bucket!r} is entered already")
        connection = Connection(self._bucket, self._address)
        await connection.open()
        transport = self._transport(connection)
        try:
            await transport.open()
        except BaseException:
            await connection.close()
            raise
        self._running = _Running(connection, transport)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Let handlers finish, return the messages that they have not begun, and disconnect.

        If cancelled, cancel the handlers and disconnect at once. Their messages are delivered
        again.
        """
        running = self._entered()
        closed: list[_Subscription] = []
        within_s = REQUEST_S
        try:
            while running.subscriptions:  # a handler that is finishing may have subscribed another
                closed.append(running.subscriptions.pop())
                await closed[-1].close()
        except asyncio.CancelledError:  # the caller does not wait for handlers any more
            for each in (*closed, *running.subscriptions):
                each.abandon()
            within_s = CUT_OFF_S
            raise
        finally:
            self._running = None
            await running.connection.close(within_s=within_s)

    async def publisher(self) -> Publisher:
        """See ``EventBus.publisher``.

        Raises:
            CompositionError: The server refuses the arguments for a new stream.
        """
        return await self._entered().transport.publisher()

    async def subscribe(
        self,
        handler: MessageHandler,
        *,
        group: str | None = None,
        concurrency: int = 1,
        start: Start = "now",
        unwanted: Collection[str] = (),  # noqa: ARG002 - types are no part of the default subject
    ) -> Subscription:
        """See ``MessageSource.subscribe``. Without JetStream, ``start`` can only be ``"now"``.

        Raises:
            CompositionError: The server refuses the arguments for a new stream.
        """
        check_group(group, concurrency)
        check_start(start)
        running = self._entered()
        running.subscriptions[:] = [each for each in running.subscriptions if not each.is_over]
        subscription = await running.transport.subscribe(handler, group, concurrency, start)
        running.subscriptions.append(subscription)
        return subscription

    async def bury(self, message: Message, group: str) -> None:
        """See ``MessageSource.bury``."""
        check_group(group)
        check_letter(message)
        await self._entered().transport.bury(message, group)

    async def has_group(self, group: str) -> bool:
        """See ``MessageSource.has_group``. Without JetStream, return ``True``."""
        check_group(group)
        return await self._entered().transport.has_group(group)

    async def groups(self) -> Sequence[GroupStatus]:
        """See ``MessageSource.groups``. Without JetStream, nobody knows them."""
        return await self._entered().transport.groups()

    async def move(self, group: str, start: Start) -> None:
        """See ``MessageSource.move``. Without JetStream, no group has a place.

        The consumer is deleted and created again. If the process dies in between, the group begins
        where its next member says.
        """
        check_group(group)
        check_start(start)
        await self._entered().transport.move(group, start)

    async def delete_group(self, group: str) -> None:
        """See ``MessageSource.delete_group``. Without JetStream, no group is kept."""
        check_group(group)
        await self._entered().transport.delete_group(group)

    async def dead_letters(self, group: str, *, after: int = 0) -> AsyncGenerator[DeadLetter, None]:
        """See ``MessageSource.dead_letters``. Without JetStream there are none to read."""
        check_letters_page(group, after)
        async for letter in self._entered().transport.dead_letters(group, after=after):
            yield letter

    async def discard(self, letter: DeadLetter, group: str) -> None:
        """See ``MessageSource.discard``."""
        check_group(group)
        await self._entered().transport.discard(letter)

    async def diagnose(self) -> Sequence[Finding]:
        """See ``Diagnosable.diagnose``. It takes a connection of its own."""
        return await self._transport(Connection(self._bucket, self._address)).diagnose()

    def _entered(self) -> _Running:
        if self._running is None:
            raise NotRunning(
                f"the bus of bucket {self._bucket!r} is used before async with entered it, or "
                f"after it was left"
            )
        return self._running
