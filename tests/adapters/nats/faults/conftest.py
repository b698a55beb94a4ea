"""How a run is repeated, and how long it is."""

from collections.abc import Iterator
from typing import Any

import pytest
from pymongo import MongoClient

from tests.adapters.mongo.faults.conftest import dropped_sockets, soak

__all__ = ["bucket", "dropped_sockets", "soak"]


@pytest.fixture
def bucket(mongo_client: MongoClient[dict[str, Any]], nats_bucket: str) -> Iterator[str]:
    """A bucket that no one has used on either server; dropped from both after the test."""
    yield nats_bucket
    mongo_client.drop_database(nats_bucket)
