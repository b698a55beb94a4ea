"""The composition root: where a domain meets the adapters that it runs on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, aclosing
from random import Random
from types import TracebackType
from typing import Any, Self, TypeVar
from weakref import WeakSet

from attrs import frozen

from eventhus.adapter_support.arguments import check_group
from eventhus.adapter_support.tasks import being_cancelled, stop
from eventhus.composition import (
    check_at_least,
    check_handler,
    check_is,
    check_parts,
    stored_names,
)
from eventhus.domain.aggregate import Aggregate, Command
from eventhus.domain.catalog import Catalog
from eventhus.domain.names import check_name
from eventhus.domain.process import Process
from eventhus.domain.recorded import Metadata, Recorded, StreamId
from eventhus.domain.view import View
from eventhus.errors import CompositionError, InvalidArgument, NotRunning
from eventhus.ids import new_id as ulid
from eventhus.ports.bus import EventBus, Subscription
from eventhus.ports.clock import Clock
from eventhus.ports.codec import Codec
from eventhus.ports.store import Storage, StoredEvent
from eventhus.runtime.adapter_lookup import BUSES, CODECS, STORES, adapter_for, load_adapter
from eventhus.runtime.clock import SystemClock
from eventhus.runtime.commands.bus import CommandBus
from eventhus.runtime.commands.envelope import Committed, Envelope, Handler, Loaded, Middleware
from eventhus.runtime.commands.executor import PAGE, Executor
from eventhus.runtime.commands.snapshots import Snapshots
from eventhus.runtime.messaging.subscriber import (
    UNGROUPED,
    AppSubscription,
    EventHandler,
    Replayed,
    Subscriber,
)
from eventhus.runtime.messaging.wire import to_body
from eventhus.runtime.readers.reader_group import ReaderGroup
from eventhus.runtime.readers.relay import CHECKPOINT, Relay
from eventhus.runtime.serializer import EventSerializer
from eventhus.runtime.signals import wait_for_shutdown

E = TypeVar("E")
S = TypeVar("S")
V = TypeVar("V")

_NO_METADATA = Metadata()


class Application:
    """Some aggregates, with views and processes, running on a store and, if you like, a bus.

    Everything is checked here, before anything is written. ``async with`` opens the store and
    the bus and starts to publish, to project and to run processes; leaving it stops the views and
    processes where they are, answers the commands that were accepted, publishes what is
    committed, lets subscribers finish and closes both. Views and processes go on from there next
    time.

    Args:
        bucket: The application's name in the store and on the bus: 1 to 63 letters, digits,
            hyphens and underscores.
        aggregates: What it is made of.
        views: What can be read of it with ``view``. A new one is folded from the first event of
            the log on; so one whose code has changed needs a new name.
        processes: What sends commands because of what has happened, once for each event. A new
            one, or one with a new name, begins at the first event of the log, too. A command that
            is refused is logged as a warning, and the process goes on.
        store: Where events, snapshots, checkpoints and the values of views are kept.
        codec: StreamQueues events and states into plain data and back.
        bus: Where events are published; ``None`` publishes nothing.
        workers: The most commands that run at the same time.
        middleware: Wraps the handling of every command; the first is the outermost.
        cache_size: The most states remembered for each aggregate type; 0 loads every time.
        snapshot_every: Take a snapshot once so many events lie behind the last one; ``None``
            takes none. States must then be what the codec can handle.
        clock: The time.
        random: Spreads retries; give a seeded one to repeat a run.
        new_id: Makes the ids of commits. They must be unique for ever.

    Raises:
        CompositionError: The parts do not fit together. The message says which and why.
    """

    def __init__(
        self,
        *,
        bucket: str,
        aggregates: Iterable[Aggregate[Any, Any, Any]],
        views: Iterable[View[Any, Any]] = (),
        processes: Iterable[Process[Any, Any]] = (),
        store: Storage,
        codec: Codec,
        bus: EventBus | None = None,
        workers: int = 30,
        middleware: Sequence[Middleware] = (),
        cache_size: int = 10_000,
        snapshot_every: int | None = None,
        clock: Clock | None = None,
        random: Random | None = None,
        new_id: Callable[[], str] = ulid,
    ) -> None:
        check_name("bucket", bucket)
        check_at_least("workers", workers, 1)
        check_at_least("cache_size", cache_size, 0)
        if snapshot_every is not None:
            check_at_least("snapshot_every", snapshot_every, 1)
        self.bucket = bucket
        self._store = store
        self._bus = bus
        self._workers = workers
        self._middleware = tuple(middleware)
        self._clock = clock or SystemClock()
        random = random or Random()  # noqa: S311 - spreads retries, guards nothing
        aggregates = check_parts(Aggregate, aggregates)
        self._catalog = catalog = Catalog(aggregates)
        self._serializer = EventSerializer(catalog, codec)
        self._new_id = new_id
        self._executors = {
            aggregate.name: Executor(
                aggregate,
                store=store,
                serializer=self._serializer,
                snapshots=None
                if snapshot_every is None
                else Snapshots(aggregate, store, codec, snapshot_every),
                cache_size=cache_size,
                clock=self._clock,
                random=random,
                new_id=new_id,
            )
            for aggregate in aggregates
        }
        self._routes = {
            command: self._executors[aggregate.name]
            for command, aggregate in catalog.routes.items()
        }
        self._readers = ReaderGroup(
            check_parts(View, views),
            check_parts(Process, processes),
            catalog=catalog,
            serializer=self._serializer,
            codec=codec,
            store=store,
            clock=self._clock,
            new_id=new_id,
        )
        self._run: _Run | None = None
        self._followed: _Run | None = None  # the same, until it is being left
        self._pending: set[asyncio.Future[Sequence[StoredEvent] | None]] = set()  # of followers
        self._subscribers: WeakSet[Subscriber] = WeakSet()  # that a bus still has

    @classmethod
    def open(
        cls,
        *,
        bucket: str,
        aggregates: Iterable[Aggregate[Any, Any, Any]],
        views: Iterable[View[Any, Any]] = (),
        processes: Iterable[Process[Any, Any]] = (),
        store: str = "memory://",
        bus: str | None = None,
        codec: Codec | None = None,
        workers: int = 30,
        middleware: Sequence[Middleware] = (),
        cache_size: int = 10_000,
        snapshot_every: int | None = None,
    ) -> Self:
        """Compose an application from URLs.

        The schemes are those that installed distributions register as entry points in the groups
        ``eventhus.stores`` and ``eventhus.buses``: callables that take the URL and the bucket.

        Args:
            bucket: As for the class.
            aggregates: As for the class.
            views: As for the class.
            processes: As for the class.
            store: The URL of the store.
            bus: The URL of the bus; ``None`` publishes nothing.
            codec: ``None`` takes the one of ``eventhus_cattrs``.
            workers: As for the class.
            middleware: As for the class.
            cache_size: As for the class.
            snapshot_every: As for the class.

        Raises:
            CompositionError: As for the class; or a URL's scheme is unknown, or its adapter's
                driver is not installed.
        """
        return cls(
            bucket=bucket,
            aggregates=aggregates,
            views=views,
            processes=processes,
            store=adapter_for(store, STORES)(store, bucket),
            bus=None if bus is None else adapter_for(bus, BUSES)(bus, bucket),
            codec=codec or load_adapter("cattrs", CODECS)(),
            workers=workers,
            middleware=middleware,
            cache_size=cache_size,
            snapshot_every=snapshot_every,
        )

    async def __aenter__(self) -> Self:
        if self._run is not None:
            raise NotRunning("the application is running already; enter it once")
        async with AsyncExitStack() as stack:  # left in reverse order
            await stack.enter_async_context(self._store)
            if self._bus is not None:
                await stack.enter_async_context(self._bus)
                stack.callback(self._stop_retrying)
                relay = Relay(self._store, self._bus, self._clock, owner=self._new_id())
                task = asyncio.create_task(relay.run(), name=f"eventhus relay of {self.bucket}")
                stack.push_async_callback(stop, task)
                stack.push_async_callback(relay.drain)
            for executor in self._executors.values():
                stack.push_async_callback(executor.close)
            commands = CommandBus(self._routes, workers=self._workers)
            stack.push_async_callback(commands.close)
            handle: Handler = commands.handle
            for middleware in reversed(self._middleware):
                handle = middleware(handle)
            stack.push_async_callback(self._readers.stop)
            self._readers.start(handle)
            self._run = self._followed = _Run(handle, stack.pop_all())
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        run = self._running()
        self._followed = None
        for pending in self._pending:
            pending.cancel()
        try:
            await run.exit.__aexit__(exc_type, exc, traceback)
        finally:
            self._run = None

    async def dispatch(
        self,
        command: Command,
        *,
        expected_version: int | None = None,
        command_id: str | None = None,
        metadata: Metadata | None = None,
    ) -> Committed:
        """Carry out a command: load its aggregate, decide, and append what follows.

        Commands of one aggregate run in the order of their dispatch. Where another process gets
        in between, the command is decided again on the newer state. Cancelling the caller leaves
        the command carried out as a whole or not at all.

        Args:
            command: What to do.
            expected_version: Go ahead only if the aggregate is at this version: 0 if it must be
                new, or a ``Committed.version`` that the decision to send this was based on.
            command_id: An idempotency key, unique in the bucket. The same key again, from
                wherever and whenever, carries out nothing and gets the first answer, whatever
                the command says. A command that changed nothing or was refused leaves no trace
                and runs again.
            metadata: What the events are to carry.

        Returns:
            The events, and where they stand.

        Raises:
            Rejected: The domain refused, in the subclass that ``decide`` raised.
            ConcurrencyError: The aggregate is not at ``expected_version``.
            TooManyConflicts: Others kept getting in between, ten times in a row.
            CommandIdReused: The ``command_id`` belongs to a command of another aggregate.
            UnknownCommand: No aggregate takes this class of command.
            InvalidArgument: The ``aggregate_id`` or ``command_id`` is empty or not text.
            UndeclaredEvent: ``decide`` produced something that is not an event of its aggregate.
            CodecError: An event or what was stored of the aggregate does not fit its class.
            InvalidCommit: The store cannot keep the events.
            LogCorrupted: What was stored of the aggregate has a gap.
            NotRunning: The application has not been entered, or is being left.
        """
        return await self._running().handle(
            Envelope(
                command=command,
                expected_version=expected_version,
                command_id=command_id,
                metadata=metadata or _NO_METADATA,
            )
        )

    async def state(self, aggregate: Aggregate[Any, Any, S], aggregate_id: str) -> S:
        """The state of an aggregate as it is stored now; ``initial`` if it has no events.

        Raises what ``load`` does.
        """
        return (await self.load(aggregate, aggregate_id)).state

    async def load(self, aggregate: Aggregate[Any, Any, S], aggregate_id: str) -> Loaded[S]:
        """The state of an aggregate as it is stored now, with the version to expect.

        Raises:
            InvalidArgument: The aggregate is not one of this application, or the id is empty.
            CodecError: A stored event does not fit its class.
            LogCorrupted: What was stored of the aggregate has a gap.
            NotRunning: The application has not been entered, or has been left.
        """
        self._running()
        held = await self._executor(aggregate).current(aggregate_id)
        return Loaded(state=held.state, version=held.version, position=held.position)

    async def history(
        self, aggregate: Aggregate[Any, E, Any], aggregate_id: str
    ) -> list[Recorded[E]]:
        """Every event of an aggregate, oldest first; none if it never had any.

        Raises what ``load`` does.
        """
        self._running()
        self._executor(aggregate)
        stream = StreamId(aggregate.name, aggregate_id)
        history: list[Recorded[E]] = []
        while True:
            page = await self._store.history(stream, after_version=len(history), limit=PAGE)
            history.extend(map(self._serializer.recorded, page))
            if len(page) < PAGE:
                return history

    async def view(self, view: View[Any, V], key: str) -> V | None:
        """What a view knows of a key by now; ``None`` if nothing.

        A view is a moment behind the log: see ``caught_up``.

        Raises:
            InvalidArgument: The view is not one of this application, or the key is not text.
            CodecError: What is kept does not fit the view's type: it has changed, and needs a new
                name.
            NotRunning: The application has not been entered, or has been left.
        """
        self._running()
        check_is(view, View)
        return await self._readers.view(view, key)

    async def caught_up(
        self,
        reader: View[Any, Any] | Process[Any, Any],
        committed: Committed | int | None = None,
    ) -> None:
        """Wait until a view, or a process, has seen a commit: to read your own writes.

        A process has seen an event when the commands that follow from it have been carried out or
        refused. It does not matter which of several processes on the store does the work.

        Args:
            reader: A view or a process of this application.
            committed: What to wait for: the answer to a command, or a position of the log.
                ``None`` is all that the log holds now.

        Raises:
            InvalidArgument: The view or process is not one of this application.
            ReaderStopped: It cannot take an event. Only the application that works on it notices:
                where that is another, this goes on waiting, as it does while the store is away.
                Bound it with ``asyncio.timeout`` where that matters.
            NotRunning: The application has not been entered, or is left before it has seen that.
        """
        self._running()
        check_is(reader, View, Process)
        if committed is None:
            committed = await self._store.head()
        elif isinstance(committed, Committed):
            committed = committed.position
        await self._readers.caught_up(reader, committed)

    async def follow(self, *, after: int = 0) -> AsyncGenerator[Recorded[Any], None]:
        """Every event of the log, in order: what is there, then what comes.

        Ends when the application is left; what it has not reached by then it does not hand out.
        To miss nothing and see nothing twice, go on later behind the ``position`` handled last.

        Args:
            after: Start behind this position; 0 starts at the first event.

        Raises:
            CodecError: A stored event does not fit its class.
            NotRunning: The application has not been entered, or has been left.
        """
        run = self._running()
        if self._followed is not run:
            return
        async with aclosing(self._store.follow(after=after)) as batches:
            while batch := await self._unless_left(run, anext(batches, None)):
                for stored in batch:
                    yield self._serializer.recorded(stored)
                    if self._followed is not run:
                        return

    async def run(self) -> None:
        """Work until the process is told to end, by SIGTERM or SIGINT, or the caller is cancelled.

        The whole of a worker that publishes what others commit, and keeps views and processes
        going: ``asyncio.run(app.run())``. Inside ``async with`` it keeps the application open for
        the handlers that were subscribed there.

        Of all workers with a store and a bus in common, one publishes at a time, and one works on
        each view and each process; another takes its place within seconds.
        """
        if self._run is None:
            async with self:
                await wait_for_shutdown()
        else:
            await wait_for_shutdown()

    async def relay_lag(self) -> int:
        """How many events of the log are not known to be with the bus, whoever publishes them.

        Raises:
            NotRunning: The application has not been entered, or has been left.
        """
        self._running()
        published = await self._store.load_checkpoint(CHECKPOINT)
        return max(0, await self._store.head() - published)

    async def subscribe(
        self,
        handler: EventHandler,
        *,
        group: str | None = None,
        types: Iterable[type] | None = None,
        concurrency: int = 16,
        attempts: int = 10,
    ) -> Subscription:
        """Hand every event that the bus carries from now on to ``handler``, at least once.

        The events of one aggregate come in order; those of different ones side by side. Where the
        handler raises, it is called again after a while, 0.1 seconds and then twice as long each
        time, up to 30, and the events behind it of its aggregate wait. After the last attempt the
        event becomes a dead letter of its group, for ``replay``; so does, at once, one that cannot
        be decoded. Attempts are those of one process: another that takes over begins anew. Since an
        event may come twice, a handler with effects remembers the ``id`` or ``position`` that it
        handled last. While the application is being left, handlers may still read from it, but not
        dispatch.

        Args:
            handler: Takes one event.
            group: Subscriptions with the same group, here and in other processes, share the
                events between them: 1 to 63 letters, digits, hyphens and underscores. A bus that
                keeps messages also keeps the group's place. ``None`` makes a group of its own,
                which ends with the subscription; its dead letters are those of ``"anonymous"``.
            types: Classes of events; all others are passed over. ``None`` takes all, and buries
                those that no aggregate of this application declares.
            concurrency: The most events handled at once, at least 1.
            attempts: How often an event is tried before it is a dead letter, at least 1.

        Raises:
            CompositionError: The application has no bus.
            InvalidArgument: ``group`` has another form, a number is below 1, or no aggregate of
                this application declares one of ``types``.
            BusUnavailable: The bus could not be reached, or did not answer in time.
            NotRunning: The application has not been entered, or has been left.
        """
        bus = self._entered_bus()
        check_handler(handler)
        check_group(group, concurrency)
        if attempts < 1:
            raise InvalidArgument(f"attempts must be at least 1, found {attempts}")
        subscriber = Subscriber(
            handler,
            group=group,
            types=None if types is None else stored_names(self._catalog, types),
            attempts=attempts,
            serializer=self._serializer,
            bus=bus,
            clock=self._clock,
        )
        subscription = await bus.subscribe(subscriber, group=group, concurrency=concurrency)
        self._subscribers.add(subscriber)
        return AppSubscription(subscription, subscriber)

    async def replay(self, handler: EventHandler, *, group: str = UNGROUPED) -> Replayed:
        """Give the dead letters of a group to ``handler``, the oldest first, each once.

        One that is handled is deleted. Where the handler raises, the letter stays, and so do the
        later ones of its aggregate.

        Args:
            handler: Takes one event.
            group: Whose dead letters.

        Raises:
            CompositionError: The application has no bus.
            InvalidArgument: ``group`` is not of the form that ``subscribe`` takes.
            BusUnavailable: The bus could not be reached, or did not answer in time.
            NotRunning: The application has not been entered, or has been left.
        """
        bus = self._entered_bus()
        check_handler(handler)
        check_group(group)
        return await Subscriber(
            handler,
            group=group,
            types=None,
            attempts=1,
            serializer=self._serializer,
            bus=bus,
            clock=self._clock,
        ).replay()

    def wire(self, recorded: Recorded[Any]) -> bytes:
        """An event as the body of a message: UTF-8 JSON, the same in every language.

        Its keys are ``aggregate_id``, ``aggregate_type``, ``version``, ``type`` and ``data``. The
        last two are today's: an event that was stored under another name or in another shape went
        over the bus as it was stored.

        Raises:
            InvalidArgument: No aggregate of this application declares the event's class.
            CodecError: A field holds what its type does not admit.
        """
        try:
            return to_body(recorded.with_event(self._serializer.encode(recorded.event)))
        except KeyError:
            raise InvalidArgument(
                f"{type(recorded.event).__qualname__} is not an event of this application"
            ) from None

    def _entered_bus(self) -> EventBus:
        self._running()
        if self._bus is None:
            raise CompositionError('the application has no bus; give it one, as bus="memory://"')
        return self._bus

    def _stop_retrying(self) -> None:
        for subscriber in self._subscribers:
            subscriber.stop_retrying()

    def _running(self) -> _Run:
        if self._run is None:
            raise NotRunning("the application is not running; use it inside 'async with'")
        return self._run

    def _executor(self, aggregate: Aggregate[Any, Any, S]) -> Executor[Any, Any, S]:
        check_is(aggregate, Aggregate)
        executor = self._executors.get(aggregate.name)
        if executor is None or executor.aggregate is not aggregate:
            raise InvalidArgument(
                f"{aggregate.name} is not an aggregate of this application; compose it with it"
            )
        return executor

    async def _unless_left(
        self, run: _Run, batch: Awaitable[Sequence[StoredEvent] | None]
    ) -> Sequence[StoredEvent] | None:
        """The batch, or ``None`` if there is none before the application is left."""
        pending = asyncio.ensure_future(batch)
        self._pending.add(pending)
        try:
            return await pending
        except asyncio.CancelledError:
            if self._followed is not run and pending.cancelled() and not being_cancelled():
                return None
            raise
        finally:
            self._pending.discard(pending)


@frozen
class _Run:
    """What exists only while an application is running."""

    handle: Handler
    exit: AsyncExitStack
