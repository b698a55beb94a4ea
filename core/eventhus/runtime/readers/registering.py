"""Registers views and processes in the store, and refuses a version that was built otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from attrs import evolve, frozen

from eventhus.adapter_support.arguments import check_collection
from eventhus.domain.catalog import Catalog
from eventhus.domain.process import Process
from eventhus.domain.shape import shape_of
from eventhus.domain.start import Start
from eventhus.domain.view import View
from eventhus.errors import InvalidArgument, VersionRetired, ViewChanged
from eventhus.ports.checkpoints import Checkpoint
from eventhus.ports.registrations import DamagedRegistration, Registration
from eventhus.ports.store import EventStore, Storage

EVENTS: Final = "events"
VALUES: Final = "values"
INDEXES: Final = "indexed fields"


def collection_of(kind: str, name: str, version: int = 1) -> str:
    """Return the name of the collection and checkpoint of a version.

    No name of a view or process holds a dot, so no two versions share a collection.
    """
    return f"{kind}_{name}" if version == 1 else f"{kind}_{name}.v{version}"


def reader_in(collection: str) -> tuple[str, str, int] | None:
    """Return the kind, name and version of a collection; ``None`` if it has another form."""
    try:
        check_collection(collection)
    except InvalidArgument:
        return None
    kind, _, rest = collection.partition("_")
    name, _, version = rest.partition(".v")
    return kind, name, int(version or 1)


def registered(
    stored: Iterable[Registration | DamagedRegistration], kind: str, name: str
) -> Mapping[int, Registration]:
    """Return the registrations of a view or process by version.

    Raises:
        IncompatibleBucket: One of them is damaged.
    """
    found: dict[int, Registration] = {}
    for each in stored:
        if isinstance(each, DamagedRegistration):
            reader = reader_in(each.collection)
            if reader is not None and reader[:2] == (kind, name):
                raise each.error
        elif each.collection == collection_of(kind, name, each.version):
            found[each.version] = each
    return found


def lease_of(kind: str, name: str, version: int) -> str:
    """Return the name of the lease of a version. All versions of a process share one."""
    return collection_of(kind, name, 1 if kind == "process" else version)


def label_of(kind: str, name: str, version: int = 1) -> str:
    """Return the name of a version in messages."""
    return f"{kind} {name}" if version == 1 else f"{kind} {name} v{version}"


async def place_after(store: EventStore, start: Start) -> Checkpoint:
    """Return the place after which a reader of the log begins.

    It has no id of an event if the log ends before it.
    """
    if start == "now":
        page = await store.read_backwards(limit=1)
        last = [Checkpoint(each.position, each.id) for each in page.events]
        return last[0] if last else Checkpoint()
    position = 0 if start == "beginning" else start
    if position == 0:
        return Checkpoint()
    page = await store.read(after=position - 1, limit=1)
    return Checkpoint(position, page.event_id if page.events else "")


@frozen
class Registrar:
    """Registers the readers of one application.

    Attributes:
        store: Holds the registrations and the log.
        catalog: Knows the stored names of events.
    """

    store: Storage
    catalog: Catalog

    async def register_process(self, process: Process[Any, Any]) -> Registration:
        """Return the registration of a process's version, which is stored now if there is none.

        A later version begins where the first one did, and folds the events handled since, too.

        Raises:
            IncompatibleBucket: The registration of one of its versions is damaged.
            InvalidArgument: The process starts after the end of the log.
        """
        versions = await self._versions("process", process.name)
        if process.version in versions:
            return versions[process.version]
        collection = collection_of("process", process.name, process.version)
        if versions:
            first = versions[min(versions)]
            return await self.store.register(
                evolve(first, collection=collection, version=process.version)
            )
        return await self._register(collection, process.name, process.version, process.start, {})

    async def register_view(self, view: View[Any, Any]) -> Registration:
        """Return the registration of a view's version, which is stored now if there is none.

        Raises:
            ViewChanged: The version was built from something else.
            VersionRetired: The version is not in the store, and a later one is.
            IncompatibleBucket: The registration of one of its versions is damaged.
            InvalidArgument: The view starts after the end of the log.
        """
        versions = await self._versions("view", view.name)
        registered = versions.get(view.version)
        newest = max(versions, default=view.version)
        if registered is None:
            if newest > view.version:
                raise VersionRetired(view.name, view.version, newest)
            registered = await self._register(
                collection_of("view", view.name, view.version),
                view.name,
                view.version,
                view.start,
                self._made_from(view),
            )
        self._check_unchanged(view, registered.made_from, newest)
        return registered

    async def check_registered(self, view: View[Any, Any]) -> None:
        """Check that nobody has pruned a version since it was registered.

        Raises:
            VersionRetired: Somebody has.
        """
        versions = await self._versions("view", view.name)
        if view.version not in versions:
            raise VersionRetired(view.name, view.version, max(versions, default=view.version))

    async def _versions(self, kind: str, name: str) -> Mapping[int, Registration]:
        return registered(await self.store.registrations(), kind, name)

    async def _register(
        self,
        collection: str,
        name: str,
        version: int,
        start: Start,
        made_from: Mapping[str, Sequence[str]],
    ) -> Registration:
        return await self.store.register(
            Registration(
                collection=collection,
                name=name,
                version=version,
                start=await self._place(collection, start),
                made_from=made_from,
            )
        )

    async def _place(self, collection: str, start: Start) -> Checkpoint:
        place = await place_after(self.store, start)
        if place.position and not place.event_id:
            raise InvalidArgument(
                f"{collection} starts after position {place.position}, and the log ends at "
                f"{await self.store.head()}; pass start='now'"
            )
        return place

    def _made_from(self, view: View[Any, Any]) -> Mapping[str, Sequence[str]]:
        names = sorted(self.catalog.of_class(cls).name for cls in view.events)
        fields = [f"{name}: {each.kind}" for name, each in view.indexing.fields.items()]
        return {EVENTS: names, VALUES: shape_of(view.view_type), INDEXES: sorted(fields)}

    def _check_unchanged(
        self, view: View[Any, Any], found: Mapping[str, Sequence[str]], newest: int
    ) -> None:
        declared = self._made_from(view)
        for topic, now in declared.items():
            was = found.get(topic, ())
            if topic == EVENTS and self._are_of(was, view.events):
                continue  # an event was renamed, and its former name is known
            if sorted(was) != sorted(now):
                same = {*was} & {*now} if topic == VALUES else {*()}
                raise ViewChanged(
                    view.name,
                    view.version,
                    topic,
                    _listed(each for each in was if each not in same),
                    _listed(each for each in now if each not in same),
                    newest,
                )

    def _are_of(self, names: Iterable[str], classes: Iterable[type]) -> bool:
        return all(map(self.catalog.knows, names)) and (
            {self.catalog.of_name(name).cls for name in names} == {*classes}
        )


def _listed(lines: Iterable[str]) -> str:
    return "; ".join(lines) or "none"
