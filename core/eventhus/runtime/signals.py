"""How a process is told to end."""

from __future__ import annotations

import asyncio
import signal
import threading

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


async def wait_for_shutdown() -> None:
    """Return at SIGTERM or SIGINT, which only the main thread can wait for.

    All who wait in one loop are told, and the last to go puts back what was there before.
    """
    told = asyncio.Event()
    if threading.current_thread() is not threading.main_thread():
        await told.wait()
    loop = asyncio.get_running_loop()
    found = signal.getsignal(signal.SIGTERM)
    handler = found if isinstance(found, _Handler) and found.loop is loop else _Handler(loop)
    handler.waiting.append(told)
    try:
        await told.wait()
    finally:
        handler.waiting.remove(told)
        if not handler.waiting:
            handler.remove()


class _Handler:
    """Tells all who wait.

    It is the loop's handler, which wakes the loop whatever it is doing, and Python's as well, where
    the next who waits finds it.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.waiting: list[asyncio.Event] = []
        self._before = {each: signal.getsignal(each) for each in _SIGNALS}
        for each in _SIGNALS:
            loop.add_signal_handler(each, self)
            signal.signal(each, self)

    def __call__(self, *_: object) -> None:
        for told in self.waiting:
            self.loop.call_soon_threadsafe(told.set)

    def remove(self) -> None:
        """Put back what was there before."""
        for each in _SIGNALS:
            self.loop.remove_signal_handler(each)
            signal.signal(each, self._before[each])  # which asyncio.run relies on for SIGINT
