"""Projects the log into a view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from eventhus.domain.recorded import Metadata, Recorded
from eventhus.domain.view import View
from eventhus.ports.leases import Lease
from eventhus.ports.observer import Projecting
from eventhus.ports.store import StoredEvent
from eventhus.runtime.readers.documents import FoldedValue
from eventhus.runtime.readers.keyed_fold import FoldContext, KeyedFold

V = TypeVar("V")


class Projector(KeyedFold[V]):
    """Folds every event of a view into it, each with the effect of exactly once."""

    _batch = 5000  # a value that several of them change is saved once

    def __init__(self, view: View[Any, V], context: FoldContext[V]) -> None:
        super().__init__(view, context)
        self._view = view

    async def _fold_page(self, batch: Sequence[StoredEvent], lease: Lease) -> None:
        metadata: list[Metadata] = []
        if self._observing is not None:
            metadata = [stored.metadata for stored in batch if self._events.has(stored)]
        if self._observing is None or not metadata:
            await super()._fold_page(batch, lease)
            return
        operation = Projecting(
            application=self._observing.application, reader=self.label, metadata=metadata
        )
        with self._observing.begin(operation):
            await super()._fold_page(batch, lease)

    def _evolve(self, folded: FoldedValue[V], recorded: Recorded[Any]) -> tuple[V | None, bool]:
        value = self._view.next(folded.key, folded.value, recorded)
        return value, value is not None
