"""A cache of recently used states."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

from attrs import frozen

from eventhus.domain.unchecked import unchecked

K = TypeVar("K", bound=Hashable)
S = TypeVar("S")


@frozen(kw_only=True, weakref_slot=False)
class CachedState(Generic[S]):
    """A state, and the place in the log that it belongs to.

    Attributes:
        state: The state.
        version: The version of the last event folded into it; 0 for the initial state.
        position: The position of that event; 0 for the initial state.
        event_id: The id of that event; empty for the initial state.
        snapshot_version: The version of the newest snapshot known of the stream, or 0.
    """

    state: S
    version: int
    position: int
    event_id: str
    snapshot_version: int = 0


unchecked_cached_state = unchecked(CachedState)


class StateCache(Generic[K, S]):
    """A least-recently-used cache of at most ``size`` states. Any of them may be out of date."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._states: dict[K, CachedState[S]] = {}  # least recently used first

    def get(self, key: K) -> CachedState[S] | None:
        """Return the cached state, or ``None``."""
        state = self._states.pop(key, None)
        if state is not None:
            self._states[key] = state
        return state

    def put(self, key: K, state: CachedState[S]) -> None:
        """Cache a state unless a newer one is cached; drop the least recently used one."""
        known = self._states.pop(key, None)
        newer = known if known is not None and known.position > state.position else state
        self._states[key] = newer
        if len(self._states) > self._size:
            del self._states[next(iter(self._states))]

    def drop(self, key: K) -> None:
        """Drop a state."""
        self._states.pop(key, None)
