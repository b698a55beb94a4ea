"""The diagnosis of a bus: its server, its account, its user and its streams."""

from __future__ import annotations

import ssl
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from nats.js import JetStreamContext
from nats.js.api import (
    AccountInfo,
    AckPolicy,
    ConsumerConfig,
    ConsumerInfo,
    DiscardPolicy,
    RetentionPolicy,
    StreamConfig,
    StreamInfo,
)

from eventhus.ports import Finding
from eventhus_nats import NatsBus
from eventhus_nats.address import Address
from eventhus_nats.diagnosis import server
from eventhus_nats.diagnosis.account import account_findings
from eventhus_nats.diagnosis.consumers import consumer_findings
from eventhus_nats.diagnosis.permissions import Needed, permission_findings
from eventhus_nats.diagnosis.streams import event_findings
from eventhus_testing.conformance.bus.cases import Inbox, message, publish
from eventhus_testing.servers import nats_server
from eventhus_testing.servers.nats import NatsServer
from tests.adapters.nats.support import plain, until_so, with_streams
from tests.adapters.nats.test_cluster import cluster, settled
from tests.certificates import certify

__all__ = ["cluster"]  # a fixture

LONGEST_S = 10  # of a diagnosis, whatever happens
ONE_COPY = ("warning", "one server holds the stream, and its loss loses it")


async def findings(url: str, bucket: str = "bank", **options: Any) -> Sequence[Finding]:
    """Diagnose a bus that nobody has entered."""
    started = time.monotonic()
    found = await NatsBus.open(url, bucket, **options).diagnose()
    assert time.monotonic() - started < LONGEST_S
    return found


def of(found: Sequence[Finding], name: str) -> list[tuple[str, str]]:
    """The findings of one check."""
    return [(each.status, each.detail) for each in found if each.name == f"nats.{name}"]


def one(found: Sequence[Finding], name: str) -> tuple[str, str]:
    """The only finding of one check, besides that there is one copy."""
    (only,) = [each for each in of(found, name) if each != ONE_COPY]
    return only


async def test_a_diagnosis_changes_nothing(nats_url: str, nats_bucket: str) -> None:
    found = await findings(nats_url, nats_bucket)
    assert [ONE_COPY] == of(found, "stream")
    assert (
        "ok",
        "the stream of dead letters is created with the first event or subscription",
    ) == one(found, "dead_letters")
    async with plain(nats_url) as (_, jetstream):
        assert nats_bucket not in [each.config.name for each in await jetstream.streams_info()]


async def test_a_bucket_in_use_is_fine(nats_url: str, nats_bucket: str) -> None:
    async with NatsBus.open(nats_url, nats_bucket) as bus:
        await bus.subscribe(Inbox(), group="g")
        await publish(bus, [message()])
        found = await bus.diagnose()
    assert [] == [each for each in found if each.status == "error"]
    assert [ONE_COPY] == of(found, "stream")
    assert [ONE_COPY] == of(found, "leases")
    assert ("ok", "groups that have subscribed: 1") == one(found, "consumers")
    assert ("ok", "the user may use every subject of the bus") == one(found, "permissions")


async def test_three_copies_are_fit_for_production(cluster: list[NatsServer]) -> None:
    """One that is away is counted."""
    url = ",".join(each.url for each in cluster)
    bus = await settled(NatsBus.open(url, "shop", replicas=3).__aenter__)
    try:
        await settled(bus.publisher)
        fine = {
            "stream": ("ok", "the stream shop keeps all events"),
            "dead_letters": ("ok", "the stream shop_dead keeps all dead letters"),
        }

        async def are_fine() -> bool:  # once the copies of the new streams are up to date
            found = await bus.diagnose()
            return all(of(found, check) == [expected] for check, expected in fine.items())

        await until_so(are_fine)
        cluster[2].kill()
        away = ("warning", "1 of 3 copies of the stream are away or not up to date")

        async def is_noticed() -> bool:
            return away in of(await bus.diagnose(), "stream")

        await until_so(is_noticed)
    finally:
        cluster[2].start()
        await bus.__aexit__(None, None, None)


# A server that is away, refuses or does not answer.


async def test_a_server_that_is_away_is_a_finding(nats_executable: Path) -> None:
    with nats_server() as server:
        url = server.url
    found = await findings(url)
    assert ["nats.connection", "nats.driver"] == [each.name for each in found]
    assert ("error", "the connection failed with ConnectionRefusedError") == one(
        found, "connection"
    )


async def test_a_server_that_hangs_is_a_finding(nats_executable: Path) -> None:
    with nats_server() as server:
        server.pause()
        found = await findings(server.url)
        server.resume()
    assert ("error", "the server did not answer in time") == one(found, "connection")


async def test_wrong_credentials_are_a_finding_without_them(nats_executable: Path) -> None:
    users = 'authorization: { user: "u", password: "p" }'
    with nats_server(configuration=users) as server:
        found = await findings(server.url.replace("//", "//ann:wr0ng@"))
    assert ("error", "NATS refused the credentials; check them and the account") == one(
        found, "connection"
    )
    assert not any(secret in repr(found) for secret in ("wr0ng", "ann", "127.0.0.1"))


async def test_a_credentials_file_that_is_gone_is_a_finding(
    nats_url: str, nats_bucket: str, tmp_path: Path
) -> None:
    found = await findings(nats_url, nats_bucket, credentials=tmp_path / "gone.creds")
    assert "error" == one(found, "connection")[0]


# JetStream and its limits.


async def test_a_server_without_jetstream_is_an_error(nats_executable: Path) -> None:
    """What needs JetStream is not checked in vain."""
    with nats_server(jetstream=False) as server:
        found = await findings(server.url)
    assert ("error", "JetStream is not enabled on the server, or not for this account") == one(
        found, "jetstream"
    )
    assert [] == of(found, "stream")


ACCOUNTS = """
jetstream: {{ store_dir: "{directory}" }}
accounts: {{
    A: {{ jetstream: {{ {limits} }}, users: [ {{ user: "u", password: "p" }} ] }}
    B: {{ users: [ {{ user: "b", password: "p" }} ] }}
}}
"""


async def limited(directory: Path, limits: str, *, user: str = "u") -> AsyncIterator[str]:
    """The URL of a server with these limits of an account."""
    configuration = ACCOUNTS.format(directory=directory, limits=limits)
    with nats_server(configuration=configuration, jetstream=False) as server:
        yield server.url.replace("//", f"//{user}:p@")


async def test_an_account_without_jetstream_is_an_error(
    nats_executable: Path, tmp_path: Path
) -> None:
    async for url in limited(tmp_path, "max_file: 1MB", user="b"):
        found = await findings(url)
        assert "error" == one(found, "jetstream")[0]
        assert "not enabled for account" in one(found, "jetstream")[1]
        assert [] == of(found, "consumers")


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        ("max_file: 10MB, max_streams: 1", "0 of 1 streams are used"),
        ("max_file: 10MB, max_bytes_required: true", "the account requires max_bytes"),
        ("max_mem: 10MB, max_file: 0", "0 of 0 bytes are used"),
    ],
)
async def test_an_account_without_room_for_the_bucket_is_an_error(
    nats_executable: Path, tmp_path: Path, limits: str, says: str
) -> None:
    async for url in limited(tmp_path, limits):
        status, detail = one(await findings(url), "jetstream")
        assert "error" == status
        assert says in detail


async def test_limits_that_suffice_are_fine(nats_executable: Path, tmp_path: Path) -> None:
    async for url in limited(tmp_path, "max_file: 10MB, max_streams: 3, max_consumers: 1"):
        assert "ok" == one(await findings(url), "jetstream")[0]
        async with NatsBus.open(url, "bank") as bus:
            await bus.subscribe(Inbox(), group="g")
            status, detail = one(await bus.diagnose(), "jetstream")
            assert "error" == status
            assert "1 of 1 consumers are used" in detail


async def test_storage_that_is_nearly_full_is_a_warning(
    nats_executable: Path, tmp_path: Path
) -> None:
    async for url in limited(tmp_path, "max_file: 100KB, max_streams: 3"):
        async with NatsBus.open(url, "bank") as bus:
            await publish(bus, [message(body=b"x" * 85_000)])
            status, detail = one(await bus.diagnose(), "jetstream")
            assert "warning" == status
            assert "of 102,400 bytes are used" in detail


# Permissions.

PERMITTED = '"bank.>", "$JS.API.>", "$JS.ACK.>", "$KV.bank_groups.>"'


def user_with(publish: str, subscribe: str = '"_INBOX.>"') -> str:
    return f"""authorization: {{ users: [ {{ user: "u", password: "p", permissions: {{
        publish: {publish}, subscribe: {subscribe} }} }} ] }}"""


async def as_user(permissions: str, **options: Any) -> Sequence[Finding]:
    """The findings of a user with these permissions."""
    with nats_server(configuration=permissions) as server:
        return await findings(server.url.replace("//", "//u:p@"), **options)


@pytest.mark.parametrize(
    ("publish", "missing"),
    [
        (f'[{PERMITTED}, "$SYS.REQ.USER.INFO"]', []),
        (
            f'{{ allow: [{PERMITTED}, "$SYS.REQ.USER.INFO"], deny: "$JS.API.STREAM.MSG.*.*" }}',
            [
                "publish to $JS.API.STREAM.MSG.GET.bank",
                "publish to $JS.API.STREAM.MSG.GET.bank_dead",
                "publish to $JS.API.STREAM.MSG.DELETE.bank_dead",
            ],
        ),
        (
            '["bank.account", "$JS.>", "$KV.>", "$SYS.REQ.USER.INFO"]',
            ["publish to bank.*", "publish to bank.dead.*"],
        ),
        ('{ deny: "$JS.ACK.>" }', ["publish to $JS.ACK.bank.>"]),
    ],
    ids=["documented", "denied", "too narrow", "denied alone"],
)
async def test_a_permission_that_is_missing_is_named(
    nats_executable: Path, publish: str, missing: Sequence[str]
) -> None:
    found = of(await as_user(user_with(publish)), "permissions")
    expected = [("error", f"the user may not {each}") for each in missing]
    assert (expected or [("ok", "the user may use every subject of the bus")]) == found


async def test_the_documented_permissions_have_no_errors(nats_executable: Path) -> None:
    """They do not include the question for permissions, whose denial is not logged."""
    found = await as_user(user_with(f"[{PERMITTED}]"))
    assert [] == [each for each in found if each.status == "error"]
    assert ("warning", "not visible: the user may not publish to $SYS.REQ.USER.INFO") == one(
        found, "permissions"
    )


async def test_denials_are_found_where_permissions_are_not_visible(
    nats_executable: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = await as_user(user_with('["bank.>", "$JS.API.INFO"]'))
    errors = [(each.name, each.detail) for each in found if each.status == "error"]
    assert [
        ("nats.permissions", f"the user may not publish to $JS.API.STREAM.INFO.{name}")
        for name in ("bank", "bank_dead", "KV_bank_groups")
    ] == errors
    assert ("warning", "could not be checked: the user lacks a permission") == one(found, "stream")
    assert not caplog.messages


NEEDED = Needed(publish=["bank.*"], subscribe=["_INBOX.>"])


@pytest.mark.parametrize(
    ("rules", "may"),
    [
        ({}, True),
        ({"publish": {"allow": ["bank.>"]}}, True),
        ({"publish": {"allow": [">"]}}, True),
        ({"publish": {"allow": ["*.*"]}}, True),
        ({"publish": {"allow": ["bank.*.*"]}}, False),
        ({"publish": {"allow": ["bank"]}}, False),
        ({"publish": {"allow": ["shop.*"]}}, False),
        ({"publish": {"allow": ["bank.a"]}}, False),
        ({"publish": {"deny": ["bank.a"]}}, False),
        ({"publish": {"deny": ["bank.a.b"]}}, True),
        ({"publish": {"deny": [">"]}}, False),
        ({"subscribe": {"allow": ["_INBOX.> workers"]}}, True),
        ({"subscribe": {"allow": ["_INBOX.*"]}}, False),
        ({"subscribe": {"allow": ["_INBOX.*.>"]}}, False),
    ],
)
def test_patterns_are_compared_as_the_server_does(rules: Mapping[str, Any], may: bool) -> None:
    (found,) = permission_findings(rules, NEEDED)
    assert ("ok" if may else "error") == found.status


async def test_core_nats_needs_fewer_permissions(nats_executable: Path) -> None:
    permissions = user_with('["bank.>", "$SYS.REQ.USER.INFO"]', '["bank.*", "_INBOX.>"]')
    found = await as_user(permissions, jetstream=False)
    assert ("ok", "the user may use every subject of the bus") == one(found, "permissions")
    assert "warning" == one(found, "jetstream")[0]
    assert [] == of(found, "stream")


# Streams that were changed by hand.


@pytest.fixture
async def jetstream(nats_url: str, nats_bucket: str) -> AsyncIterator[JetStreamContext]:
    """JetStream, as a program of an administrator uses it."""
    async with plain(nats_url) as (_, context):
        yield context


EVENTS: list[tuple[dict[str, Any], str, str]] = [
    ({"subjects": ["{bucket}.x"]}, "error", "has subjects {bucket}.x, not {bucket}.*"),
    ({"storage": "memory"}, "error", "has storage memory"),
    ({"no_ack": True}, "error", "has no_ack true"),
    ({"max_msgs": 1000}, "error", "has max_msgs 1000"),
    ({"max_msgs_per_subject": 10}, "error", "has max_msgs_per_subject 10"),
    ({"max_age": 600}, "warning", "messages are deleted after 600 s, handled or not"),
    ({"duplicate_window": 2}, "warning", "the duplicate window is 2 s"),
    ({"retention": RetentionPolicy.WORK_QUEUE}, "error", "retention is workqueue"),
    ({"retention": RetentionPolicy.INTEREST}, "warning", "retention is interest and there is no"),
    ({"max_msg_size": 1000}, "warning", "max_msg_size is 1,000 bytes, below the 1,048,576"),
]


@pytest.mark.parametrize(("settings", "status", "says"), EVENTS)
async def test_a_setting_that_loses_or_stops_messages_is_found(
    nats_url: str,
    nats_bucket: str,
    jetstream: JetStreamContext,
    settings: dict[str, Any],
    status: str,
    says: str,
) -> None:
    given = {"subjects": [f"{nats_bucket}.*"], "duplicate_window": 120, **settings}
    given["subjects"] = [each.format(bucket=nats_bucket) for each in given["subjects"]]
    await jetstream.add_stream(StreamConfig(name=nats_bucket, **given))
    found = one(await findings(nats_url, nats_bucket), "stream")
    assert status == found[0]
    assert says.format(bucket=nats_bucket) in found[1]


async def test_other_settings_than_those_of_the_bus_are_an_error(
    nats_url: str, nats_bucket: str
) -> None:
    """The bus would be refused."""
    async with with_streams(nats_url, nats_bucket):
        pass
    found = await findings(nats_url, nats_bucket, replicas=3)
    assert ("error", f"the stream {nats_bucket} has num_replicas 1, not 3") == one(found, "stream")
    assert ("error", f"the stream {nats_bucket}_dead has num_replicas 1, not 3") == one(
        found, "dead_letters"
    )


@pytest.mark.parametrize(
    ("limit", "status", "says"),
    [
        ({"max_msgs": 2}, "error", "2 of 2 messages are used"),
        ({"max_msgs": 100}, "", ""),
        ({"max_bytes": 400}, "warning", "of 400 bytes are used"),
    ],
)
async def test_a_stream_that_is_full_is_found(
    nats_url: str,
    nats_bucket: str,
    jetstream: JetStreamContext,
    limit: dict[str, Any],
    status: str,
    says: str,
) -> None:
    """With discard new, it accepts nothing then."""
    await jetstream.add_stream(
        StreamConfig(
            name=nats_bucket,
            subjects=[f"{nats_bucket}.*"],
            discard=DiscardPolicy.NEW,
            duplicate_window=120,
            **limit,
        )
    )
    for _ in range(2):
        await jetstream.publish(f"{nats_bucket}.account", b"x" * 100)
    found = of(await findings(nats_url, nats_bucket), "stream")
    others = [each for each in found if each != ONE_COPY]
    assert [status] * bool(status) == [each[0] for each in others]
    assert all(says in each[1] for each in others)


async def test_messages_that_were_deleted_are_counted(
    nats_url: str, nats_bucket: str, jetstream: JetStreamContext
) -> None:
    async with with_streams(nats_url, nats_bucket) as bus:
        await publish(bus, [message("a"), message("b"), message("c")])
        await jetstream.delete_msg(nats_bucket, 2)
        assert ("warning", "messages that were deleted by hand: 1") == one(
            await bus.diagnose(), "stream"
        )


async def test_a_stream_without_room_for_groups_is_an_error(
    nats_url: str, nats_bucket: str, jetstream: JetStreamContext
) -> None:
    await jetstream.add_stream(
        StreamConfig(
            name=nats_bucket, subjects=[f"{nats_bucket}.*"], duplicate_window=120, max_consumers=1
        )
    )
    async with with_streams(nats_url, nats_bucket) as bus:
        await bus.subscribe(Inbox(), group="g")
        status, detail = one(await bus.diagnose(), "stream")
    assert "error" == status
    assert "all 1 consumers" in detail


async def test_a_sealed_stream_is_an_error(
    nats_url: str, nats_bucket: str, jetstream: JetStreamContext
) -> None:
    async with with_streams(nats_url, nats_bucket):
        pass
    config = (await jetstream.stream_info(nats_bucket)).config
    await jetstream.update_stream(config.evolve(sealed=True))
    found = of(await findings(nats_url, nats_bucket), "stream")
    assert ("error", "the stream is sealed, so nothing can be published") in found


@pytest.mark.parametrize(
    ("settings", "status", "says"),
    [
        ({"max_age": 600}, "warning", "dead letters are deleted after 600 s"),
        ({"deny_delete": True}, "error", "deny_delete is set"),
        ({"retention": RetentionPolicy.INTEREST}, "error", "has retention interest, not limits"),
    ],
)
async def test_a_stream_that_loses_dead_letters_is_found(
    nats_url: str,
    nats_bucket: str,
    jetstream: JetStreamContext,
    settings: dict[str, Any],
    status: str,
    says: str,
) -> None:
    config = StreamConfig(name=f"{nats_bucket}_dead", subjects=[f"{nats_bucket}.dead.*"])
    await jetstream.add_stream(config.evolve(**settings))
    found = one(await findings(nats_url, nats_bucket), "dead_letters")
    assert status == found[0]
    assert says in found[1]


async def test_leases_that_end_at_another_time_are_an_error(
    nats_url: str, nats_bucket: str, jetstream: JetStreamContext
) -> None:
    await jetstream.create_key_value(bucket=f"{nats_bucket}_groups", ttl=60)
    status, detail = one(await findings(nats_url, nats_bucket), "leases")
    assert "error" == status
    assert f"{nats_bucket}_groups expire after 60 s, not 6 s" in detail


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"ack_policy": AckPolicy.ALL}, "cannot serve a group"),
        ({"max_deliver": 5}, "cannot serve a group"),
        ({"deliver_subject": "elsewhere"}, "cannot serve a group"),
        ({"headers_only": True}, "gives no bodies"),
        ({"ack_wait": 1}, "delivers again after 1 s, not 8 s"),
        ({"max_ack_pending": 10}, "gives at most 10 messages at once"),
        ({"filter_subject": "{bucket}.account"}, "skips some subjects"),
        ({"inactive_threshold": 60}, "is deleted, with the place of the group, after 60 s"),
        ({"mem_storage": True}, "keeps the place of the group in memory"),
    ],
)
async def test_a_consumer_that_was_changed_is_found(
    nats_url: str,
    nats_bucket: str,
    jetstream: JetStreamContext,
    settings: dict[str, Any],
    says: str,
) -> None:
    async with with_streams(nats_url, nats_bucket) as bus:
        if "filter_subject" in settings:
            settings = {"filter_subject": f"{nats_bucket}.account"}
        sound = {"ack_policy": AckPolicy.EXPLICIT, "ack_wait": 8, "max_ack_pending": 1024}
        config = ConsumerConfig(durable_name="mailer", **{**sound, **settings})
        await jetstream.add_consumer(nats_bucket, config)
        status, detail = one(await bus.diagnose(), "consumers")
    assert "warning" == status
    assert detail.startswith(f"the consumer mailer {says}")


# The server.


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1."""
    return certify(tmp_path_factory.mktemp("certificates"))


async def test_encryption_is_found(nats_executable: Path, certificates: Path) -> None:
    tls = f'tls: {{ cert_file: "{certificates}/cert.pem", key_file: "{certificates}/key.pem" }}'
    trusting = ssl.create_default_context(cafile=str(certificates / "cert.pem"))
    careless = ssl.create_default_context(cafile=str(certificates / "cert.pem"))
    careless.check_hostname = False
    with nats_server(configuration=tls) as server:
        url = server.url.replace("nats://", "tls://")
        assert ("ok", "the connection is encrypted") == one(
            await findings(url, tls=trusting), "tls"
        )
        assert "warning" == one(await findings(url, tls=careless), "tls")[0]
        found = await findings(url)
        assert ("error", "the connection failed with SSLCertVerificationError") == one(
            found, "connection"
        )


async def test_a_small_payload_is_a_warning(nats_executable: Path) -> None:
    with nats_server(configuration="max_payload: 1000") as server:
        status, detail = one(await findings(server.url), "max_payload")
    assert "warning" == status
    assert "a message takes at most 1,000 bytes" in detail


async def test_a_server_that_asks_for_credentials_is_fine(nats_executable: Path) -> None:
    with nats_server(configuration='authorization: { user: "u", password: "p" }') as server:
        found = await findings(server.url.replace("//", "//u:p@"))
    assert ("ok", "the server asks for credentials") == one(found, "authentication")


# What no server of a test says.


def test_acknowledging_before_storing_is_an_error() -> None:
    """Servers offer it from 2.12 on."""
    config = {"name": "bank", "persist_mode": "async", "duplicate_window": 120e9}
    state = {"messages": 0, "bytes": 0, "first_seq": 1, "last_seq": 0, "consumer_count": 0}
    info = StreamInfo.from_response({"config": config, "state": state})
    details = [each.detail for each in event_findings(info, 1 << 20)]
    assert "persist_mode is async, so a crash of the server loses acknowledged messages" in details


def test_a_paused_consumer_is_found() -> None:
    """Servers can pause one from 2.11 on."""
    config = {"durable_name": "g", "ack_policy": "explicit"}
    answer = {"name": "g", "stream_name": "bank", "config": config, "paused": True}
    info = ConsumerInfo.from_response({**answer, "created": "2026-01-01T00:00:00Z"})
    details = [each.detail for each in consumer_findings(info)]
    assert ["the consumer g is paused, so its group stands still"] == details


def test_lost_messages_and_a_missing_leader_are_errors() -> None:
    lost = {"msgs": [3, 4], "bytes": 200}
    state = {"messages": 8, "bytes": 800, "first_seq": 1, "last_seq": 10, "consumer_count": 0}
    config = {"name": "bank", "num_replicas": 3, "duplicate_window": 120e9}
    info = StreamInfo.from_response(
        {"config": config, "state": {**state, "lost": lost}, "cluster": {"replicas": []}}
    )
    found = [(each.status, each.detail) for each in event_findings(info, 1 << 20)]
    assert ("error", "the stream has no leader, so it takes no messages") in found
    assert ("error", "the server has lost 2 messages of the stream") in found


def test_foreign_sources_and_other_subjects_are_found() -> None:
    config = {
        "name": "bank",
        "duplicate_window": 120e9,
        "num_replicas": 3,
        "mirror": {"name": "other"},
        "sources": [{"name": "other"}],
        "subject_transform": {"src": ">", "dest": "x.>"},
    }
    state = {"messages": 0, "bytes": 0, "first_seq": 1, "last_seq": 0, "consumer_count": 0}
    info = StreamInfo.from_response({"config": config, "state": state})
    assert ["error", "warning", "warning"] == [
        each.status for each in event_findings(info, 1 << 20)
    ]


def test_the_limits_of_each_tier_are_checked() -> None:
    """An account may have limits for streams with one copy and for those with three."""
    limits = {
        "max_memory": -1,
        "max_storage": 1000,
        "max_streams": -1,
        "max_consumers": -1,
        "max_ack_pending": -1,
        "memory_max_stream_bytes": -1,
        "storage_max_stream_bytes": -1,
        "max_bytes_required": False,
    }
    usage = {"memory": 0, "storage": 900, "streams": 2, "consumers": 1, "limits": limits}
    nothing = {**usage, "limits": {**limits, "max_storage": 0}, "api": {"total": 1, "errors": 0}}
    info = AccountInfo.from_response({**nothing, "tiers": {"R3": {**usage, "limits": {**limits}}}})
    (found,) = account_findings(info, missing_streams=3)
    assert "warning" == found.status
    assert "for the account of tier R3: 900 of 1,000 bytes are used" in found.detail


def said(info: Mapping[str, Any], name: str, *, host: str = "10.0.0.1", **given: Any) -> str:
    """The status of the only finding of one check of a server's INFO."""
    address = Address(servers=["nats://10.0.0.1"], **given)
    whole = {"version": "2.11.0", "max_payload": 1 << 20, **info}
    found: Iterable[Finding] = server.server_findings(whole, address, host)
    (only,) = [each for each in found if each.name == f"nats.{name}"]
    return f"{only.status}: {only.detail}"


@pytest.mark.parametrize(
    ("version", "status"),
    [("2.8.4", "warning"), ("2.9.0", "ok"), ("2.10.1", "ok"), ("3.0.0-RC.1", "ok")],
)
def test_an_old_server_is_a_warning(version: str, status: str) -> None:
    assert said({"version": version}, "version").startswith(f"{status}: nats-server {version}")


@pytest.mark.parametrize(
    ("info", "host", "says"),
    [
        ({}, "10.0.0.1", "warning: the connection is not encrypted"),
        ({}, "nats.example", "warning: the connection is not encrypted"),
        ({}, "localhost", "ok: the connection is not encrypted, and stays on this machine"),
        ({}, "::1", "ok: the connection is not encrypted, and stays on this machine"),
        (
            {"tls_available": True},
            "127.0.0.1",
            "warning: the connection is not encrypted, although the server offers it",
        ),
        (
            {"tls_required": True},
            "10.0.0.1",
            "warning: the connection is encrypted only because the server demands it",
        ),
    ],
)
def test_clear_text_beyond_this_machine_is_a_warning(
    info: Mapping[str, Any], host: str, says: str
) -> None:
    assert said(info, "tls", host=host).startswith(says)
