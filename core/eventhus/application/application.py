"""The application: the composition root, where a domain meets its adapters."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random
from types import TracebackType
from typing import Any, Self
from weakref import WeakSet

from eventhus.application.messaging import Messaging
from eventhus.application.read_models import ReadModels
from eventhus.application.reading import Reading
from eventhus.composition import (
    check_adapters,
    check_observer,
    check_parts,
    check_settings,
)
from eventhus.domain.aggregate import Aggregate
from eventhus.domain.catalog import Catalog
from eventhus.domain.command import Command
from eventhus.domain.decision import Decision
from eventhus.domain.names import check_name
from eventhus.domain.process import Process
from eventhus.domain.process_events import RESERVED
from eventhus.domain.recorded import Metadata
from eventhus.domain.transaction import Transaction
from eventhus.domain.view import View
from eventhus.errors import InvalidArgument, NotRunning
from eventhus.ids import new_id as ulid
from eventhus.ids import owner_name
from eventhus.ports.bus import EventBus
from eventhus.ports.clock import Clock
from eventhus.ports.codec import Codec
from eventhus.ports.observer import Observer
from eventhus.ports.store import Storage
from eventhus.printable import counted
from eventhus.run import Run
from eventhus.runtime.adapter_lookup import BUSES, CODECS, STORES, adapter_for, load_adapter
from eventhus.runtime.clock import SystemClock
from eventhus.runtime.commands.bus import CommandBus
from eventhus.runtime.commands.envelope import (
    Committed,
    Envelope,
    Handler,
    Middleware,
)
from eventhus.runtime.commands.executor import Executor
from eventhus.runtime.commands.observed import observed_handler
from eventhus.runtime.commands.router import Router
from eventhus.runtime.log_bus.bus import LogBus
from eventhus.runtime.messaging.on_demand import OnDemand
from eventhus.runtime.messaging.subscriber import (
    Subscriber,
)
from eventhus.runtime.observing import Observing
from eventhus.runtime.readers.leased_reader import LeasedReader
from eventhus.runtime.readers.progress_monitor import ProgressMonitor
from eventhus.runtime.readers.reader_group import ReaderGroup
from eventhus.runtime.readers.relay import Relay
from eventhus.runtime.serializer import EventSerializer
from eventhus.runtime.signals import wait_for_shutdown
from eventhus.shutdown import Shutdown

_NO_METADATA = Metadata()

_logger = logging.getLogger("eventhus")


class Application(Reading, ReadModels, Messaging):
    """The composition root: aggregates, views and processes on a store and an optional bus.

    The constructor checks that the parts fit together; nothing is written before. ``async with``
    opens the store and the bus, then starts the relay, the views and the processes. Leaving it
    stops the views and processes at their checkpoints, completes the accepted commands, publishes
    the committed events, waits for event handlers, and closes the bus and the store. Log lines name
    each step that takes long. At ``shutdown_timeout_s`` the unfinished steps are cancelled: events
    that were not published or handled are delivered later, and callers of unfinished commands get
    an error.

    Args:
        bucket: The name of the application in the store and on the bus: 1 to 63 letters, digits,
            hyphens and underscores.
        aggregates: The aggregates.
        decisions: The decisions over events of several streams.
        transactions: The commands that change several aggregates at once.
        views: The views (read models, projections). A view whose code has changed needs a higher
            version, which is built beside the earlier ones.
        processes: The process managers. Each sends its commands once for each event. A process
            with a new name also starts at the first event. A refused command is logged as a
            warning, and the process continues.
        store: Stores events, snapshots, checkpoints and the values of views.
        codec: Converts events and states to plain data and back.
        bus: Publishes events, and delivers them to event handlers. ``None`` publishes nothing, and
            event handlers read the log itself.
        workers: The maximum number of commands that run concurrently. A process works on almost
            twice as many keys at once, since it also stores their states.
        middleware: Wraps the handling of every command; the first is the outermost.
        cache_size: The maximum number of cached states of each aggregate type; 0 loads every time.
        snapshot_every: The number of events after which a stream gets a new snapshot; ``None``
            takes no snapshots. Otherwise the codec must be able to encode the states.
        max_parked: The maximum number of parked keys of each view and process. An event that cannot
            be handled parks its key: the key's later events wait for ``retry`` or ``skip``, and
            the other keys go on. An event that would park one more key stops the view or process;
            0 stops it at the first one.
        work: False reads views, dispatches commands and waits for other processes, but runs no
            view, process or relay: for web processes beside a worker. Nothing then competes for a
            lease, except a group that you subscribe or a view that you ``build``.
        shutdown_timeout_s: The maximum time to wait for all of that when the application is left,
            in seconds. Keep it below the time that your platform grants after SIGTERM, often 30
            seconds: closing the connections takes up to 4 seconds more.
        observer: Receives every operation and fact, for spans and metrics. Use
            ``eventhus_otel.OtelObserver``, or implement ``eventhus.ports.Observer``.
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
        aggregates: Iterable[Aggregate[Any, Any, Any]] = (),
        decisions: Iterable[Decision[Any, Any, Any]] = (),
        transactions: Iterable[Transaction[Any]] = (),
        views: Iterable[View[Any, Any]] = (),
        processes: Iterable[Process[Any, Any]] = (),
        store: Storage,
        codec: Codec,
        bus: EventBus | None = None,
        workers: int = 30,
        middleware: Sequence[Middleware] = (),
        cache_size: int = 10_000,
        snapshot_every: int | None = None,
        max_parked: int = 100,
        work: bool = True,
        shutdown_timeout_s: float = 25.0,
        observer: Observer | None = None,
        clock: Clock | None = None,
        random: Random | None = None,
        new_id: Callable[[], str] = ulid,
    ) -> None:
        check_name("bucket", bucket)
        check_settings(workers, cache_size, snapshot_every, max_parked, shutdown_timeout_s)
        check_adapters(store, bus, codec)
        check_observer(observer)
        self.bucket = bucket
        self._store = store
        self._bus = bus
        self._workers = workers
        self._work = work
        self._shutdown_timeout_s = shutdown_timeout_s
        self._middleware = tuple(middleware)
        self._clock = SystemClock() if clock is None else clock
        self._catalog = catalog = Catalog(
            check_parts(Aggregate, aggregates),
            check_parts(Decision, decisions),
            check_parts(Transaction, transactions),
        )
        self._codec = codec
        self._serializer = EventSerializer(catalog, codec)
        self._new_id = new_id
        self._observing = observing = Observing.of(
            observer, bucket=bucket, store=store, bus=LogBus if bus is None else type(bus)
        )
        self._router = Router(
            catalog,
            store=store,
            serializer=self._serializer,
            codec=codec,
            cache_size=cache_size,
            snapshot_every=snapshot_every,
        )
        self._executor = Executor(
            store=store,
            serializer=self._serializer,
            clock=self._clock,
            random=random or Random(),  # noqa: S311 - spreads retries, guards nothing
            new_id=new_id,
            observing=observing,
        )
        self._readers = ReaderGroup(
            check_parts(View, views),
            check_parts(Process, processes),
            catalog=catalog,
            serializer=self._serializer,
            codec=codec,
            store=store,
            clock=self._clock,
            new_id=new_id,
            max_parked=max_parked,
            # While the commands of some keys use every worker, the states of as many others are
            # stored. Both then form larger groups. One worker handles one key after the other.
            keys_at_once=2 * workers - 1,
            observing=observing,
        )
        self._source = (
            LogBus(
                store,
                self._clock,
                new_id=new_id,
                published=self._readers.published,
                observing=observing,
            )
            if bus is None
            else bus
        )
        self._relay: Relay | None = None
        self._run: Run | None = None
        self._subscribers: WeakSet[Subscriber] = WeakSet()  # weak: closed ones are dropped

    @classmethod
    def open(
        cls,
        *,
        bucket: str,
        aggregates: Iterable[Aggregate[Any, Any, Any]] = (),
        decisions: Iterable[Decision[Any, Any, Any]] = (),
        transactions: Iterable[Transaction[Any]] = (),
        views: Iterable[View[Any, Any]] = (),
        processes: Iterable[Process[Any, Any]] = (),
        store: str = "memory://",
        bus: str | None = None,
        codec: Codec | None = None,
        workers: int = 30,
        middleware: Sequence[Middleware] = (),
        cache_size: int = 10_000,
        snapshot_every: int | None = None,
        max_parked: int = 100,
        work: bool = True,
        shutdown_timeout_s: float = 25.0,
        observer: Observer | None = None,
    ) -> Self:
        """Compose an application from URLs.

        Installed distributions register the schemes as entry points in the groups
        ``eventhus.stores`` and ``eventhus.buses``: callables that take the URL and the bucket.

        Args:
            bucket: As for the class.
            aggregates: As for the class.
            decisions: As for the class.
            transactions: As for the class.
            views: As for the class.
            processes: As for the class.
            store: The URL of the store.
            bus: The URL of the bus; ``None`` as for the class.
            codec: ``None`` uses the codec of ``eventhus_cattrs``.
            workers: As for the class.
            middleware: As for the class.
            cache_size: As for the class.
            snapshot_every: As for the class.
            max_parked: As for the class.
            work: As for the class.
            shutdown_timeout_s: As for the class.
            observer: As for the class.

        Raises:
            CompositionError: As for the class, or the scheme of a URL is unknown, or the driver of
                its adapter is not installed.
        """
        return cls(
            bucket=bucket,
            aggregates=aggregates,
            decisions=decisions,
            transactions=transactions,
            views=views,
            processes=processes,
            store=adapter_for(store, STORES)(store, bucket),
            bus=None if bus is None else adapter_for(bus, BUSES)(bus, bucket),
            codec=load_adapter("cattrs", CODECS)() if codec is None else codec,
            workers=workers,
            middleware=middleware,
            cache_size=cache_size,
            snapshot_every=snapshot_every,
            max_parked=max_parked,
            work=work,
            shutdown_timeout_s=shutdown_timeout_s,
            observer=observer,
        )

    async def __aenter__(self) -> Self:
        await self._enter(work=self._work)
        return self

    @asynccontextmanager
    async def watching(self) -> AsyncGenerator[Self, None]:
        """Enter the application to look at it, even if it was composed to work.

        ``async with app.watching():`` is like entering an application with ``work=False``. It also
        registers no view or process, and reports no progress of readers to an observer. So code
        that is not deployed yet leaves nothing behind, and code whose views were changed or pruned
        is not refused. ``build``, ``reset``, ``retry`` and ``skip`` register the view or process
        that they are called for. The bus is connected when it is first needed, so everything else
        can be looked at while the bus is away.

        Raises:
            NotRunning: The application is already running.
        """
        async with AsyncExitStack() as stack:
            await self._enter(work=False, is_watching=True)
            stack.push_async_exit(self.__aexit__)
            yield self

    async def _enter(self, *, work: bool, is_watching: bool = False) -> None:
        if self._run is not None:
            raise NotRunning("the application is already running; enter it once")
        leaving = Shutdown(self.bucket, self._shutdown_timeout_s)
        async with AsyncExitStack() as stack:  # left in reverse order
            await leaving.enter(stack, lambda: "the store", self._store)
            messages = OnDemand(self._source)
            await leaving.enter(stack, self._unfinished_handlers, messages)
            if not is_watching:
                await messages.entered()
            stack.callback(self._stop_retrying)
            if self._bus is not None:
                self._relay = relay = self._new_relay(self._bus)
                if work:
                    relay.start()
                else:
                    relay.watch()
                leaving.add(stack, lambda: "the relay to stop", relay.stop)
                leaving.add(stack, lambda: f"the relay, which {relay.progress}", relay.drain)
            leaving.add(stack, self._unfinished_snapshots, self._router.drain)
            commands = CommandBus(self._router, self._executor, workers=self._workers)
            leaving.add(stack, lambda: counted(commands.accepted, "command"), commands.close)
            handle = self._wrapped(commands.handle)
            leaving.add(stack, lambda: ", ".join(self._readers.unfinished), self._readers.stop)
            await self._readers.start(handle, work=work, register=not is_watching)
            if self._observing is not None and not is_watching:
                monitor = ProgressMonitor(
                    self._followers,
                    store=self._store,
                    clock=self._clock,
                    observing=self._observing,
                )
                monitor.start()
                leaving.add(stack, lambda: "the progress monitor", monitor.stop)
            self._run = Run(handle, messages, stack.pop_all())
        runs = [*self._readers.labels] if work else []
        if self._bus is not None and work:
            runs.append(f"relay to {type(self._bus).__name__}")
        _logger.info(
            "bucket %s started: %s", self.bucket, ", ".join(runs) or "no views, processes or relay"
        )

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
                metadata=_NO_METADATA if metadata is None else metadata,
            )
        )

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

    def _new_relay(self, bus: EventBus) -> Relay:
        return Relay(
            self._store,
            bus,
            self._clock,
            owner=owner_name(self._new_id),
            published=self._readers.published,
            observing=self._observing,
        )

    def _wrapped(self, handle: Handler) -> Handler:
        """Return a handler of commands in the middleware and, outermost, the observer."""
        for middleware in reversed(self._middleware):
            handle = middleware(handle)
        if self._observing is None:
            return handle
        return observed_handler(handle, self._observing, self._catalog.routes)

    def _followers(self) -> list[LeasedReader]:
        """Return everything that follows the log for this application."""
        followers: list[LeasedReader] = [*self._readers.followers]
        if self._relay is not None:
            followers.append(self._relay)
        if isinstance(self._source, LogBus):
            followers += self._source.members
        return followers

    def _unfinished_snapshots(self) -> str:
        return ", ".join(
            f"{counted(saving, 'snapshot')} of {name}"
            for name, saving in self._router.saving.items()
        )
