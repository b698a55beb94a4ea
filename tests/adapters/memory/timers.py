"""Timers of the event loop that fire when the test says so."""

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
    """The timers that were set with ``call_later``, in order."""

    all: list[Timer] = field(factory=list[Timer])

    @classmethod
    def installed(cls, monkeypatch: pytest.MonkeyPatch) -> Self:
        """Replace ``call_later`` of the running event loop until the test ends."""
        timers = cls()
        monkeypatch.setattr(asyncio.get_running_loop(), "call_later", timers.call_later)
        return timers

    @property
    def pending(self) -> list[Timer]:
        """The timers that have neither fired nor been cancelled."""
        return [timer for timer in self.all if timer.pending]

    @property
    def delays_s(self) -> list[float]:
        """The delay of each timer, in seconds."""
        return [timer.delay_s for timer in self.all]

    def call_later(
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> Timer:
        """See ``asyncio.AbstractEventLoop.call_later``."""
        timer = Timer(delay, lambda: callback(*args))
        self.all.append(timer)
        return timer

    def fire(self) -> None:
        """Fire all pending timers."""
        for timer in self.pending:
            timer.cancel()
            timer.callback()
