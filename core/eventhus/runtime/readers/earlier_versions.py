"""The events that earlier versions of a process have handled, which the next must not repeat."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from attrs import frozen

from eventhus.domain.deadlines import Armed
from eventhus.ports.store import Storage
from eventhus.ports.views import ViewDocument


@frozen
class Past:
    """The work of earlier versions for one key.

    Attributes:
        handled: The position of the last event that they have handled.
        deadlines: The deadlines that they have left armed.
    """

    handled: int = 0
    deadlines: Armed = ()


class EarlierVersions:
    """The earlier versions of a process, none of which runs any more.

    Their checkpoints are not enough. After a crash, the documents of some keys may be further than
    the checkpoint, and those of parked keys have stopped before it. A version that was itself
    replaced while it caught up is behind the one before it.

    Args:
        checkpoints: The position of each one's checkpoint, by the collection of its documents, the
            latest version first.
        until: The position after which none has handled an event.
        store: Holds the documents.
    """

    def __init__(self, checkpoints: Mapping[str, int], until: int, store: Storage) -> None:
        self.until = until
        self._checkpoints = checkpoints
        self._store = store
        self._pasts: dict[str, Past] = {}  # of the keys of the batch

    async def look_up(self, keys: Collection[str]) -> None:
        """Load the documents of some keys, for ``past``."""
        self._pasts = dict.fromkeys(keys, Past())
        for collection, position in self._checkpoints.items():
            found = await self._store.load_documents(collection, keys)
            for key in keys:
                past = _past(found.get(key), position)
                if past.handled > self._pasts[key].handled:
                    self._pasts[key] = past

    def past(self, key: str) -> Past:
        """Return their work for a key that was looked up."""
        return self._pasts[key]


def _past(document: ViewDocument | None, position: int) -> Past:
    if document is None:
        return Past(position)
    if document.parked is not None:
        return Past(document.parked.handled, tuple(document.deadlines))
    return Past(max(position, document.position), tuple(document.deadlines))
