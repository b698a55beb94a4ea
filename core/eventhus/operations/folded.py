"""Views and processes by name: those that this application declares, and those in the store."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from attrs import frozen

from eventhus.composition import unknown
from eventhus.domain.process import Process
from eventhus.domain.view import View
from eventhus.errors import InvalidArgument
from eventhus.operations.app_parts import AppParts
from eventhus.ports.registrations import DamagedRegistration, Registration
from eventhus.printable import printable
from eventhus.runtime.readers.registering import collection_of, label_of, reader_in

FoldedKind: TypeAlias = Literal["view", "process"]
"""The kind of a reader that folds the log into one document for each key."""

KINDS: tuple[FoldedKind, ...] = ("view", "process")


@frozen(kw_only=True)
class Folded:
    """One version of a view or a process.

    Attributes:
        kind: Its kind.
        name: Its name.
        version: Its version.
        reader: The view or process; ``None`` if this application does not declare this version.
        registration: Its registration; ``None`` if the store has none that can be read.
        damage: The reason why its registration cannot be read; ``None`` if it can.
    """

    kind: FoldedKind
    name: str
    version: int
    reader: View[Any, Any] | Process[Any, Any] | None
    registration: Registration | None = None
    damage: str | None = None

    @property
    def collection(self) -> str:
        """The name of its collection and checkpoint."""
        return collection_of(self.kind, self.name, self.version)

    @property
    def label(self) -> str:
        """Its name in messages."""
        return label_of(self.kind, self.name, self.version)


async def all_folded(parts: AppParts) -> Sequence[Folded]:
    """Return every version of every view and process: declared ones first, then those in the store.

    Raises:
        EventhusError, OSError: The store did not answer.
    """
    stored = await parts.store.registrations()
    registrations = {each.collection: each for each in stored if isinstance(each, Registration)}
    damaged = {
        each.collection: printable(each.error.problem)
        for each in stored
        if isinstance(each, DamagedRegistration)
    }
    found: dict[str, Folded] = {}
    for kind, readers in _declared(parts).items():
        for reader in readers:
            collection = collection_of(kind, reader.name, reader.version)
            found[collection] = Folded(
                kind=kind,
                name=reader.name,
                version=reader.version,
                reader=reader,
                registration=registrations.get(collection),
                damage=damaged.get(collection),
            )
    for collection in sorted({*registrations, *damaged} - found.keys()):
        for kind in KINDS:
            named = reader_in(collection)
            if named is not None and named[0] == kind:
                found[collection] = Folded(
                    kind=kind,
                    name=named[1],
                    version=named[2],
                    reader=None,
                    registration=registrations.get(collection),
                    damage=damaged.get(collection),
                )
    return [*found.values()]


async def folded_of(
    parts: AppParts, kind: FoldedKind, name: str, version: int | None = None
) -> Folded:
    """Return a view or a process: the given version, else the declared one, else the newest.

    Raises:
        InvalidArgument: There is none of this kind, name and version.
    """
    _check_kind(kind)
    known = [each for each in await all_folded(parts) if each.kind == kind]
    named = [each for each in known if each.name == name]
    if not named:
        raise unknown(kind, name, {each.name for each in known})
    if version is not None:
        for each in named:
            if each.version == version:
                return each
        raise unknown(f"version of {kind} {name}", version, {each.version for each in named})
    return max(named, key=lambda each: (each.reader is not None, each.version))


def declared_of(parts: AppParts, kind: FoldedKind, name: str) -> View[Any, Any] | Process[Any, Any]:
    """Return a declared view or process.

    Raises:
        InvalidArgument: This application declares none of this kind and name.
    """
    _check_kind(kind)
    declared = {each.name: each for each in _declared(parts)[kind]}
    if name not in declared:
        raise unknown(f"{kind} of this application", name, declared)
    return declared[name]


def declared_view(parts: AppParts, name: str) -> View[Any, Any]:
    """Return a declared view.

    Raises:
        InvalidArgument: As for ``declared_of``.
    """
    view = declared_of(parts, "view", name)
    assert isinstance(view, View)
    return view


def _check_kind(kind: str) -> None:
    if kind not in KINDS:
        raise InvalidArgument(f"kind must be 'view' or 'process', found {kind!r}")


def _declared(
    parts: AppParts,
) -> Mapping[FoldedKind, Collection[View[Any, Any] | Process[Any, Any]]]:
    return {"view": [*parts.views], "process": [*parts.processes]}
