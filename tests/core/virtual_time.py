"""Time that passes at once: it jumps to the next timer when nothing else is ready."""

import asyncio
import selectors
from typing import Any


def let_time_pass_at_once(loop: asyncio.AbstractEventLoop) -> None:
    """Make a loop skip every wait for a timer. No real time counts from then on.

    The code in it may wait for timers and its own tasks only. A slow machine then passes no time
    limit too early.
    """
    own: Any = loop
    selector: selectors.BaseSelector = own._selector  # noqa: SLF001 - there is no public one
    select, passed_s = selector.select, loop.time()

    def select_at_once(timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        nonlocal passed_s
        ready = select(0)
        if timeout is not None and not ready:
            passed_s += max(timeout, 0.0)
        return ready

    own._selector.select = select_at_once  # noqa: SLF001
    own.time = lambda: passed_s
