"""Bad arguments and servers: one typed error that says what to do and quotes no secret."""

import asyncio
import logging
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from nats.js.api import AckPolicy, ConsumerConfig

from eventhus import Application, EventhusError
from eventhus.errors import (
    AccessDenied,
    BusUnavailable,
    CompositionError,
    IncompatibleBucket,
    NotRunning,
)
from eventhus_nats import NatsBus
from eventhus_nats import connection as connection_module
from eventhus_testing.conformance.bus.cases import Inbox, message, messages, publish
from eventhus_testing.servers import nats_server
from tests.adapters.nats.support import plain, until, with_streams
from tests.adapters.nats.test_wire import account

SECRET = "s3cr3t"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:4222",
        "nats://",
        f"nats://:{SECRET}@",
        f"http://user:{SECRET}@localhost",
        f"nats://user:{SECRET}@localhost:port",
        f"nats://user:{SECRET}@localhost:99999",
        f"nats://user:{SECRET}@localhost:4222,",
        f"nats://user:{SECRET}@localhost:4222,http://b",
        f"nats://user:{SECRET}@localhost/path",
        f"nats://user:{SECRET}@localhost?tls=true",
        f"nats://user:{SECRET}@[::1",
    ],
)
def test_a_malformed_url_is_refused_without_quoting_it(url: str) -> None:
    with pytest.raises(CompositionError, match="nats://user:password@host:4222") as caught:
        NatsBus.open(url, "bank")
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "nats://localhost",
        f"nats://{SECRET}@localhost:4222",
        f"nats://user:{SECRET}@a:4222,b:4223",
        f"tls://user:{SECRET}@a,tls://b",
        "nats://[::1]:4222/",
    ],
)
def test_no_credentials_appear_in_a_repr(url: str) -> None:
    bus = NatsBus.open(url, "bank", token=SECRET, credentials=f"/{SECRET}")
    assert "NatsBus(bucket='bank')" == repr(bus)
    assert SECRET not in repr(vars(bus))


@pytest.mark.parametrize(
    "subject",
    ["", ".", "a..b", "a b", "{type", "{other}", "{type!r}", "{type:>9}", "a.*", ">", "x{type}"],
)
def test_a_malformed_subject_template_is_refused(subject: str) -> None:
    with pytest.raises(CompositionError, match="is not made of words"):
        NatsBus.open("nats://localhost", "bank", subject=subject)


@pytest.mark.parametrize("subject", ["{aggregate_type}.{aggregate_id}", "dead.{type}", "dead.x"])
def test_a_subject_that_could_be_that_of_a_dead_letter_is_refused(subject: str) -> None:
    with pytest.raises(CompositionError, match=r"put a word first, as events\."):
        NatsBus.open("nats://localhost", "bank", subject=subject)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"retention": "workqueue"}, "retention must be 'limits' or 'interest'"),
        ({"replicas": 0}, "replicas must be 1 to 5, not 0"),
        ({"replicas": 6}, "replicas must be 1 to 5, not 6"),
        ({"max_age": timedelta(0)}, "max_age must be at least"),
        ({"duplicate_window": timedelta(milliseconds=1)}, "duplicate_window must be at least"),
        (
            {"duplicate_window": timedelta(days=2), "max_age": timedelta(days=1)},
            "is longer than max_age",
        ),
        ({"jetstream": False, "replicas": 1}, "leave them out with jetstream=False"),
    ],
)
def test_an_argument_out_of_its_range_is_named(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(CompositionError, match=problem):
        NatsBus.open("nats://localhost", "bank", **options)


async def test_a_missing_server_is_reported_within_seconds(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert connection_module.CONNECT_S <= 5
    monkeypatch.setattr(connection_module, "CONNECT_S", 0.5)
    began = time.monotonic()
    with pytest.raises(BusUnavailable, match="'bank' is not available") as caught:
        await NatsBus.open(f"nats://user:{SECRET}@127.0.0.1:1", "bank").__aenter__()
    assert time.monotonic() - began < 15
    assert SECRET not in f"{caught.value}{caplog.text}"


@pytest.mark.parametrize("url", ["user:wrong@", "", "token@"])
async def test_wrong_credentials_are_reported_at_once(
    nats_executable: Path, caplog: pytest.LogCaptureFixture, url: str
) -> None:
    users = f'authorization: {{ user: "user", password: "{SECRET}" }}'
    with nats_server(configuration=users) as server:
        bus = NatsBus.open(server.url.replace("//", f"//{url}"), "bank")
        with pytest.raises(AccessDenied, match="NATS refused the credentials"):
            await bus.__aenter__()
    assert "wrong" not in caplog.text


async def test_a_server_without_jetstream_is_reported(nats_executable: Path) -> None:
    with nats_server(jetstream=False) as server:
        with pytest.raises(BusUnavailable, match="JetStream"):
            await NatsBus.open(server.url, "bank").__aenter__()
        async with NatsBus.open(server.url, "bank", jetstream=False) as bus:
            await publish(bus, [message()])


async def test_a_missing_permission_is_named(
    nats_executable: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server only logs it: the request gets no answer."""
    monkeypatch.setattr(connection_module, "REQUEST_S", 1.0)
    caplog.set_level(logging.WARNING, logger="eventhus_nats")
    users = """authorization: { users: [
        { user: "u", password: "p", permissions: { publish: "bank.>", subscribe: ">" } } ] }"""
    with nats_server(configuration=users) as server:
        bus = NatsBus.open(server.url.replace("//", "//u:p@"), "bank")
        with pytest.raises(AccessDenied, match=r"(?i)\$JS\.API\.STREAM\.INFO\.bank"):
            await bus.__aenter__()


async def test_a_message_that_is_too_large_is_named_and_keeps_the_connection(
    nats_executable: Path,
) -> None:
    with nats_server(configuration="max_payload: 4096") as server:
        async with NatsBus.open(server.url, "bank") as bus:
            inbox = Inbox()
            await bus.subscribe(inbox)
            publisher = await bus.publisher()
            given = [message("a", 1), message("a", 2, body=b"x" * 4000), message("a", 3)]
            with pytest.raises(BusUnavailable, match=r"a-2 of Account/a takes 4,\d\d\d bytes"):
                await publisher.publish(given)
            await publish(bus, [message("a", 4)])  # the third would come before it
            await until(lambda: len(inbox.messages) >= 2)
    assert ["a-1", "a-4"] == inbox.ids


async def test_every_operation_outside_of_async_with_is_refused(
    nats_url: str, nats_bucket: str
) -> None:
    bus = NatsBus.open(nats_url, nats_bucket)

    async def refuses() -> None:
        for work in (
            bus.publisher(),
            bus.subscribe(Inbox()),
            bus.bury(message(), "g"),
            anext(bus.dead_letters("g")),
        ):
            with pytest.raises(NotRunning, match="before async with entered it"):
                await work

    await refuses()
    async with bus:
        with pytest.raises(NotRunning, match="entered already"):
            await bus.__aenter__()
        await publish(bus, messages("a", 2))
    await refuses()


@pytest.mark.parametrize(
    "options",
    [
        {"ack_policy": AckPolicy.NONE},
        {"ack_policy": AckPolicy.ALL},
        {"deliver_subject": "x"},
        {"max_deliver": 5},
    ],
)
async def test_a_consumer_with_other_settings_is_refused(
    nats_url: str, nats_bucket: str, options: dict[str, Any]
) -> None:
    config = ConsumerConfig(**{"durable_name": "g", "ack_policy": AckPolicy.EXPLICIT, **options})
    async with with_streams(nats_url, nats_bucket) as bus, plain(nats_url) as (_, jetstream):
        await jetstream.add_consumer(nats_bucket, config)
        with pytest.raises(IncompatibleBucket, match="name the group differently"):
            await bus.subscribe(Inbox(), group="g")


async def test_both_url_schemes_open_this_bus(
    nats_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "CONNECT_S", 0.5)
    for scheme in ("nats", "tls"):
        Application.open(bucket="bank", aggregates=[account], bus=f"{scheme}://localhost:4222")
    app = Application.open(bucket="bank", aggregates=[account], bus="nats://127.0.0.1:1")
    with pytest.raises(EventhusError):
        async with asyncio.timeout(30), app:
            pass
    with pytest.raises(NotRunning):
        await app.relay_lag()
