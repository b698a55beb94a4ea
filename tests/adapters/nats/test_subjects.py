"""Bucket names and subjects: refused up front, or of a form that every server takes."""

import pytest
from attrs import evolve

from eventhus import StreamId
from eventhus.errors import CompositionError
from eventhus.ports import Message
from eventhus_nats import NatsBus
from eventhus_nats.subjects import MAX_SUBJECT, MAX_TOKEN, Subjects, token
from eventhus_testing.conformance.bus.cases import Inbox, message, publish
from tests.adapters.nats.support import until

BY_ID = "events.{aggregate_type}.{aggregate_id}"


@pytest.mark.parametrize("jetstream", [True, False])
@pytest.mark.parametrize(
    "bucket", ["", "*", ">", "a.b", "a b", "bank.>", "é", "a" * 64, "$JS", "a\r\nPUB x 0"]
)
def test_a_bucket_that_is_not_a_name_is_refused(bucket: str, jetstream: bool) -> None:
    with pytest.raises(CompositionError, match="letters, digits, hyphens and underscores"):
        NatsBus.open("nats://localhost", bucket, jetstream=jetstream)


@pytest.mark.parametrize("bucket", ["bank_dead", "KV_bank_groups", "_INBOX"])
def test_a_bucket_that_would_share_a_stream_or_subject_is_refused(bucket: str) -> None:
    with pytest.raises(CompositionError, match=f"bucket '{bucket}' .* choose another name"):
        NatsBus.open("nats://localhost", bucket)


async def test_buckets_with_similar_names_do_not_hear_each_other(
    nats_url: str, nats_bucket: str
) -> None:
    names = [nats_bucket, f"{nats_bucket}_", f"{nats_bucket}-dead", f"{nats_bucket}_groups"]
    buses = [NatsBus.open(nats_url, name) for name in names]
    inboxes = [Inbox() for _ in names]
    for bus, inbox, name in zip(buses, inboxes, names, strict=True):
        await bus.__aenter__()
        await bus.subscribe(inbox, group="g")
        await bus.bury(message(name), "g")
    for bus, name in zip(buses, names, strict=True):
        await publish(bus, [message(name)])
    await until(lambda: all(inbox.messages for inbox in inboxes))
    for bus, name in zip(buses, names, strict=True):
        assert [f"{name}-1"] == [each.message.id async for each in bus.dead_letters("g")]
        await bus.__aexit__(None, None, None)
    assert [[f"{name}-1"] for name in names] == [inbox.ids for inbox in inboxes]


@pytest.mark.parametrize("jetstream", [True, False])
async def test_the_longest_ids_are_published(
    nats_url: str, nats_bucket: str, jetstream: bool
) -> None:
    """A server ends the connection at a line of 4 KB, and a byte of an id may take three there."""
    inbox = Inbox()
    given = [evolve(message(id_), id=id_[:9]) for id_ in ("a" * 1_024, "é" * 512, "b")]
    async with NatsBus.open(nats_url, nats_bucket, subject=BY_ID, jetstream=jetstream) as bus:
        await bus.subscribe(inbox)
        await publish(bus, given)
        await until(lambda: len(inbox.messages) == 3)
    assert {each.stream for each in given} == {each.stream for each in inbox.messages}


def test_long_tokens_are_hashed_and_stay_distinct() -> None:
    longest = "a" * MAX_TOKEN
    assert longest == token(longest)
    hashed = {token(longest + each) for each in ("a", "b", "aa", ".")}
    assert 4 == len(hashed)
    assert all(each[0] == "~" and len(each) == 65 for each in hashed)
    assert token("~") == "%7E"  # so no other token begins with it


def test_the_longest_subject_of_a_template_is_bounded() -> None:
    longest = "{aggregate_id}." * 6 + "{type}"
    subjects = Subjects("b" * 60, f"x.{longest}")
    stream = StreamId("Account", "." * (MAX_TOKEN // 3))
    given = Message(id="1", stream=stream, type="T" * MAX_TOKEN, body=b"")
    assert len(subjects.of(given)) <= MAX_SUBJECT
    with pytest.raises(CompositionError, match="up to 2,110 bytes"):
        Subjects("b" * 60, f"x.{{aggregate_id}}.{longest}")
