"""Subscribing without JetStream: who is there when a message comes gets it, once or not at all."""

from __future__ import annotations

import asyncio
import logging

from attrs import evolve
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from eventhus.adapter_support import StreamQueues
from eventhus.ports import Message, MessageHandler
from eventhus_nats.connection import Connection
from eventhus_nats.messages import message_of
from eventhus_nats.subscription import DOUBLINGS, RETRY_CAP_S, RETRY_S

MAX_IN_HAND = 1024  # messages; more wait in the driver, which in the end drops some and says so

_logger = logging.getLogger(__name__)


class PlainSubscription:
    """See ``Subscription``. Messages of one aggregate may go to different members of a group."""

    def __init__(self, connection: Connection, handler: MessageHandler, concurrency: int) -> None:
        self._connection = connection
        self._handler = handler
        self._closing = False
        self._turns = StreamQueues()
        self._room = asyncio.Semaphore(MAX_IN_HAND)
        self._busy: set[asyncio.Task[None]] = set()
        self._subscription: Subscription | None = None
        self._workers = {asyncio.create_task(self._work()) for _ in range(concurrency)}

    async def open(self, subjects: str, group: str | None) -> None:
        """Begin to take messages."""
        client = self._connection.client
        self._subscription = await client.subscribe(subjects, queue=group or "", cb=self._take)
        await self._connection.flush()

    @property
    def is_over(self) -> bool:
        """Whether nothing is left of it."""
        return all(worker.done() for worker in self._workers)

    def abandon(self) -> None:
        """Be over soon, whatever is being done."""
        self._closing = True
        for worker in self._workers:
            worker.cancel()

    async def close(self) -> None:
        """See ``Subscription.close``. A handler that closes its own is not waited for."""
        self._closing = True
        if self._subscription is not None and not self._connection.client.is_closed:
            subscription, self._subscription = self._subscription, None
            await subscription.unsubscribe()
        for worker in self._workers - self._busy:
            worker.cancel()
        if others := self._workers - {asyncio.current_task()}:
            await asyncio.wait(others)

    async def _take(self, msg: Msg) -> None:
        await self._room.acquire()
        self._turns.add(message_of(msg))

    async def _work(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        while not self._closing:
            message = await self._turns.take()
            self._busy.add(task)
            try:
                await self._handler(message)
            except (GeneratorExit, KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:
                if isinstance(error, asyncio.CancelledError) and task.cancelling():
                    raise
                self._failed(message, error)  # handlers fail as they like
            else:
                self._turns.done(message)
                self._room.release()
            finally:
                self._busy.discard(task)
            await asyncio.sleep(0)  # a handler that never waits would keep all others waiting

    def _failed(self, message: Message, error: BaseException) -> None:
        delay = min(RETRY_CAP_S, RETRY_S * 2 ** min(message.attempt - 1, DOUBLINGS))
        _logger.warning(
            "the handler failed on %s; again in %.2f s", message.id, delay, exc_info=error
        )
        again = evolve(message, attempt=message.attempt + 1)
        asyncio.get_running_loop().call_later(delay, self._turns.give_back, again)
