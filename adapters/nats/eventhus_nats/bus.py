"""The bus as an application sees it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import SplitResult, unquote, urlsplit

from attrs import frozen
from nats.js.api import StreamInfo

from eventhus.adapter_support import check_group
from eventhus.errors import BusUnavailable, CompositionError, NotRunning
from eventhus.ports import DeadLetter, Message, MessageHandler, Publisher, Subscription
from eventhus_nats.connection import Address, Connection
from eventhus_nats.consumer import Consumer
from eventhus_nats.core_nats import PlainSubscription
from eventhus_nats.dead_letters import DeadLetters, letter_headers
from eventhus_nats.driver_errors import translated
from eventhus_nats.group_leases import GroupLeases
from eventhus_nats.publisher import Acknowledgements, JetStreamPublisher, PlainPublisher
from eventhus_nats.streams import Retention, Settings, ensure_streams
from eventhus_nats.subjects import DEFAULT, Subjects
from eventhus_nats.subscription import JetStreamSubscription


@frozen
class _Running:
    """What a bus is made of between being entered and being left."""

    connection: Connection
    acknowledgements: Acknowledgements
    seats: GroupLeases
    dead_letters: DeadLetters
    subscriptions: list[JetStreamSubscription | PlainSubscription]


class NatsBus:
    """Implements the event bus on NATS JetStream. Make one with ``open``.

    A bucket has a JetStream stream of its name, for its events, and ``<bucket>_dead`` for its
    dead letters; each group is a durable pull consumer of the first. Every operation waits for
    the server for 5 seconds at most, and a connection that breaks is made again for ever.

    Besides what the port lists, every operation raises ``NotRunning`` where the bus has not been
    entered, or has been left.
    """

    def __init__(
        self, bucket: str, address: Address, subjects: Subjects, settings: Settings | None
    ) -> None:
        self._bucket = bucket
        self._address = address
        self._subjects = subjects
        self._settings = settings  # None: without JetStream
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
        """A bus that connects when it is entered, and disconnects when it is left.

        Args:
            url: ``nats://user:password@host:4222``, ``nats://token@host``, or ``tls://…``; several
                servers are separated by commas. ``tls`` asks for encryption; ``nats`` encrypts
                where the server demands it.
            bucket: The first token of every subject, and the name of the stream.
            token: A token to authenticate with, in place of one in the URL.
            credentials: The path of a credentials file (JWT and seed), for which
                ``nats-py[nkeys]`` must be installed.
            tls: How to encrypt: which authorities to trust, which certificate to show.
            subject: What comes behind ``bucket.``: words and ``{aggregate_type}`` (in lower
                case), ``{aggregate_id}``, ``{type}``, separated by dots.
            retention: Of a new stream: ``"limits"`` (the default) keeps messages until they are
                too old, ``"interest"`` until every group that there is has handled them.
            max_age: How long the stream keeps a message. 7 days for a new stream.
            replicas: On how many servers of a cluster the stream is, 1 to 5. 1 for a new stream.
            duplicate_window: How long the stream recognises an event that is published again.
                2 minutes for a new stream.
            jetstream: ``False`` publishes without JetStream, as the Go toolkit does: whoever is
                connected gets the event, nothing is kept, acknowledged or ordered between the
                members of a group, and there are no dead letters to read.

        Raises:
            CompositionError: The URL or the subject is not of the form above, an argument is out
                of its range, or one that is about the stream is given without JetStream.
        """
        settings = Settings(
            retention=retention,
            max_age=max_age,
            replicas=replicas,
            duplicate_window=duplicate_window,
        )
        settings.check()
        if not jetstream and settings != Settings():
            raise CompositionError(
                "retention, max_age, replicas and duplicate_window are about a JetStream stream; "
                "leave them out with jetstream=False"
            )
        servers = _servers(url, bucket)
        logins = {(split.username, split.password) for split in servers if split.username}
        if len(logins) > 1:
            raise CompositionError(
                f"the servers of the bus of bucket {bucket!r} have different credentials; "
                f"give them one user that all of them know"
            )
        user, password = logins.pop() if logins else (None, None)
        if user and password is None:  # nats://token@host
            user, token = None, token or unquote(str(user))
        if tls is None and any(split.scheme == "tls" for split in servers):
            tls = ssl.create_default_context()
        address = Address(
            servers=[f"{each.scheme}://{each.netloc.rpartition('@')[2]}" for each in servers],
            user=unquote(user) if user else None,
            password=unquote(password) if password else None,
            token=token,
            credentials=None if credentials is None else Path(credentials),
            tls=tls,
        )
        subjects = Subjects(bucket, subject)
        return cls(bucket, address, subjects, settings if jetstream else None)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(bucket={self._bucket!r})"

    async def __aenter__(self) -> Self:
        """Connect, and make or check the streams.

        Raises:
            BusUnavailable: No server answers, or JetStream does not.
            AccessDenied: The credentials are refused.
            IncompatibleBucket: A stream of the bucket is not as the arguments say.
            CompositionError: The server refuses what the arguments say.
            NotRunning: The bus has been entered already.
        """
        if self._running is not None:
            raise NotRunning(f"the bus of bucket {self._bucket!r} is entered already")
        connection = Connection(self._bucket, self._address)
        await connection.open()
        replicas = 1
        try:
            if self._settings is not None:
                found = await self._ensure(connection, self._settings)
                replicas = found.config.num_replicas or 1
        except BaseException:
            await connection.close()
            raise
        self._running = _Running(
            connection=connection,
            acknowledgements=Acknowledgements(connection),
            seats=GroupLeases(connection, replicas),
            dead_letters=DeadLetters(connection, self._subjects),
            subscriptions=[],
        )
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Let the handlers come to their end, give back what they have not begun, disconnect."""
        running = self._here()
        closed: list[JetStreamSubscription | PlainSubscription] = []
        try:
            while running.subscriptions:  # a handler that finishes may have subscribed another
                closed.append(running.subscriptions.pop())
                await closed[-1].close()
        except asyncio.CancelledError:  # nobody waits for handlers any more
            for each in (*closed, *running.subscriptions):
                each.abandon()
            raise
        finally:
            self._running = None
            await running.connection.close()

    async def publisher(self) -> Publisher:
        """See ``EventBus.publisher``."""
        running = self._here()
        if self._settings is None:
            return PlainPublisher(running.connection, self._subjects)
        found = await self._ensure(running.connection, self._settings)
        publisher = JetStreamPublisher(running.connection, self._subjects, found.state.last_seq)
        await publisher.begin(running.acknowledgements)
        return publisher

    async def subscribe(
        self, handler: MessageHandler, *, group: str | None = None, concurrency: int = 1
    ) -> Subscription:
        """See ``EventBus.subscribe``."""
        check_group(group, concurrency)
        running = self._here()
        running.subscriptions[:] = [each for each in running.subscriptions if not each.is_over]
        connection = running.connection
        subscription: JetStreamSubscription | PlainSubscription
        if self._settings is None:
            subscription = PlainSubscription(connection, handler, concurrency)
            running.subscriptions.append(subscription)
            await subscription.open(self._subjects.all, group)
            return subscription
        found = await self._ensure(connection, self._settings)
        seat = None if group is None else await running.seats.seat(group)
        consumer = Consumer(connection, group, found)
        await consumer.ensure()
        subscription = JetStreamSubscription(connection, consumer, seat, handler, concurrency)
        running.subscriptions.append(subscription)
        return subscription

    async def bury(self, message: Message, group: str) -> None:
        """See ``EventBus.bury``."""
        check_group(group)
        running = self._here()
        if self._settings is None:
            client = running.connection.client
            headers = letter_headers(message, client.max_payload)
            with translated(self._bucket):
                await client.publish(
                    self._subjects.dead(group), message.body, headers=headers or None
                )
            await running.connection.flush()
        else:
            try:
                await running.dead_letters.bury(message, group)
            except BusUnavailable:  # the stream may have been deleted
                await self._ensure(running.connection, self._settings)
                await running.dead_letters.bury(message, group)

    async def dead_letters(self, group: str) -> AsyncGenerator[DeadLetter, None]:
        """See ``EventBus.dead_letters``. Without JetStream there are none to read."""
        check_group(group)
        running = self._here()
        if self._settings is not None:
            async for letter in running.dead_letters.read(group):
                yield letter

    async def discard(self, letter: DeadLetter, group: str) -> None:
        """See ``EventBus.discard``."""
        check_group(group)
        running = self._here()
        if self._settings is not None:
            await running.dead_letters.discard(letter)

    async def _ensure(self, connection: Connection, settings: Settings) -> StreamInfo:
        return await ensure_streams(
            connection, self._subjects.all, self._subjects.dead("*"), settings
        )

    def _here(self) -> _Running:
        if self._running is None:
            raise NotRunning(
                f"the bus of bucket {self._bucket!r} is used before async with entered it, or "
                f"after it was left"
            )
        return self._running


def _servers(url: str, bucket: str) -> list[SplitResult]:
    """The servers that a URL names; none of what is wrong with it is quoted, as it may be secret.

    Raises:
        CompositionError: It is not of the form that ``NatsBus.open`` takes.
    """
    scheme, separator, rest = url.partition("://")
    parts = rest.split(",") if separator else [""]
    try:
        servers = [urlsplit(part if "://" in part else f"{scheme}://{part}") for part in parts]
        if all(map(_is_server, servers)):
            return servers
    except ValueError:
        pass
    raise CompositionError(
        f"the URL of the bus of bucket {bucket!r} is not of the form "
        f"nats://user:password@host:4222 or tls://host:4222, with user and password "
        f"percent-encoded, and several servers separated by commas"
    )


def _is_server(split: SplitResult) -> bool:
    return bool(
        split.scheme in {"nats", "tls"}
        and split.hostname
        and split.port != 0
        and not (split.path.strip("/") or split.query or split.fragment)
    )
