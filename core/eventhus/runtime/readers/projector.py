"""Projects the log into a view."""

from __future__ import annotations

from typing import Any, TypeVar

from eventhus.domain.recorded import Recorded
from eventhus.domain.view import View
from eventhus.runtime.readers.documents import FoldedValue
from eventhus.runtime.readers.keyed_fold import FoldContext, KeyedFold

V = TypeVar("V")


class Projector(KeyedFold[V]):
    """Folds every event of a view into it, each with the effect of exactly once."""

    _batch = 5000  # a value that several of them change is saved once

    def __init__(self, view: View[Any, V], context: FoldContext[V]) -> None:
        super().__init__(view, context)
        self._view = view

    def _evolve(self, folded: FoldedValue[V], recorded: Recorded[Any]) -> tuple[V | None, bool]:
        value = self._view.next(folded.key, folded.value, recorded)
        return value, value is not None
