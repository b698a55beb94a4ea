"""The worker: keeps the views up to date and runs the process. ``python -m examples.shop.worker``.

Start as many as you like; for each view and process, one of them works and the others stand by.
"""

import asyncio
import logging

from examples.shop.composition import compose

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    asyncio.run(compose().run())
