"""A conformance suite on a server of MongoDB."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import ClassVar

from eventhus_mongo import MongoStore
from tests.adapters.mongo.support import async_client


class OnMongo:
    """A bucket is a database. To drop one takes as long as a case, and to drop all at once too."""

    url: ClassVar[str]
    buckets: ClassVar[set[str]]

    @classmethod
    def on(cls, url: str) -> Iterator[None]:
        """Run the cases on a server, and leave nothing there."""
        cls.url, cls.buckets = url, set()
        yield
        asyncio.run(cls._drop())

    @classmethod
    async def _drop(cls) -> None:
        async with async_client(cls.url) as client:
            await asyncio.gather(*map(client.drop_database, cls.buckets))

    def opened(self, bucket: str) -> MongoStore:
        """Return a store on connections of its own."""
        self.buckets.add(bucket)
        return MongoStore.open(self.url, bucket)
