"""Projects the log into a view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from eventhus.domain.recorded import Recorded
from eventhus.domain.view import View
from eventhus.ports.leases import Lease
from eventhus.ports.observer import Projecting
from eventhus.runtime.readers.documents import FoldedValue
from eventhus.runtime.readers.keyed_fold import FoldContext, KeyedFold

V = TypeVar("V")


class Projector(KeyedFold[V]):
    """Folds every event of a view into it, each with the effect of exactly once."""

    # Events that are read at once: a value that several of them change is saved once. With 2,000
    # keys, a view is built at 0.46 of the speed of a bare loop with 2,000, 0.61 with 3,000 and 0.7
    # with 5,000, and its memory grows by 4, 7 and 16 MB.
    _batch = 3000

    def __init__(self, view: View[Any, V], context: FoldContext[V]) -> None:
        super().__init__(view, context)
        self._view = view

    async def _fold_page(self, events: Sequence[tuple[str, Recorded[Any]]], lease: Lease) -> None:
        if self._observing is None or not events:
            await super()._fold_page(events, lease)
            return
        # An event with several keys is there once for each.
        metadata = {recorded.position: recorded.metadata for _, recorded in events}
        operation = Projecting(
            application=self._observing.application,
            reader=self.label,
            metadata=[*metadata.values()],
        )
        with self._observing.begin(operation):
            await super()._fold_page(events, lease)

    def _evolve(self, folded: FoldedValue[V], recorded: Recorded[Any]) -> tuple[V | None, bool]:
        value = self._view.next(folded.key, folded.value, recorded)
        return value, value is not None
