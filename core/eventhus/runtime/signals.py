"""How a process is told to end."""

import asyncio
import signal
import threading


async def told_to_end() -> None:
    """Return at SIGTERM or SIGINT, which only the main thread can wait for."""
    told = asyncio.Event()
    if threading.current_thread() is not threading.main_thread():
        await told.wait()
    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)
    before = {each: signal.getsignal(each) for each in signals}
    for each in signals:
        loop.add_signal_handler(each, told.set)
    try:
        await told.wait()
    finally:
        for each in signals:
            loop.remove_signal_handler(each)
            signal.signal(each, before[each])  # which asyncio.run relies on for SIGINT
