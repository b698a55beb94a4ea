"""URLs, buckets and names of any form are refused with one typed error, or they work."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from eventhus import Aggregate, Application, EventhusError, Process, View
from eventhus_cattrs import CattrsCodec
from eventhus_memory import MemoryBus, MemoryStore
from eventhus_mongo import MongoStore
from eventhus_nats import NatsBus
from tests.bank import Account, account, decide, evolve
from tests.fuzz.hostile import CANARY, Hostile
from tests.fuzz.inputs import attempt, for_each

_HOSTS = ["127.0.0.1", "127.0.0.1:1", "[::1]", "[::", "a:99999", "", "\ud800", "a,b", "x" * 300]
_NAMES = ["bank", "bank_dead", "KV_a", "_INBOX", "admin", "a" * 63, "a" * 64]
_SCHEMES = ["mongodb", "nats", "tls", "memory", "MEMORY", "http", "", "nats+tls"]


def name(hostile: Hostile) -> str:
    """Return a name that may be sound, or nearly."""
    sound = hostile.random.choice(_NAMES)
    return hostile.random.choice([sound, sound + hostile.text(), hostile.text()])


def url(hostile: Hostile) -> str:
    """Return a URL with a secret in it."""
    choose, secret = hostile.random.choice, CANARY + hostile.text()
    credentials = choose(["", f"user:{secret}@", f"{secret}@", f":{secret}@", f"a:b:{secret}@"])
    rest = choose(["", "/", f"/?a={secret}", f"/{secret}", "?maxPoolSize=1", f"#{secret}", ",b"])
    return f"{choose(_SCHEMES)}{choose(['://', ':', ''])}{credentials}{choose(_HOSTS)}{rest}"


def opened(given: str, bucket: str) -> Application:
    return Application.open(bucket=bucket, aggregates=[account], store=given, bus=given)


OPENERS: list[Callable[[str, str], object]] = [
    MongoStore.open,
    NatsBus.open,
    MemoryStore.open,
    MemoryBus.open,
    opened,
]


@pytest.mark.filterwarnings("ignore:Unknown option:UserWarning")  # the driver does not refuse it
def test_urls_and_buckets() -> None:
    def check(hostile: Hostile) -> None:
        answer = attempt(lambda: hostile.random.choice(OPENERS)(url(hostile), name(hostile)))
        if not isinstance(answer, EventhusError):
            assert CANARY not in repr(answer)

    for_each("urls", 0.08, check)


def test_names_of_parts() -> None:
    makers: list[Callable[[str], object]] = [
        lambda given: Aggregate(name=given, initial=Account(), decide=decide, evolve=evolve),
        lambda given: View(
            name=given, initial=0, key=lambda _: None, evolve=lambda n, _: n, events=[Account]
        ),
        lambda given: Process(
            name=given,
            initial=0,
            key=lambda _: None,
            evolve=lambda n, _: n,
            react=lambda _, __: [],
            events=[Account],
        ),
        lambda given: Application(
            bucket=given, aggregates=[account], store=MemoryStore(), codec=CattrsCodec()
        ),
        lambda given: NatsBus.open("nats://127.0.0.1", "bank", subject=given),
    ]

    def check(hostile: Hostile) -> None:
        attempt(lambda: hostile.random.choice(makers)(name(hostile)))

    for_each("names", 0.07, check)


@pytest.mark.parametrize("bucket", ["*", ">", "bank_dead", "a.b", "", "a" * 64, "a b", "é"])
def test_a_bus_checks_its_bucket_by_itself(bucket: str) -> None:
    assert isinstance(attempt(lambda: NatsBus.open("nats://127.0.0.1", bucket)), EventhusError)
