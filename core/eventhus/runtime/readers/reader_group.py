"""Starts, stops and looks up the views and processes of one application."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias, TypeVar

from attrs import frozen

from eventhus.domain.catalog import Catalog
from eventhus.domain.process import Process
from eventhus.domain.reader_options import LAST_VERSION
from eventhus.domain.recorded import is_text
from eventhus.domain.view import View
from eventhus.errors import CompositionError, InvalidArgument
from eventhus.ids import owner_name
from eventhus.namesakes import namesake
from eventhus.ports.clock import Clock
from eventhus.ports.codec import Codec
from eventhus.ports.registrations import Registration
from eventhus.ports.store import Storage
from eventhus.runtime.commands.envelope import Handler
from eventhus.runtime.observing import Observing
from eventhus.runtime.readers.building import OnBuildProgress, build
from eventhus.runtime.readers.documents import Documents
from eventhus.runtime.readers.finding import Plan, ViewPage
from eventhus.runtime.readers.keyed_fold import FoldContext, KeyedFold
from eventhus.runtime.readers.leased_reader import LeasedReader, acquire_alone
from eventhus.runtime.readers.process_runner import ProcessRunner
from eventhus.runtime.readers.projector import Projector
from eventhus.runtime.readers.refold import Skip
from eventhus.runtime.readers.registering import Registrar, collection_of, label_of
from eventhus.runtime.serializer import EventSerializer

V = TypeVar("V")

Followed: TypeAlias = View[Any, Any] | Process[Any, Any]
F = TypeVar("F", View[Any, Any], Process[Any, Any])


@frozen(kw_only=True)
class ParkedKey:
    """A key of a view or a process that waits for somebody to mend it.

    Attributes:
        key: The key.
        position: The position of the event that could not be handled.
        error: The name of the class of the error.
        at: When the key was parked or last retried: timezone-aware, UTC.
    """

    key: str
    position: int
    error: str
    at: datetime


@frozen(order=True)
class ViewVersion:
    """A version of a view.

    Attributes:
        name: The name of the view.
        version: The version.
    """

    name: str
    version: int


_KIND = {View: "view", Process: "process"}
_PLURAL = {"view": "views", "process": "processes"}


class ReaderGroup:
    """The views and processes of one application.

    Raises:
        CompositionError: Two views or two processes share a name, one uses an event that no
            aggregate declares, or the codec cannot handle its type.
    """

    def __init__(
        self,
        views: Iterable[View[Any, Any]],
        processes: Iterable[Process[Any, Any]],
        *,
        catalog: Catalog,
        serializer: EventSerializer,
        codec: Codec,
        store: Storage,
        clock: Clock,
        new_id: Callable[[], str],
        max_parked: int,
        keys_at_once: int,
        observing: Observing | None = None,
    ) -> None:
        self._catalog = catalog
        self._serializer = serializer
        self._store = store
        self._clock = clock
        self._new_id = new_id
        self._max_parked = max_parked
        self._keys_at_once = keys_at_once
        self._observing = observing
        self._views = {
            each: Documents[Any](
                collection_of("view", each.name, each.version),
                label_of("view", each.name, each.version),
                store,
                codec,
                each.view_type,
                each.indexing,
            )
            for each in self._checked("view", views)
        }
        self._processes = {
            each: Documents[Any](
                collection_of("process", each.name, each.version),
                label_of("process", each.name, each.version),
                store,
                codec,
                each.state_type,
            )
            for each in self._checked("process", processes)
        }
        self._documents = dict[Followed, Documents[Any]](
            [*self._views.items(), *self._processes.items()]
        )
        self._registrar = Registrar(store, catalog)
        self._folds: dict[Followed, KeyedFold[Any]] = {}  # of this run
        self._is_registered = False
        self._builders: set[Projector[Any]] = set()

    async def start(self, handle: Handler, *, work: bool, register: bool = True) -> None:
        """Register every view and process, then start to follow the log.

        Args:
            handle: Carries out the commands of processes.
            work: False looks at the progress of other processes and follows nothing.
            register: False registers a view or process only before something is done to it.

        Raises:
            ViewChanged: A version of a view was built from something else.
            VersionRetired: A version of a view is not in the store, and a later one is.
            IncompatibleBucket: The registration of a view or process is damaged. Those of others
                may be.
            InvalidArgument: A view or process starts after the end of the log.
        """
        folds: dict[Followed, KeyedFold[Any]] = {
            **{view: Projector(view, self._context(view, of)) for view, of in self._views.items()},
            **{
                process: ProcessRunner(
                    process,
                    self._context(process, of),
                    handle,
                    self._new_id,
                    keys_at_once=self._keys_at_once,
                )
                for process, of in self._processes.items()
            },
        }
        if register:
            for fold in folds.values():
                await fold.register()
        for fold in folds.values():
            if work:
                fold.start()
            else:
                fold.watch()
        self._folds = folds
        self._is_registered = register

    @property
    def documents(self) -> Mapping[Followed, Documents[Any]]:
        """The documents of each view and process."""
        return self._documents

    def fold_of(self, reader: Followed) -> KeyedFold[Any]:
        """Return the reader that folds the log for a view or process in this run.

        Raises:
            InvalidArgument: It is not part of the application.
        """
        fold = self._folds.get(reader)
        if fold is None:
            raise self._foreign(reader)
        return fold

    @property
    def followers(self) -> Sequence[LeasedReader]:
        """The readers of the views and processes."""
        return [*self._folds.values()]

    @property
    def labels(self) -> list[str]:
        """The labels of the views and processes, such as ``view orders``."""
        return [fold.label for fold in self._folds.values()]

    @property
    def declared(self) -> list[tuple[str, str, int]]:
        """The kind, name and version of each view and process."""
        return [
            *(("view", each.name, each.version) for each in self._views),
            *(("process", each.name, each.version) for each in self._processes),
        ]

    @property
    def stream_types(self) -> list[str]:
        """The aggregate types of the streams of processes."""
        return [process.stream_type for process in self._processes]

    @property
    def published(self) -> list[str]:
        """The aggregate types of the streams of processes that are published."""
        return [process.stream_type for process in self._processes if process.publish]

    @property
    def unfinished(self) -> list[str]:
        """The labels of the views and processes that have not stopped."""
        folds = [*self._folds.values(), *self._builders]
        return [fold.label for fold in folds if not fold.is_stopped]

    async def stop(self) -> None:
        """Stop following the log, and wait until that is done."""
        folds = [*self._folds.values(), *self._builders]
        await asyncio.gather(*(fold.stop() for fold in folds))

    async def view(self, view: View[Any, V], key: str) -> V | None:
        """Return a view's value, as ``Application.view`` does."""
        documents: Documents[V] = self._documents_of(view)
        _check_key(key)
        return await documents.get(key)

    async def page(self, view: View[Any, V], plan: Plan, after: str | None) -> ViewPage[V]:
        """Return a page of a view, as ``Application.find`` does."""
        documents: Documents[V] = self._documents_of(view)
        return await documents.page(plan, after)

    async def parked(self, reader: Followed, after: str | None, limit: int) -> Sequence[ParkedKey]:
        """Return the next parked keys, as ``Application.parked`` does."""
        documents = self._documents_of(reader)
        if after is not None:
            _check_key(after)
        return [
            ParkedKey(key=each.key, position=parked.position, error=parked.error, at=parked.at)
            for each in await documents.parked(after=after, limit=limit)
            if (parked := each.parked) is not None
        ]

    async def retry(self, reader: Followed, key: str, skip: Skip | None = None) -> None:
        """Fold a parked key again, as ``Application.retry`` and ``Application.skip`` do."""
        _check_key(key)
        fold = await self._registered(reader)
        await fold.retry(key, skip)

    async def reset(self, view: View[Any, Any]) -> None:
        """Rebuild a view, as ``Application.reset`` does."""
        fold = await self._registered(view)
        await fold.reset()

    async def build(self, view: View[Any, Any], on_progress: OnBuildProgress) -> None:
        """Build a view, as ``Application.build`` does."""
        projector = Projector(view, self._context(view, self._documents_of(view)))
        await projector.register()
        self._builders.add(projector)
        try:
            await build(projector, await self._store.head(), on_progress)
        finally:
            self._builders.discard(projector)

    async def prune(self, names: Collection[str]) -> Sequence[ViewVersion]:
        """Delete versions of views, as ``Application.prune`` does."""
        declared = {view.name: view.version for view in self._views}
        for name in names:
            if name in declared:
                raise InvalidArgument(
                    f"view {name} is part of this application; name only views that are not"
                )
        lowest = {**declared, **dict.fromkeys(names, LAST_VERSION + 1)}
        return [
            await self._prune(each)
            for each in await self._store.registrations()
            if isinstance(each, Registration)
            and each.collection == collection_of("view", each.name, each.version)
            and each.version < lowest.get(each.name, 0)
        ]

    async def _prune(self, registration: Registration) -> ViewVersion:
        name, owner = registration.collection, f"{owner_name(self._new_id)} prunes"
        label = label_of("view", registration.name, registration.version)
        lease = await acquire_alone(self._store, self._clock, name, owner, label=label)
        try:
            # Its token shuts out a leader that was paused.
            await self._store.save_checkpoint(name, 0, token=lease.token)
            await self._store.drop_collection(name)
        finally:
            await self._store.release(lease)
        return ViewVersion(registration.name, registration.version)

    async def caught_up(self, reader: Followed, position: int) -> None:
        """Wait for a position, as ``Application.caught_up`` does."""
        await self.fold_of(reader).caught_up(position)

    def _documents_of(self, reader: Followed) -> Documents[Any]:
        documents = self._documents.get(reader)
        if documents is None:
            raise self._foreign(reader)
        return documents

    def _foreign(self, reader: Followed) -> InvalidArgument:
        for other in self._documents:
            if type(other) is type(reader) and other.name == reader.name:
                label = label_of(_KIND[type(other)], reader.name, reader.version)
                return InvalidArgument(
                    f"{label} is not the object that this application is composed of, which is "
                    f"version {other.version}; pass that one"
                )
        return InvalidArgument(
            f"{reader.name} is not a view or process of this application; add it to the application"
        )

    async def _registered(self, reader: Followed) -> KeyedFold[Any]:
        fold = self.fold_of(reader)
        if not self._is_registered:
            await fold.register()
        return fold

    def _checked(self, kind: str, given: Iterable[F]) -> Iterator[F]:
        names: set[str] = set()
        known = self._catalog.followed
        for each in given:
            if each.name in names:
                raise CompositionError(f"two {_PLURAL[kind]} are named {each.name!r}; rename one")
            names.add(each.name)
            for cls in each.events:
                if cls not in known:
                    advice = namesake(cls, known) or "add the aggregate that declares it"
                    raise CompositionError(
                        f"{kind} {each.name} uses {cls.__qualname__}, which is not an event of "
                        f"this application; {advice}"
                    )
            yield each

    def _context(self, reader: Followed, documents: Documents[Any]) -> FoldContext[Any]:
        return FoldContext(
            documents=documents,
            names=self._catalog.names_of(reader.events),
            catalog=self._catalog,
            serializer=self._serializer,
            store=self._store,
            clock=self._clock,
            owner=owner_name(self._new_id),
            max_parked=self._max_parked,
            registrar=self._registrar,
            observing=self._observing,
        )


def _check_key(key: object) -> None:
    if not is_text(key):
        raise InvalidArgument("a key must be a str of whole Unicode characters")
