"""The views and processes of one application, and what keeps them going while it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias, TypeVar

from eventhus.domain.catalog import Catalog
from eventhus.domain.process import Process
from eventhus.domain.recorded import is_text
from eventhus.domain.view import View
from eventhus.errors import CompositionError, InvalidArgument
from eventhus.ports.clock import Clock
from eventhus.ports.codec import Codec
from eventhus.ports.store import Storage
from eventhus.runtime.documents import Documents
from eventhus.runtime.envelope import Handler
from eventhus.runtime.folder import Folder, Setting
from eventhus.runtime.projector import Projector
from eventhus.runtime.reactor import Reactor
from eventhus.runtime.serializer import EventSerializer

V = TypeVar("V")

Followed: TypeAlias = View[Any, Any] | Process[Any, Any]


class Readers:
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
        self._documents: dict[Followed, Documents[Any]] = {}
        for view in views:
            self._add("view", view, Documents(f"view_{view.name}", store, codec, view.view_type))
        for process in processes:
            self._add(
                "process",
                process,
                Documents(f"process_{process.name}", store, codec, process.state_type),
            )
        self._folders: dict[Followed, Folder[Any]] = {}  # of this run
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, handle: Handler) -> None:
        """Begin to follow the log. ``handle`` carries out the commands of processes."""
        self._folders = {each: self._folder(each, handle) for each in self._documents}
        self._tasks = [
            asyncio.create_task(folder.run(), name=f"eventhus {folder.label}")
            for folder in self._folders.values()
        ]

    async def stop(self) -> None:
        """Return once nothing follows any more. What was not done is done next time."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def view(self, view: View[Any, V], key: str) -> V | None:
        """See ``Application.view``."""
        documents: Documents[V] = self._documents[self._known(view)]
        if not is_text(key):
            raise InvalidArgument("a key must be a str of whole Unicode characters")
        return await documents.get(key)

    async def caught_up(self, reader: Followed, position: int) -> None:
        """See ``Application.caught_up``."""
        await self._folders[self._known(reader)].caught_up(position)

    def _known(self, reader: Followed) -> Followed:
        if reader not in self._documents:
            raise InvalidArgument(
                f"{reader.name} is not a view or a process of this application; compose it with it"
            )
        return reader

    def _add(self, kind: str, reader: Followed, documents: Documents[Any]) -> None:
        if any(documents.collection == each.collection for each in self._documents.values()):
            raise CompositionError(f"{kind} {reader.name!r} is there twice; rename one")
        known = {event.cls for event in self._catalog.types()}
        if unknown := [cls.__qualname__ for cls in reader.events if cls not in known]:
            raise CompositionError(
                f"{kind} {reader.name} is made of {', '.join(unknown)}, which is no event of this "
                f"application; compose it with the aggregate that declares it"
            )
        self._documents[reader] = documents

    def _folder(self, reader: Followed, handle: Handler) -> Folder[Any]:
        setting = Setting(
            documents=self._documents[reader],
            names=self._catalog.names_of(reader.events),
            serializer=self._serializer,
            store=self._store,
            clock=self._clock,
            owner=self._new_id(),
        )
        if isinstance(reader, View):
            return Projector(reader, setting)
        return Reactor(reader, setting, handle)
