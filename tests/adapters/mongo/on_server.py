"""A conformance suite on a server of MongoDB."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import ClassVar

import pytest

from eventhus_mongo import MongoStore
from eventhus_testing.servers import MongoServer
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


class OnReplicaSet(OnMongo):
    """Where a change stream wakes the followers."""

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _server(cls, mongo_url: str) -> Iterator[None]:
        yield from cls.on(mongo_url)


class OnStandalone(OnMongo):
    """Where followers poll, no write is retried, and the server's time is unknown."""

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _server(cls, mongo_standalone: MongoServer) -> Iterator[None]:
        yield from cls.on(mongo_standalone.url)
