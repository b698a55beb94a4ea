"""The application: the composition root, where a domain meets its adapters."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, aclosing
from functools import partial
from random import Random
from types import TracebackType
from typing import Any, Self, TypeVar
from weakref import WeakSet

from eventhus.adapter_support.arguments import check_group, check_numbers, check_page
from eventhus.composition import (
    check_handler,
    check_is,
    check_parts,
    check_settings,
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
from eventhus.ports.store import Storage
from eventhus.run import Run
from eventhus.runtime.adapter_lookup import BUSES, CODECS, STORES, adapter_for, load_adapter
from eventhus.runtime.clock import SystemClock
from eventhus.runtime.commands.bus import CommandBus
from eventhus.runtime.commands.envelope import (
    RESERVED,
    Committed,
    Envelope,
    Handler,
    Loaded,
    Middleware,
)
from eventhus.runtime.commands.executor import Executor
from eventhus.runtime.commands.repository import PAGE, Repository
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
from eventhus.shutdown import Shutdown, counted

E = TypeVar("E")
S = TypeVar("S")
V = TypeVar("V")

_NO_METADATA = Metadata()

_logger = logging.getLogger("eventhus")


class Application:
    """The composition root: aggregates, views and processes on a store and an optional bus.

    The constructor checks that the parts fit together; nothing is written before. ``async with``
    opens the store and the bus, then starts the relay, the views and the processes. Leaving it
    stops the views and processes at their checkpoints, completes the accepted commands, publishes
    what is committed, waits for event handlers, and closes the bus and the store. The log says
    what it waits for. At ``shutdown_timeout_s`` it cancels what is unfinished: events that were not
    published or handled are delivered later, and callers of unfinished commands get an error.

    Args:
        bucket: The name of the application in the store and on the bus: 1 to 63 letters, digits,
            hyphens and underscores.
        aggregates: The aggregates.
        views: The views (read models, projections). A new view is folded from the first event of
            the log, so a view whose code has changed needs a new name.
        processes: The process managers. Each sends its commands once for each event. A process
            with a new name also starts at the first event. A refused command is logged as a
            warning, and the process continues.
        store: Stores events, snapshots, checkpoints and the values of views.
        codec: Converts events and states to plain data and back.
        bus: Publishes events; ``None`` publishes nothing.
        workers: The maximum number of commands that run concurrently.
        middleware: Wraps the handling of every command; the first is the outermost.
        cache_size: The maximum number of cached states of each aggregate type; 0 loads every time.
        snapshot_every: The number of events after which a stream gets a new snapshot; ``None``
            takes no snapshots. Otherwise the codec must be able to encode the states.
        shutdown_timeout_s: The maximum time to wait for all of that when the application is left,
            in seconds. Keep it below the time that your platform grants after SIGTERM, often 30
            seconds: closing what is left takes up to 4 seconds more.
        clock: The source of time.
        random: The jitter between retries. Pass a seeded one to repeat a run.
        new_id: Makes the ids of commits, which must be unique for ever.

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
        shutdown_timeout_s: float = 25.0,
        clock: Clock | None = None,
        random: Random | None = None,
        new_id: Callable[[], str] = ulid,
    ) -> None:
        check_name("bucket", bucket)
        check_settings(workers, cache_size, snapshot_every, shutdown_timeout_s)
        self.bucket = bucket
        self._store = store
        self._bus = bus
        self._workers = workers
        self._shutdown_timeout_s = shutdown_timeout_s
        self._middleware = tuple(middleware)
        self._clock = clock or SystemClock()
        aggregates = check_parts(Aggregate, aggregates)
        self._catalog = catalog = Catalog(aggregates)
        self._serializer = EventSerializer(catalog, codec)
        self._new_id = new_id
        self._relay: Relay | None = None
        repository = partial(
            Repository[Any], store=store, serializer=self._serializer, cache_size=cache_size
        )
        executor = partial(
            Executor[Any, Any, Any],
            store=store,
            serializer=self._serializer,
            clock=self._clock,
            random=random or Random(),  # noqa: S311 - spreads retries, guards nothing
            new_id=new_id,
        )
        self._executors = {
            aggregate.name: executor(
                aggregate,
                repository(
                    aggregate,
                    snapshots=Snapshots(aggregate, store, codec, snapshot_every)
                    if snapshot_every
                    else None,
                ),
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
        self._run: Run | None = None
        self._subscribers: WeakSet[Subscriber] = WeakSet()  # weak: closed ones are dropped

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
        shutdown_timeout_s: float = 25.0,
    ) -> Self:
        """Compose an application from URLs.

        Installed distributions register the schemes as entry points in the groups
        ``eventhus.stores`` and ``eventhus.buses``: callables that take the URL and the bucket.

        Args:
            bucket: As for the class.
            aggregates: As for the class.
            views: As for the class.
            processes: As for the class.
            store: The URL of the store.
            bus: The URL of the bus; ``None`` publishes nothing.
            codec: ``None`` uses the codec of ``eventhus_cattrs``.
            workers: As for the class.
            middleware: As for the class.
            cache_size: As for the class.
            snapshot_every: As for the class.
            shutdown_timeout_s: As for the class.

        Raises:
            CompositionError: As for the class, or the scheme of a URL is unknown, or the driver of
                its adapter is not installed.
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
            shutdown_timeout_s=shutdown_timeout_s,
        )

    async def __aenter__(self) -> Self:
        if self._run is not None:
            raise NotRunning("the application is already running; enter it once")
        leaving = Shutdown(self.bucket, self._shutdown_timeout_s)
        async with AsyncExitStack() as stack:  # left in reverse order
            await leaving.enter(stack, lambda: "the store", self._store)
            if self._bus is not None:
                await leaving.enter(stack, self._unfinished_handlers, self._bus)
                stack.callback(self._stop_retrying)
                relay = Relay(self._store, self._bus, self._clock, owner=self._new_id())
                relay.start()
                leaving.add(stack, lambda: "the relay to stop", relay.stop)
                leaving.add(stack, lambda: f"the relay, which {relay.progress}", relay.drain)
                self._relay = relay
            leaving.add(stack, self._unfinished_snapshots, self._drain_snapshots)
            commands = CommandBus(self._routes, workers=self._workers)
            leaving.add(stack, lambda: counted(commands.accepted, "command"), commands.close)
            handle: Handler = commands.handle
            for middleware in reversed(self._middleware):
                handle = middleware(handle)
            leaving.add(stack, lambda: ", ".join(self._readers.unfinished), self._readers.stop)
            self._readers.start(handle)
            self._run = Run(handle, stack.pop_all())
        runs = [*self._readers.labels]
        if self._bus is not None:
            runs.append(f"relay to {type(self._bus).__name__}")
        _logger.info(
            "bucket %s started: %s", self.bucket, ", ".join(runs) or "no views, processes or relay"
        )
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        run = self._running()
        try:
            await run.leave(exc_type, exc, traceback)
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
        """Carry out a command: load its aggregate, decide, and append the events.

        Commands of one aggregate run in the order of their dispatch. If another process appends to
        the stream meanwhile, the command is decided again on the newer state. If the caller is
        cancelled, the command has been carried out completely or not at all.

        Args:
            command: The command.
            expected_version: Carry out the command only if the aggregate is at this version
                (optimistic concurrency): 0 for a new aggregate, or the ``Committed.version`` that
                the decision to send the command was based on.
            command_id: An idempotency key, unique in the bucket. Another command with the same
                key, from any process and at any time, changes nothing and gets the first answer,
                whatever the second command asks for. A command that changed nothing or was refused
                is not remembered and runs again. Ids that start with ``eventhus:`` are reserved for
                processes.
            metadata: The metadata of the events.

        Returns:
            The events, and their place in the log.

        Raises:
            Rejected: The domain refused; the error is the subclass that ``decide`` raised.
            ConcurrencyError: The aggregate is not at ``expected_version``.
            TooManyConflicts: Other processes appended during 50 attempts in a row.
            CommandIdReused: The ``command_id`` belongs to a command of another aggregate.
            UnknownCommand: No aggregate handles this class of command.
            InvalidArgument: The ``aggregate_id`` or ``command_id`` is empty or not text, an id or
                the metadata is beyond its limit (see ``eventhus.ports.store``), or the
                ``command_id`` is reserved.
            UndeclaredEvent: ``decide`` returned a value that is not an event of its aggregate.
            CodecError: A new or stored event, or a stored state, does not fit its class.
            InvalidCommit: The store cannot store the events.
            LogCorrupted: The stored events of the aggregate have a gap.
            StoreUnavailable: The store could not be reached; nothing was written.
            OutcomeUnknown: The store could not be reached after the commit was sent. Send the
                command again with the same ``command_id``.
            NotRunning: The application has not been entered, or is being left.
        """
        run = self._running()
        if isinstance(command_id, str) and command_id.startswith(RESERVED):
            raise InvalidArgument(
                f"command ids that start with {RESERVED!r} are reserved for processes; "
                f"put a prefix of your own before the id"
            )
        return await run.handle(
            Envelope(
                command=command,
                expected_version=expected_version,
                command_id=command_id,
                metadata=metadata or _NO_METADATA,
            )
        )

    async def state(self, aggregate: Aggregate[Any, Any, S], aggregate_id: str) -> S:
        """Return the stored state of an aggregate; ``initial`` if it has no events.

        Raises the errors of ``load``.
        """
        return (await self.load(aggregate, aggregate_id)).state

    async def load(self, aggregate: Aggregate[Any, Any, S], aggregate_id: str) -> Loaded[S]:
        """Return the stored state of an aggregate, with its version and position.

        Raises:
            InvalidArgument: The aggregate is not part of this application, or the id is empty.
            CodecError: A stored event does not fit its class.
            LogCorrupted: The stored events of the aggregate have a gap.
            NotRunning: The application has not been entered, or has been left.
        """
        self._running()
        repository = self._executor(aggregate).repository
        current = await repository.current(StreamId(aggregate.name, aggregate_id))
        return Loaded(state=current.state, version=current.version, position=current.position)

    async def history(
        self, aggregate: Aggregate[Any, E, Any], aggregate_id: str
    ) -> list[Recorded[E]]:
        """Return every event of an aggregate, oldest first.

        Raises the errors of ``load``.
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
        """Return the current value of a view for a key; ``None`` if it has none.

        A view is eventually consistent. Use ``caught_up`` to read your own writes.

        Raises:
            InvalidArgument: The view is not part of this application, or the key is not text.
            CodecError: The stored value does not fit the type of the view. The type has changed,
                so the view needs a new name.
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
        """Wait until a view or a process has handled a commit, to read your own writes.

        A process has handled an event when the resulting commands are carried out or refused. Any
        worker on the same store may do the work.

        Args:
            reader: A view or a process of this application.
            committed: The answer to a command, or a position of the log. ``None`` stands for
                everything that the log holds now.

        Raises:
            InvalidArgument: The view or process is not part of this application, or no log reaches
                the position.
            ReaderStopped: The reader cannot handle an event. Only the worker that holds its lease
                knows: in any other one this waits on, as it does while the store is unavailable.
                Limit the wait with ``asyncio.timeout`` if that matters.
            NotRunning: The application has not been entered, or was left while waiting.
        """
        self._running()
        check_is(reader, View, Process)
        if committed is None:
            committed = await self._store.head()
        elif isinstance(committed, Committed):
            committed = committed.position
        check_numbers(position=committed)
        await self._readers.caught_up(reader, committed)

    async def follow(self, *, after: int = 0) -> AsyncGenerator[Recorded[Any], None]:
        """Tail the log: yield every stored event in order, then each new one.

        Ends when the application is left. To continue later without gaps or repeats, pass the
        ``position`` of the last handled event as ``after``.

        Args:
            after: Start after this position; 0 starts at the first event.

        Raises:
            CodecError: A stored event does not fit its class.
            NotRunning: The application has not been entered, or has been left.
        """
        run = self._running()
        async with aclosing(run.follow(self._store.follow(after=after))) as events:
            async for stored in events:
                yield self._serializer.recorded(stored)

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT, or until the caller is cancelled.

        ``asyncio.run(app.run())`` is a complete worker: it publishes what others commit and runs
        views and processes. Inside ``async with``, it keeps the application open for the handlers
        that were subscribed there.

        Any number of workers may share a store and a bus. Leases elect one of them to publish, and
        one for each view and process; if it fails, another takes over within seconds.
        """
        if self._run is None:
            async with self:
                await wait_for_shutdown()
        else:
            self._running()
            await wait_for_shutdown()

    async def reset(self, view: View[Any, Any]) -> None:
        """Delete what a view has projected, and rebuild it from the first event.

        Readers of the view find it incomplete until ``caught_up`` returns. Do this after the log
        was restored to an earlier point (``LogChanged``).

        Raises:
            InvalidArgument: The view is not part of this application.
            ReaderBusy: Another process works on the view; nothing was deleted.
            NotRunning: The application has not been entered, or has been left.
        """
        self._running()
        await self._readers.reset(view)

    async def republish(self, *, after: int = 0) -> None:
        """Publish the log again, starting after a position.

        Every event after it reaches the subscribers once more, except those that the bus still
        recognises as repeats. Do this after the log was restored to an earlier point
        (``LogChanged``).

        Args:
            after: Start after this position; 0 starts at the first event.

        Raises:
            CompositionError: The application has no bus.
            InvalidArgument: ``after`` is negative, or beyond what is in the log and was published:
                the events in between would never be published.
            ReaderBusy: Another process is publishing; nothing was changed.
            NotRunning: The application has not been entered, or has been left.
        """
        self._entered_bus()
        check_page(1, after=after)
        published = (await self._store.load_checkpoint(CHECKPOINT)).position
        most = min(published, await self._store.head())
        if after > most:
            raise InvalidArgument(f"after is {after}, and only {most} events were published")
        assert self._relay is not None, "it is there while there is a bus"
        await self._relay.rewind(after)

    async def relay_lag(self) -> int:
        """Return the number of events in the log that no relay has published yet.

        Raises:
            NotRunning: The application has not been entered, or has been left.
        """
        self._running()
        published = (await self._store.load_checkpoint(CHECKPOINT)).position
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
        """Deliver every event that the bus publishes from now on to ``handler``, at least once.

        Events of one aggregate are handled in order, those of different aggregates concurrently. If
        the handler raises, it is called again after 0.1 seconds, then after twice as long each
        time, up to 30 seconds; later events of the same aggregate wait. After the last attempt the
        event goes to the dead-letter queue of its group, for ``replay``. An event that cannot be
        decoded goes there at once. Attempts are counted for each process: after a failover the
        count starts again.

        Because an event may be delivered twice, a handler with side effects should remember the
        ``id`` or ``position`` of the last event. While the application is being left, handlers may
        still read from it, but not dispatch.

        Args:
            handler: Handles one event: an ``async def`` function, or an object with an
                ``async def __call__``.
            group: The consumer group. Its members, in this process and others, share the events.
                1 to 63 letters, digits, hyphens and underscores. A bus that keeps messages also
                keeps the position of the group. ``None`` makes a group for this subscription
                alone, which ends with it; its dead letters go to the group ``"anonymous"``.
            types: The event classes to deliver; others are skipped. ``None`` delivers all events,
                and events that no aggregate of this application declares become dead letters.
            concurrency: The maximum number of events handled at once, at least 1.
            attempts: The number of attempts before an event becomes a dead letter, at least 1.

        Raises:
            CompositionError: The application has no bus.
            InvalidArgument: The handler is not a coroutine function, ``group`` does not have that
                form, a number is below 1, or one of ``types`` is not an event of this application.
            BusUnavailable: The bus could not be reached, or did not answer in time.
            NotRunning: The application has not been entered, or has been left.
        """
        bus = self._entered_bus()
        check_handler(handler)
        check_group(group, concurrency)
        if attempts < 1:
            raise InvalidArgument(f"attempts must be at least 1, found {attempts}")
        names = None if types is None else stored_names(self._catalog, types)
        subscriber = Subscriber(
            handler,
            group=group,
            types=names,
            attempts=attempts,
            catalog=self._catalog,
            serializer=self._serializer,
            bus=bus,
            clock=self._clock,
        )
        subscription = await bus.subscribe(subscriber, group=group, concurrency=concurrency)
        if group is not None:  # the others come and go, one for each visitor of a website
            _logger.info(
                "bucket %s: group %s handles %s, %d at once",
                self.bucket,
                group,
                "all events" if names is None else ", ".join(sorted(names)),
                concurrency,
            )
        self._subscribers.add(subscriber)
        return AppSubscription(subscription, subscriber)

    async def replay(self, handler: EventHandler, *, group: str = UNGROUPED) -> Replayed:
        """Deliver the dead letters of a group to ``handler`` once each, oldest first.

        A handled letter is deleted. If the handler raises, the letter stays, and so do the later
        ones of its aggregate.

        Args:
            handler: Handles one event, as for ``subscribe``.
            group: The consumer group.

        Raises:
            CompositionError: The application has no bus.
            InvalidArgument: The handler or ``group`` does not have the form that ``subscribe``
                takes, or the group does not exist. Core NATS does not know its groups, and has no
                dead letters to replay.
            BusUnavailable: The bus could not be reached, or did not answer in time.
            NotRunning: The application has not been entered, or has been left.
        """
        bus = self._entered_bus()
        check_handler(handler)
        check_group(group)
        if group != UNGROUPED and not await bus.has_group(group):
            raise InvalidArgument(
                f"group {group!r} does not exist in bucket {self.bucket!r}: nobody has subscribed "
                f"with it, and it has no dead letters; check its name"
            )
        return await Subscriber(
            handler,
            group=group,
            types=None,
            attempts=1,
            catalog=self._catalog,
            serializer=self._serializer,
            bus=bus,
            clock=self._clock,
        ).replay()

    def wire(self, recorded: Recorded[Any]) -> bytes:
        """Return an event as the body of a message: UTF-8 JSON, readable from any language.

        The keys are ``aggregate_id``, ``aggregate_type``, ``version``, ``type`` and ``data``. The
        name and the data are those of the current schema. An event that was stored under an older
        name or schema was published in that older form.

        Raises:
            InvalidArgument: The event's class is not an event of this application.
            CodecError: The value of a field does not fit its type.
        """
        try:
            return to_body(recorded.with_event(self._serializer.encode(recorded.event)))
        except KeyError:
            raise InvalidArgument(
                f"{type(recorded.event).__qualname__} is not an event of this application; "
                f"compose it with the aggregate that declares it"
            ) from None

    def _entered_bus(self) -> EventBus:
        self._running()
        if self._bus is None:
            raise CompositionError(
                'the application has no bus; compose it with one, such as bus="memory://"'
            )
        return self._bus

    async def _drain_snapshots(self) -> None:
        for executor in self._executors.values():
            await executor.repository.close()

    def _unfinished_snapshots(self) -> str:
        return ", ".join(
            f"{counted(saving, 'snapshot')} of {name}"
            for name, executor in self._executors.items()
            if (saving := executor.repository.saving)
        )

    def _unfinished_handlers(self) -> str:
        running: Counter[str] = Counter()
        for subscriber in self._subscribers:
            running[subscriber.group] += subscriber.in_progress
        handlers = [f"{counted(n, 'handler')} of group {group}" for group, n in (+running).items()]
        return ", ".join(handlers) or "the bus"

    def _stop_retrying(self) -> None:
        for subscriber in self._subscribers:
            subscriber.stop_retrying()

    def _running(self) -> Run:
        run = self._run
        if run is None:
            raise NotRunning("the application is not running; use it inside 'async with'")
        if run.loop is not asyncio.get_running_loop():
            raise NotRunning(
                "the application was entered in another event loop; use it there, for instance "
                "with asyncio.run_coroutine_threadsafe, or enter an application of its own in this "
                "one"
            )
        return run

    def _executor(self, aggregate: Aggregate[Any, Any, S]) -> Executor[Any, Any, S]:
        check_is(aggregate, Aggregate)
        executor = self._executors.get(aggregate.name)
        if executor is None or executor.aggregate is not aggregate:
            raise InvalidArgument(
                f"{aggregate.name} is not an aggregate of this application; add it to aggregates"
            )
        return executor
