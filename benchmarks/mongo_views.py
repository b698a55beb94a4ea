"""The cases of views: building one from the log, and finding a page in a large one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from attrs import frozen
from pymongo import ASCENDING, ReplaceOne
from pymongo.asynchronous.collection import AsyncCollection

from benchmarks.harness import Sample, Stopwatch
from benchmarks.mongo_site import Document, Site, events_of, fill
from eventhus import Aggregate, Application, Command, Recorded, View, new_id
from eventhus_cattrs import CattrsCodec
from eventhus_mongo import MongoStore

BUILT, FOUND = "built", "found"  # buckets
BATCH = 1000  # events in one bulk write of the bare loop
LIMIT = 20  # values on a page
PAGES = 50  # that are found in one sample


@frozen(kw_only=True)
class Deposit(Command):
    """A command that is never sent."""


@frozen
class AccountOpened:
    """An account was opened."""

    owner: str


@frozen
class Deposited:
    """Money came in."""

    amount: int


@frozen
class Total:
    """The value of an account."""

    owner: str = ""
    amount: int = 0


def decide(command: Deposit, state: None) -> Iterator[AccountOpened | Deposited]:
    """Do nothing."""
    yield from ()


def ignore(state: None, event: AccountOpened | Deposited) -> None:
    """Keep no state."""


def folded(total: Total, event: AccountOpened | Deposited) -> Total:
    """Fold one event."""
    if isinstance(event, AccountOpened):
        return Total(event.owner, total.amount)
    return Total(total.owner, total.amount + event.amount)


def fold(total: Total, recorded: Recorded[AccountOpened | Deposited]) -> Total:
    """Fold one event in its envelope."""
    return folded(total, recorded.event)


def key(recorded: Recorded[AccountOpened | Deposited]) -> str:
    """Return the account."""
    return recorded.stream.aggregate_id


account = Aggregate(name="Account", initial=None, decide=decide, evolve=ignore)

totals = View(name="totals", initial=Total(), key=key, evolve=fold)
sorted_totals = View(
    name="totals", initial=Total(), key=key, evolve=fold, indexes=[("owner", "-amount")]
)


def _application(site: Site, bucket: str, view: View[Any, Any]) -> Application:
    return Application(
        bucket=bucket,
        aggregates=[account],
        views=[view],
        store=MongoStore(site.client, bucket),
        codec=CattrsCodec(),
        work=False,
    )


def prepare(site: Site, *, events: int, keys: int) -> None:
    """Fill the log to build from."""

    async def filled() -> None:
        async with MongoStore(site.client, BUILT):
            ids = [new_id() for _ in range(keys)]
            await fill(events_of(site.client, BUILT), ids, events // keys)

    site.runner.run(filled())


def build(site: Site, *, events: int) -> Sample:
    """Measure the building of a view, per event."""

    async def sample() -> float:
        async with _application(site, BUILT, totals) as app:
            await app.reset(totals)
            with Stopwatch() as stopwatch:
                await app.build(totals)
        return stopwatch.seconds / events

    return site.sample(sample)


def build_by_hand(site: Site, *, events: int) -> Sample:
    """Measure the bare loop: cursor, decoding, dict, and one bulk write for each batch."""
    codec = CattrsCodec()
    decoders = {cls.__name__: codec.decoder(cls) for cls in (AccountOpened, Deposited)}
    encode = codec.encoder(Total)

    async def sample() -> float:
        target = events_of(site.client, BUILT).database.get_collection("by_hand")
        await target.drop()
        values: dict[str, Total] = {}
        with Stopwatch() as stopwatch:
            changed: set[str] = set()
            seen = 0
            cursor = events_of(site.client, BUILT).find().sort("_id", ASCENDING)
            async for document in cursor:
                (part,) = document["parts"]
                for event in document["events"]:
                    decoded = decoders[event["type"]](event["data"])
                    values[part["id"]] = folded(values.get(part["id"], Total()), decoded)
                    changed.add(part["id"])
                    seen += 1
                    if seen % BATCH == 0:
                        await _write(target, {each: encode(values[each]) for each in changed})
                        changed.clear()
            if changed:
                await _write(target, {each: encode(values[each]) for each in changed})
        return stopwatch.seconds / events

    return site.sample(sample)


async def _write(target: AsyncCollection[Document], documents: dict[str, Any]) -> None:
    await target.bulk_write(
        [
            ReplaceOne({"_id": name}, {"_id": name, **data}, upsert=True)
            for name, data in documents.items()
        ],
        ordered=False,
    )


def prepare_found(site: Site, *, keys: int) -> None:
    """Build the view to find in."""

    async def filled() -> None:
        async with MongoStore(site.client, FOUND):
            await fill(events_of(site.client, FOUND), [new_id() for _ in range(keys)], 2, size=2)
        async with _application(site, FOUND, sorted_totals) as app:
            await app.build(sorted_totals)

    site.runner.run(filled())


def find(site: Site) -> Sample:
    """Measure ``Application.find``, per page."""

    async def sample() -> float:
        async with _application(site, FOUND, sorted_totals) as app:
            after: str | None = None
            with Stopwatch() as stopwatch:
                for _ in range(PAGES):
                    page = await app.find(
                        sorted_totals,
                        where={"owner": "Ada"},
                        order_by="-amount",
                        limit=LIMIT,
                        after=after,
                    )
                    after = page.cursor
        return stopwatch.seconds / PAGES

    return site.sample(sample)


def find_by_hand(site: Site, *, whole: bool = False) -> Sample:
    """Measure the same query by the driver, decoded, per page.

    Args:
        site: Where.
        whole: Whether to find all that a page of ``Application.find`` tells: how far it goes, which
            has to be asked first, and the number of parked keys.
    """
    decode = CattrsCodec().decoder(Total)

    async def sample() -> float:
        database = events_of(site.client, FOUND).database
        target = database.get_collection("view_totals")
        after: Document = {}
        with Stopwatch() as stopwatch:
            for _ in range(PAGES):
                if whole:
                    await database["checkpoints"].find_one({"_id": "view_totals"})
                    await target.count_documents(
                        {"_parked.position": {"$exists": True}}, hint="parked", limit=1000
                    )
                wanted = {"_by.owner": "Ada", **after}
                cursor = target.find(wanted, {"_by": False}, limit=LIMIT)
                order = [("_by.amount", -1), ("_id", -1)]
                documents = await cursor.sort(order).to_list()
                values = [
                    decode({name: each[name] for name in ("owner", "amount")}) for each in documents
                ]
                last = values[-1].amount
                after = {
                    "$or": [
                        {"_by.amount": {"$lt": last}},
                        {"_by.amount": last, "_id": {"$lt": documents[-1]["_id"]}},
                    ]
                }
        return stopwatch.seconds / PAGES

    return site.sample(sample)
