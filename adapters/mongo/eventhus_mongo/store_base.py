"""The part of a store that connects and disconnects."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar

import pymongo
from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from eventhus.errors import CompositionError, NotRunning, OutcomeUnknown, StoreUnavailable
from eventhus.ports import Commit
from eventhus_mongo.appender import Appender
from eventhus_mongo.bucket import check_name, prepare
from eventhus_mongo.command_finder import CommandFinder
from eventhus_mongo.commits import ENVELOPE
from eventhus_mongo.connection import Client, Connection
from eventhus_mongo.document_saver import DocumentSaver
from eventhus_mongo.driver_errors import translating_errors
from eventhus_mongo.inspection import Inspector
from eventhus_mongo.known_versions import KnownVersions
from eventhus_mongo.loader import Loader
from eventhus_mongo.lookups import Lookups
from eventhus_mongo.query_reader import QueryReader
from eventhus_mongo.reader import LogReader
from eventhus_mongo.restoring import Restorer
from eventhus_mongo.unfinished import Unfinished
from eventhus_mongo.wakeups import Wakeups

T = TypeVar("T")

CUT_OFF_S = 0.1  # for disconnecting once nobody waits for it any more


class Running:
    """The parts of a store that has been entered."""

    def __init__(self, client: Client, bucket: str) -> None:
        self.connection = Connection(client, bucket)
        known = KnownVersions()
        self.wakeups = Wakeups(self.connection)
        unfinished = Unfinished()
        queries = QueryReader(self.connection, unfinished)
        self.lookups = Lookups(self.connection, known)
        self.appender = Appender(self.connection, known, self.lookups, queries)
        self.restorer = Restorer(self.connection, known, self.lookups)
        self.loader = Loader(self.connection, known, without=ENVELOPE)
        self.histories = Loader(self.connection, known)
        self.reader = LogReader(self.connection, self.wakeups, queries, unfinished)
        self.commands = CommandFinder(self.connection)
        self.inspector = Inspector(self.connection)
        self.documents = DocumentSaver(self.connection)

    def cut_off(self) -> None:
        """End all calls in flight at once."""
        self.connection.calls.cut_off()
        self.appender.cut_off()
        self.loader.cut_off()
        self.histories.cut_off()
        self.commands.cut_off()
        self.documents.cut_off()
        self.reader.cut_off()


class StoreBase:
    """A store that is entered and left, without the operations of its ports."""

    def __init__(self, client: Client, bucket: str) -> None:
        check_name(bucket)
        if client.options.pool_options.max_pool_size == 1:
            raise CompositionError(
                f"the store of bucket {bucket!r} needs several connections, since a change stream "
                f"occupies one; leave maxPoolSize out, or set it to 10 or more"
            )
        self._bucket = bucket
        self._connect: Callable[[], Client] = lambda: client
        self._owns_client = False
        self._entered = 0
        self._entering = asyncio.Lock()
        self._running: Running | None = None

    @classmethod
    def open(cls, url: str, bucket: str) -> Self:
        """Create a store that connects when it is entered and disconnects when it is left.

        Args:
            url: A MongoDB connection string, with the driver's options.
            bucket: The name of the database. The URL may name another one for authentication.

        Raises:
            CompositionError: The driver does not accept the URL.
            InvalidArgument: The bucket cannot be the name of a database.
        """
        connect = partial(_connect, url, bucket)
        store = cls(connect(), bucket)  # so that a wrong URL is refused here
        store._connect, store._owns_client = connect, True
        return store

    def __repr__(self) -> str:
        return f"{type(self).__name__}(bucket={self._bucket!r})"

    async def __aenter__(self) -> Self:
        """Connect, and check the bucket before anything is written.

        Raises:
            StoreUnavailable: The server cannot be reached.
            AccessDenied: The credentials are refused, or lack a right.
            IncompatibleBucket: The bucket holds other data, data of a newer version of this
                library, or a conflicting index.
            CompositionError: The connection cannot be set up as the URL says.
        """
        async with self._entering:
            if self._running is None:
                running = Running(self._connect(), self._bucket)
                try:
                    await running.connection.calls.carry_out(partial(prepare, running.connection))
                except BaseException:
                    await self._close(running)
                    raise
                self._running = running
            self._entered += 1
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Wait for the calls in flight and disconnect, once left as often as entered.

        If cancelled, end the calls in flight and disconnect at once. An ``append`` then raises
        ``OutcomeUnknown``, any other call ``StoreUnavailable``.
        """
        async with self._entering:
            self._entered -= 1
            if self._entered == 0 and self._running is not None:
                running, self._running = self._running, None
                await self._close(running)

    async def _call(self, work: Callable[[Running], Coroutine[Any, Any, T]]) -> T:
        """Carry out a call of the driver, which outlasts its caller."""
        running = self._here()
        return await running.connection.calls.carry_out(partial(work, running))

    @contextmanager
    def _calling(self) -> Iterator[Running]:
        """Count a call that joins others, and translate the driver's errors."""
        running = self._here()
        with running.connection.calls, translating_errors(self._bucket):
            yield running

    @contextmanager
    def _sending(self, commit: Commit) -> Iterator[Running]:
        """Count a call that sends a commit, and may be cut off after it was sent."""
        running = self._here()
        try:
            with running.connection.calls:
                yield running
        except StoreUnavailable as error:
            if not running.connection.calls.is_cut_off:
                raise
            raise OutcomeUnknown(self._bucket, error.problem, commit.stream, commit.id) from None

    def _here(self) -> Running:
        if self._running is None:
            raise NotRunning(
                f"the store of bucket {self._bucket!r} is not open; use it inside 'async with'"
            )
        return self._running

    async def _close(self, running: Running) -> None:
        try:
            await running.wakeups.close()
            await running.connection.calls.close()
            await running.appender.drain()
            await self._disconnect(running, running.connection.timeout_s)
        except asyncio.CancelledError:  # the caller does not wait any more
            running.cut_off()
            await self._disconnect(running, CUT_OFF_S)
            raise

    async def _disconnect(self, running: Running, within_s: float) -> None:
        if self._owns_client:
            # Closing contacts the servers, which may be gone.
            with pymongo.timeout(within_s):
                await running.connection.client.close()


def _connect(url: str, bucket: str) -> Client:
    try:
        return AsyncMongoClient(url)
    except (PyMongoError, ValueError, OSError) as error:
        # The driver's message may quote the password in the URL.
        raise CompositionError(
            f"the driver does not accept the URL for bucket {bucket!r}: {type(error).__name__}; "
            f"it has the form mongodb://user:password@host:27017/?option=value, with user and "
            f"password percent-encoded, and options that pymongo knows"
        ) from None
