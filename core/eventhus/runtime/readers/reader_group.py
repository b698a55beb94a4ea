"""Starts, stops and looks up the views and processes of one application."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, TypeAlias, TypeVar

from attrs import frozen

from eventhus.domain.catalog import Catalog
from eventhus.domain.names import versioned
from eventhus.domain.process import Process
from eventhus.domain.recorded import is_text
from eventhus.domain.view import View
from eventhus.errors import CompositionError, InvalidArgument
from eventhus.namesakes import namesake
from eventhus.ports.clock import Clock
from eventhus.ports.codec import Codec
from eventhus.ports.store import Storage
from eventhus.runtime.commands.envelope import Handler
from eventhus.runtime.readers.documents import Documents
from eventhus.runtime.readers.keyed_fold import FoldContext, KeyedFold
from eventhus.runtime.readers.process_runner import ProcessRunner
from eventhus.runtime.readers.projector import Projector
from eventhus.runtime.readers.refold import Skip
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
    ) -> None:
        self._catalog = catalog
        self._serializer = serializer
        self._store = store
        self._clock = clock
        self._new_id = new_id
        self._max_parked = max_parked
        self._views = {
            each: Documents[Any](
                f"view_{each.name}", f"view {each.name}", store, codec, each.view_type
            )
            for each in self._checked("view", views)
        }
        self._processes = {
            each: Documents[Any](
                f"process_{versioned(each.name, each.version)}",
                _label_of(each),
                store,
                codec,
                each.state_type,
            )
            for each in self._checked("process", processes)
        }
        self._folds: dict[Followed, KeyedFold[Any]] = {}  # of this run

    def start(self, handle: Handler) -> None:
        """Start to follow the log. ``handle`` carries out the commands of processes."""
        self._folds = {
            **{view: Projector(view, self._context(view, of)) for view, of in self._views.items()},
            **{
                process: ProcessRunner(process, self._context(process, of), handle, self._new_id)
                for process, of in self._processes.items()
            },
        }
        for fold in self._folds.values():
            fold.start()

    @property
    def labels(self) -> list[str]:
        """The labels of the views and processes, such as ``view orders``."""
        return [fold.label for fold in self._folds.values()]

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
        return [fold.label for fold in self._folds.values() if not fold.is_stopped]

    async def stop(self) -> None:
        """Stop following the log, and wait until that is done."""
        await asyncio.gather(*(fold.stop() for fold in self._folds.values()))

    async def view(self, view: View[Any, V], key: str) -> V | None:
        """Return a view's value, as ``Application.view`` does."""
        documents: Documents[V] | None = self._views.get(view)
        if documents is None:
            raise _foreign(view)
        _check_key(key)
        return await documents.get(key)

    async def parked(self, reader: Followed, after: str | None, limit: int) -> Sequence[ParkedKey]:
        """Return the next parked keys, as ``Application.parked`` does."""
        if isinstance(reader, View):
            documents = self._views.get(reader)
        else:
            documents = self._processes.get(reader)
        if documents is None:
            raise _foreign(reader)
        if after is not None:
            _check_key(after)
        return [
            ParkedKey(key=each.key, position=parked.position, error=parked.error, at=parked.at)
            for each in await documents.parked(after=after, limit=limit)
            if (parked := each.parked) is not None
        ]

    async def retry(self, reader: Followed, key: str, skip: Skip | None = None) -> None:
        """Fold a parked key again, as ``Application.retry`` and ``Application.skip`` do."""
        fold = self._fold_of(reader)
        _check_key(key)
        await fold.retry(key, skip)

    async def reset(self, view: View[Any, Any]) -> None:
        """Rebuild a view, as ``Application.reset`` does."""
        fold = self._folds.get(view)
        if not isinstance(fold, Projector):
            raise _foreign(view)
        await fold.rewind()

    async def caught_up(self, reader: Followed, position: int) -> None:
        """Wait for a position, as ``Application.caught_up`` does."""
        await self._fold_of(reader).caught_up(position)

    def _fold_of(self, reader: Followed) -> KeyedFold[Any]:
        fold = self._folds.get(reader)
        if fold is None:
            raise _foreign(reader)
        return fold

    def _checked(self, kind: str, given: Iterable[F]) -> Iterator[F]:
        names: set[str] = set()
        stored: dict[str, str] = {}
        known = self._catalog.followed
        for each in given:
            if each.name in names:
                raise CompositionError(f"two {_PLURAL[kind]} are named {each.name!r}; rename one")
            names.add(each.name)
            place = versioned(each.name, each.version) if isinstance(each, Process) else each.name
            if place in stored:
                raise CompositionError(
                    f"{_PLURAL[kind]} {stored[place]} and {each.name} would both be stored as "
                    f"{place!r}; rename one"
                )
            stored[place] = each.name
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
            owner=self._new_id(),
            max_parked=self._max_parked,
        )


def _label_of(process: Process[Any, Any]) -> str:
    version = f" version {process.version}" if process.version > 1 else ""
    return f"process {process.name}{version}"


def _check_key(key: object) -> None:
    if not is_text(key):
        raise InvalidArgument("a key must be a str of whole Unicode characters")


def _foreign(reader: Followed) -> InvalidArgument:
    return InvalidArgument(
        f"{reader.name} is not a view or process of this application; add it to the application"
    )
