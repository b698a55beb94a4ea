"""Keeps a view up to date with the log."""

from __future__ import annotations

from typing import Any, TypeVar

from eventhus.domain.recorded import Recorded
from eventhus.domain.view import View
from eventhus.runtime.readers.documents import FoldedValue
from eventhus.runtime.readers.keyed_fold import FoldContext, KeyedFold

V = TypeVar("V")


class Projector(KeyedFold[V]):
    """Shows a view every event that it is made of, with the effect of once each."""

    def __init__(self, view: View[Any, V], setting: FoldContext[V]) -> None:
        super().__init__(view, f"view {view.name}", setting)
        self._view = view

    async def _fold(self, kept: FoldedValue[V], recorded: Recorded[Any]) -> bool:
        with self._at(recorded):
            kept.value = self._view.next(kept.value, recorded)
        kept.exists = kept.value is not None
        kept.last = recorded
        return False
