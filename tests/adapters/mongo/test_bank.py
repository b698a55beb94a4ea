"""The bank example on MongoDB, which takes no more than its URL."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest
from pymongo.database import Database

from eventhus import Application, Recorded
from eventhus_cattrs import CattrsCodec
from eventhus_mongo import MongoStore
from eventhus_testing.servers import MongoReplicaSet
from examples.bank.account import (
    Account,
    CreateAccount,
    DepositPerformed,
    InsufficientFunds,
    PerformDeposit,
    PerformWithdrawal,
    account,
)
from tests.adapters.mongo.support import Commands, async_client, until


async def followed(app: Application, to: int) -> list[Recorded[Any]]:
    """The log from its start, up to a position."""
    events: list[Recorded[Any]] = []
    async with aclosing(app.follow()) as live:
        async for recorded in live:
            events.append(recorded)
            if recorded.position == to:
                return events
    raise AssertionError


async def test_the_bank(
    replica_set: MongoReplicaSet,
    bucket: str,
    plain: Database[dict[str, Any]],
    commands: Commands,
) -> None:
    """The adapter is found by its scheme, and the domain is the same as in memory."""
    async with Application.open(
        bucket=bucket, aggregates=[account], store=replica_set.url, snapshot_every=2
    ) as app:
        following = asyncio.create_task(followed(app, to=5))
        await app.dispatch(CreateAccount(aggregate_id="a1", owner="ann"))
        for amount in (100, 200, 300):
            await app.dispatch(PerformDeposit(aggregate_id="a1", amount=amount))
        await app.dispatch(PerformWithdrawal(aggregate_id="a1", amount=50))
        with pytest.raises(InsufficientFunds):
            await app.dispatch(PerformWithdrawal(aggregate_id="a1", amount=551))
        assert await following == await app.history(account, "a1")
        assert DepositPerformed(200) == (await following)[2].event
        await until(lambda: plain.snapshots.find_one({"version": {"$gte": 4}}))

    # Another process goes on from the snapshot. This one is composed by hand.
    async with async_client(replica_set.url, commands) as client:
        app = Application(
            bucket=bucket,
            aggregates=[account],
            store=MongoStore(client, bucket),
            codec=CattrsCodec(),
            snapshot_every=2,
        )
        async with app:
            commands.forget()
            assert Account(owner="ann", balance=550) == await app.state(account, "a1")
            # The first one finds the snapshot, the next its last event and those after it.
            *_, tail = commands.named("find")
            assert 3 <= tail["filter"]["parts"]["$elemMatch"]["version"]["$gt"]
            await app.dispatch(PerformDeposit(aggregate_id="a1", amount=100))
            assert Account(owner="ann", balance=650) == await app.state(account, "a1")
