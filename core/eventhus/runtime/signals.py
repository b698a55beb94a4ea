"""Waiting for SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import signal
import threading

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


async def wait_for_shutdown() -> None:
    """Return at SIGTERM or SIGINT. In other threads than the main one, wait for ever.

    Several callers may wait in one event loop. The last one to finish restores the previous
    signal handlers.
    """
    signalled = asyncio.Event()
    if threading.current_thread() is not threading.main_thread():
        await signalled.wait()
    loop = asyncio.get_running_loop()
    found = signal.getsignal(signal.SIGTERM)
    handler = found if isinstance(found, _Handler) and found.loop is loop else _Handler(loop)
    handler.waiting.append(signalled)
    try:
        await signalled.wait()
    finally:
        handler.waiting.remove(signalled)
        if not handler.waiting:
            handler.remove()


class _Handler:
    """Wakes everyone who waits.

    It is the loop's handler, which wakes a busy loop, and also Python's, where the next caller
    finds it.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.waiting: list[asyncio.Event] = []
        self._before = {each: signal.getsignal(each) for each in _SIGNALS}
        for each in _SIGNALS:
            loop.add_signal_handler(each, self)
            signal.signal(each, self)

    def __call__(self, *_: object) -> None:
        for signalled in self.waiting:
            self.loop.call_soon_threadsafe(signalled.set)

    def remove(self) -> None:
        """Restore the previous signal handlers."""
        for each in _SIGNALS:
            self.loop.remove_signal_handler(each)
            signal.signal(each, self._before[each])  # which asyncio.run relies on for SIGINT
