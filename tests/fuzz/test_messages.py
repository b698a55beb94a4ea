"""Messages that another program published on NATS stop no handler, and none of them is lost."""

from __future__ import annotations

import json
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

from attrs import define

from eventhus import Application, Delivered, new_id
from eventhus.domain.catalog import Catalog
from eventhus.errors import CodecError
from eventhus.ports import Message
from eventhus.runtime.messaging.wire import from_message
from eventhus_cattrs import CattrsCodec
from eventhus_memory import MemoryStore
from eventhus_nats import NatsBus
from eventhus_nats.messages import message_from
from eventhus_testing.conformance.bus.cases import message
from tests.adapters.nats.support import plain, say_raw, until
from tests.bank import Open, account
from tests.fuzz.hostile import CANARY, Hostile
from tests.fuzz.inputs import for_each_awaited, watched_logs

DATA = frozenset({"data", "Eventhus-Metadata"})
BATCH = 200  # messages sent at once
LETTERS = 100  # that are read and discarded
CATALOG = Catalog([account])

_HEADERS = [
    "Eventhus-Position",
    "Eventhus-Recorded-At",
    "Eventhus-Schema",
    "Eventhus-Correlation-Id",
    "Eventhus-Metadata",
    "Eventhus-Tags",
    "Nats-Msg-Id",
    "Nats-Expected-Stream",
    "Nats-Rollup",
    "Nats-TTL",
    "Status",
    "traceparent",
    "a b",
    "",
    "\xff",
]
_VALUES = [
    "",
    "7",
    "-1",
    "9" * 30,
    '"',
    '{"a": 1}',
    '["a", "b"]',
    '["a", 7, null, ["b"], {}]',
    '["", "\\ud800", "\\u0000"]',
    f'["{"x" * 8000}"]',
    "[" * 9000,
    f'{{"user": "{CANARY}"',
    "\xff\x00",
    "x" * 9000,
]


def foreign(hostile: Hostile) -> tuple[bytes, bytes]:
    """Return the block of headers and the body of a message of another program."""
    choose = hostile.random.choice
    good = json.loads(message("a").body) | {"data": {"owner": CANARY}, "type": "Opened"}
    try:
        body = json.dumps(hostile.mutated(good, hostile.plain, data=DATA)).encode()[:200_000]
    except (RecursionError, TypeError):
        body = b"[" * 100_000
    if hostile.random.random() < 0.1:
        body = hostile.random.randbytes(hostile.random.randint(0, 300))
    head = choose(["NATS/1.0", "NATS/1.0", "NATS/1.0", "NATS/1.0 503", "NATS/1.0 \xff"])
    lines = [f"{choose(_HEADERS)}: {choose(_VALUES)}" for _ in range(hostile.random.randint(0, 4))]
    return "\r\n".join([head, *lines, "", ""]).encode("latin-1"), body


def lines_of(subject: str, head: bytes, body: bytes) -> bytes:
    """Return the lines of the protocol that publish a message."""
    sizes = f"{len(head)} {len(head) + len(body)}"
    return f"HPUB {subject} {sizes}\r\n".encode() + head + body + b"\r\n"


def is_of_newer_code(body: bytes) -> bool:
    """Return whether a message waits for a newer version of the program, which is no fault."""
    given = message_from(body, {}, unnamed="stream-1", at=datetime(2026, 1, 1, tzinfo=UTC))
    try:
        stored = from_message(given)
    except CodecError:
        return False
    return CATALOG.is_of_newer_code(stored.stream, stored.event)


@define
class Counter:
    """A handler that counts messages, whatever they are."""

    count: int = 0

    async def __call__(self, _: Message) -> None:
        self.count += 1


async def test_hostile_messages_stop_no_handler(nats_url: str, nats_bucket: str) -> None:
    handled: set[str] = set()

    async def handle(delivered: Delivered[Any]) -> None:
        handled.add(delivered.stream.aggregate_id)

    inbox = Counter()
    bus = NatsBus.open(nats_url, nats_bucket)
    app = Application(
        bucket=nats_bucket,
        aggregates=[account],
        store=MemoryStore(),
        codec=CattrsCodec(),
        bus=bus,
    )
    with watched_logs():
        async with app, plain(nats_url) as (_, jetstream):
            await app.subscribe(handle, group="g")
            await bus.subscribe(inbox, group="h")
            waiting: list[bytes] = []

            async def flush() -> None:
                await say_raw(nats_url, b"".join(waiting))
                waiting.clear()
                good = new_id()
                await app.dispatch(Open(aggregate_id=good))
                await until(lambda: good in handled)
                state = (await jetstream.stream_info(nats_bucket)).state
                await until(lambda: inbox.count >= state.last_seq)

            async def check(hostile: Hostile) -> None:
                head, body = foreign(hostile)
                if not is_of_newer_code(body) and b"Eventhus-Schema" not in head:
                    waiting.append(lines_of(f"{nats_bucket}.account", head, body))
                if len(waiting) == BATCH:
                    await flush()

            await for_each_awaited("messages", 0.05, check)
            await flush()
            async with aclosing(bus.dead_letters("g")) as letters:
                async for letter in letters:
                    await bus.discard(letter, "g")
                    if letter.number > LETTERS:
                        break
