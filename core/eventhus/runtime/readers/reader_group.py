"""The views and processes of one application, and what keeps them going while it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias, TypeVar

from eventhus.adapter_support.tasks import stop
from eventhus.domain.catalog import Catalog
from eventhus.domain.process import Process
from eventhus.domain.recorded import is_text
from eventhus.domain.view import View
from eventhus.errors import CompositionError, InvalidArgument
from eventhus.ports.clock import Clock
from eventhus.ports.codec import Codec
from eventhus.ports.store import Storage
from eventhus.runtime.commands.envelope import Handler
from eventhus.runtime.readers.documents import Documents
from eventhus.runtime.readers.keyed_fold import FoldContext, KeyedFold
from eventhus.runtime.readers.process_runner import ProcessRunner
from eventhus.runtime.readers.projector import Projector
from eventhus.runtime.serializer import EventSerializer

V = TypeVar("V")

Followed: TypeAlias = View[Any, Any] | Process[Any, Any]
F = TypeVar("F", View[Any, Any], Process[Any, Any])


class ReaderGroup:
    """What an application asks of its views and processes.

    Raises:
        CompositionError: Two views or two processes have one name, one is made of an event that no
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
    ) -> None:
        self._catalog = catalog
        self._serializer = serializer
        self._store = store
        self._clock = clock
        self._new_id = new_id
        self._views = {
            each: Documents[Any](f"view_{each.name}", store, codec, each.view_type)
            for each in self._checked("view", views)
        }
        self._processes = {
            each: Documents[Any](f"process_{each.name}", store, codec, each.state_type)
            for each in self._checked("process", processes)
        }
        self._folders: dict[Followed, KeyedFold[Any]] = {}  # of this run
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, handle: Handler) -> None:
        """Begin to follow the log. ``handle`` carries out the commands of processes."""
        self._folders = {
            **{view: Projector(view, self._setting(view, of)) for view, of in self._views.items()},
            **{
                process: ProcessRunner(process, self._setting(process, of), handle)
                for process, of in self._processes.items()
            },
        }
        self._tasks = [
            asyncio.create_task(folder.run(), name=f"eventhus {folder.label}")
            for folder in self._folders.values()
        ]

    async def stop(self) -> None:
        """Return once nothing follows any more. What was not done is done next time."""
        await asyncio.gather(*map(stop, self._tasks))

    async def view(self, view: View[Any, V], key: str) -> V | None:
        """See ``Application.view``."""
        documents: Documents[V] | None = self._views.get(view)
        if documents is None:
            raise _foreign(view)
        if not is_text(key):
            raise InvalidArgument("a key must be a str of whole Unicode characters")
        return await documents.get(key)

    async def caught_up(self, reader: Followed, position: int) -> None:
        """See ``Application.caught_up``."""
        folder = self._folders.get(reader)
        if folder is None:
            raise _foreign(reader)
        await folder.caught_up(position)

    def _checked(self, kind: str, given: Iterable[F]) -> Iterator[F]:
        names: set[str] = set()
        known = {event.cls for event in self._catalog.types()}
        for each in given:
            if each.name in names:
                raise CompositionError(f"{kind} {each.name!r} is there twice; rename one")
            names.add(each.name)
            if unknown := [cls.__qualname__ for cls in each.events if cls not in known]:
                raise CompositionError(
                    f"{kind} {each.name} is made of {', '.join(unknown)}, which is no event of "
                    f"this application; compose it with the aggregate that declares it"
                )
            yield each

    def _setting(self, reader: Followed, documents: Documents[Any]) -> FoldContext[Any]:
        return FoldContext(
            documents=documents,
            names=self._catalog.names_of(reader.events),
            serializer=self._serializer,
            store=self._store,
            clock=self._clock,
            owner=self._new_id(),
        )


def _foreign(reader: Followed) -> InvalidArgument:
    return InvalidArgument(
        f"{reader.name} is not a view or a process of this application; compose it with it"
    )
