"""Time for tests: timers of the event loop that go off when the test says so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context
from typing import Any, Self

import pytest
from attrs import define, field


@define
class Timer:
    """Stands in for ``asyncio.TimerHandle``."""

    delay_s: float
    callback: Callable[[], object]
    pending: bool = True

    def cancel(self) -> None:
        self.pending = False


@define
class Timers:
    """Every timer that was set with ``call_later``, in that order."""

    all: list[Timer] = field(factory=list[Timer])

    @classmethod
    def installed(cls, monkeypatch: pytest.MonkeyPatch) -> Self:
        """Take the place of the running event loop's own until the test ends."""
        timers = cls()
        monkeypatch.setattr(asyncio.get_running_loop(), "call_later", timers.call_later)
        return timers

    @property
    def pending(self) -> list[Timer]:
        """Those that have neither gone off nor been cancelled."""
        return [timer for timer in self.all if timer.pending]

    @property
    def delays_s(self) -> list[float]:
        """How long each was to wait."""
        return [timer.delay_s for timer in self.all]

    def call_later(
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> Timer:
        """As an event loop's."""
        timer = Timer(delay, lambda: callback(*args))
        self.all.append(timer)
        return timer

    def go_off(self) -> None:
        """Let the time pass that all pending timers wait for."""
        for timer in self.pending:
            timer.cancel()
            timer.callback()
