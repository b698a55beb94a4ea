"""Registrations: the versions of views and processes that a bucket holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from attrs import field, frozen

from eventhus.errors import IncompatibleBucket
from eventhus.ports.checkpoints import Checkpoint


def _made_from(given: Mapping[str, Sequence[str]]) -> Mapping[str, tuple[str, ...]]:
    return {name: tuple(lines) for name, lines in given.items()}


@frozen(kw_only=True)
class Registration:
    """One version of a view or a process, as the first application that ran it declared it.

    Attributes:
        collection: The name of its collection, checkpoint and lease.
        name: The name of the view or process.
        version: The version.
        start: The place in the log after which it begins.
        made_from: Describes how its documents are made, as lines of text by topic. Other code for
            the same version is compared with it.
    """

    collection: str
    name: str
    version: int = 1
    start: Checkpoint = field(factory=Checkpoint)
    made_from: Mapping[str, Sequence[str]] = field(factory=dict, converter=_made_from, hash=False)


@frozen(kw_only=True)
class DamagedRegistration:
    """A stored registration that cannot be read, because another program has changed it.

    Attributes:
        collection: The name of its collection.
        error: Names the reason and the remedy.
    """

    collection: str
    error: IncompatibleBucket = field(eq=False)


class RegistrationStore(Protocol):
    """Stores one registration for each collection of documents."""

    async def register(self, registration: Registration) -> Registration:
        """Store a registration, unless its collection has one, and return the stored one.

        Of several callers at once, one stores its own and all of them get that.

        Raises:
            InvalidArgument: The collection does not have the form that ``ViewStore`` takes, or a
                text or number is beyond its limit.
            IncompatibleBucket: The stored one is damaged.
        """
        ...

    async def registrations(self) -> Sequence[Registration | DamagedRegistration]:
        """Return every registration, in the order of the collections' names."""
        ...

    async def drop_collection(self, collection: str) -> None:
        """Delete the documents and indexes of a collection, and then its registration.

        Its checkpoint and its lease stay. Does nothing if there is none.

        Raises:
            InvalidArgument: The name of the collection does not have the form above.
        """
        ...
