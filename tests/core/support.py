"""Test doubles of stores, buses, clocks and codecs, and the bank as an application."""

import asyncio
import json
from collections import Counter
from collections.abc import (
    AsyncGenerator,
    Callable,
    Collection,
    Mapping,
    Sequence,
)
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self

import attrs

from eventhus import Application, Metadata, Query, Recorded, StreamId
from eventhus.errors import CodecError
from eventhus.ports import (
    Checkpoint,
    Commit,
    DamagedLease,
    DamagedRegistration,
    DeadLetter,
    EventBus,
    Finding,
    GroupStatus,
    HeldLease,
    IndexField,
    Lease,
    Message,
    MessageHandler,
    Page,
    Registration,
    Selected,
    Selection,
    Slice,
    Snapshot,
    Start,
    Storage,
    StoredCommit,
    StoredEvent,
    StreamEnd,
    Subscription,
    ViewDocument,
    ViewWrite,
)
from eventhus_memory import MemoryStore
from tests.bank import Deposited, Script, account, always, note
from tests.core.hooks import Hook


class JsonCodec:
    """A codec for attrs classes whose fields are plain data, and for plain data itself."""

    def encoder(self, as_type: Any) -> Callable[[Any], Any]:
        """See ``Codec.encoder``."""

        def encode(value: Any) -> Any:
            data = attrs.asdict(value) if attrs.has(type(value)) else value
            try:
                return json.loads(json.dumps(data, allow_nan=False))
            except (TypeError, ValueError) as error:
                raise CodecError(as_type.__name__, "", "holds what JSON cannot say") from error

        return encode

    def decoder(self, as_type: Any) -> Callable[[Any], Any]:
        """See ``Codec.decoder``."""

        def decode(data: Any) -> Any:
            try:
                return as_type(**data) if attrs.has(as_type) else as_type(data)
            except TypeError as error:
                raise CodecError(as_type.__name__, "", "has other fields") from error

        return decode


def compose(store: Storage | None = None, **options: Any) -> Application:
    """Return the bank as an application, in memory unless options say otherwise."""
    options = {"bucket": "bank", "aggregates": [account, note], "codec": JsonCodec(), **options}
    return Application(store=store or MemoryStore(), **options)


async def add(app: Application, *amounts: int, aggregate_id: str = "a") -> None:
    """Append one commit with one event for each amount, whether the account is open or not."""
    for amount in amounts:
        await app.dispatch(Script(aggregate_id=aggregate_id, decide=always(Deposited(amount))))


class Proxy:
    """A store that wraps another one, counts the calls and runs the hooks of a test.

    ``before`` and ``after`` map the names of methods to hooks. The caller gets the error of a hook.
    If a hook of ``before`` raises, the call does not happen.
    """

    def __init__(self, inner: Storage | None = None) -> None:
        self.inner = inner or MemoryStore()
        self.calls: Counter[str] = Counter()
        self.before: dict[str, Hook] = {}
        self.after: dict[str, Hook] = {}

    async def _through(self, name: str, *args: Any, **kwargs: Any) -> Any:
        self.calls[name] += 1
        if hook := self.before.get(name):
            await hook(*args)
        result = await getattr(self.inner, name)(*args, **kwargs)
        if hook := self.after.get(name):
            await hook(*args)
        return result

    async def append(self, commit: Commit) -> StoredCommit:
        """See ``EventStore.append``."""
        stored: StoredCommit = await self._through("append", commit)
        return stored

    async def find(self, command_id: str) -> StoredCommit | None:
        """See ``EventStore.find``."""
        stored: StoredCommit | None = await self._through("find", command_id)
        return stored

    async def load(self, stream: StreamId, *, after_version: int = 0, limit: int = 1000) -> Slice:
        """See ``EventStore.load``."""
        page: Slice = await self._through("load", stream, after_version=after_version, limit=limit)
        self.calls["events loaded"] += len(page.events)
        return page

    async def history(
        self, stream: StreamId, *, after_version: int = 0, limit: int = 1000
    ) -> Sequence[StoredEvent]:
        """See ``EventStore.history``."""
        page: Sequence[StoredEvent] = await self._through(
            "history", stream, after_version=after_version, limit=limit
        )
        return page

    async def find_event(self, event_id: str) -> StoredEvent | None:
        """See ``Inspection.find_event``."""
        event: StoredEvent | None = await self._through("find_event", event_id)
        return event

    async def related(
        self, correlation_id: str, *, after: int = 0, limit: int = 100
    ) -> Sequence[StoredEvent]:
        """See ``Inspection.related``."""
        events: Sequence[StoredEvent] = await self._through(
            "related", correlation_id, after=after, limit=limit
        )
        return events

    async def streams(
        self,
        *,
        stream_type: str | None = None,
        prefix: str = "",
        after: StreamId | None = None,
        limit: int = 100,
    ) -> Sequence[StreamEnd]:
        """See ``Inspection.streams``."""
        ends: Sequence[StreamEnd] = await self._through(
            "streams", stream_type=stream_type, prefix=prefix, after=after, limit=limit
        )
        return ends

    async def version_of(self, stream: StreamId) -> int:
        """See ``EventStore.version_of``."""
        version: int = await self._through("version_of", stream)
        return version

    async def read(self, query: Query | None = None, *, after: int = 0, limit: int = 1000) -> Page:
        """See ``EventStore.read``."""
        page: Page = await self._through("read", query, after=after, limit=limit)
        return page

    async def read_backwards(
        self, query: Query | None = None, *, before: int | None = None, limit: int = 1000
    ) -> Page:
        """See ``EventStore.read_backwards``."""
        page: Page = await self._through("read_backwards", query, before=before, limit=limit)
        return page

    async def follow(
        self, query: Query | None = None, *, after: int = 0, limit: int = 1000
    ) -> AsyncGenerator[Page, None]:
        """See ``EventStore.follow``."""
        async with aclosing(self.inner.follow(query, after=after, limit=limit)) as pages:
            async for page in pages:
                self.calls["follow"] += 1
                if hook := self.before.get("follow"):
                    await hook(page)
                yield page

    async def commits(self, *, after: int = 0, limit: int = 100) -> Sequence[StoredCommit]:
        """See ``EventStore.commits``."""
        commits: Sequence[StoredCommit] = await self._through("commits", after=after, limit=limit)
        return commits

    async def restore(self, commits: Sequence[StoredCommit]) -> None:
        """See ``EventStore.restore``."""
        await self._through("restore", commits)

    async def head(self) -> int:
        """See ``EventStore.head``."""
        head: int = await self._through("head")
        return head

    async def load_snapshot(self, stream: StreamId) -> Snapshot | None:
        """See ``SnapshotStore.load_snapshot``."""
        snapshot: Snapshot | None = await self._through("load_snapshot", stream)
        return snapshot

    async def save_snapshot(self, snapshot: Snapshot) -> None:
        """See ``SnapshotStore.save_snapshot``."""
        await self._through("save_snapshot", snapshot)

    async def load_checkpoint(self, name: str) -> Checkpoint:
        """See ``CheckpointStore.load_checkpoint``."""
        checkpoint: Checkpoint = await self._through("load_checkpoint", name)
        return checkpoint

    async def save_checkpoint(
        self,
        name: str,
        position: int,
        *,
        event_id: str = "",
        token: int = 0,
        done: Sequence[tuple[int, int]] = (),
    ) -> None:
        """See ``CheckpointStore.save_checkpoint``."""
        await self._through(
            "save_checkpoint", name, position, event_id=event_id, token=token, done=done
        )

    async def forget_checkpoint(self, name: str, *, token: int = 0) -> None:
        """See ``CheckpointStore.forget_checkpoint``."""
        await self._through("forget_checkpoint", name, token=token)

    async def load_documents(
        self, collection: str, keys: Collection[str]
    ) -> Mapping[str, ViewDocument]:
        """See ``ViewStore.load_documents``."""
        found: Mapping[str, ViewDocument] = await self._through("load_documents", collection, keys)
        return found

    async def load_parked(
        self, collection: str, *, after: str | None = None, limit: int = 100
    ) -> Sequence[ViewDocument]:
        """See ``ViewStore.load_parked``."""
        found: Sequence[ViewDocument] = await self._through(
            "load_parked", collection, after=after, limit=limit
        )
        return found

    async def load_armed(
        self, collection: str, *, after: tuple[datetime, str] | None = None, limit: int = 100
    ) -> Sequence[ViewDocument]:
        """See ``ViewStore.load_armed``."""
        found: Sequence[ViewDocument] = await self._through(
            "load_armed", collection, after=after, limit=limit
        )
        return found

    async def save_documents(self, collection: str, writes: Sequence[ViewWrite]) -> frozenset[str]:
        """See ``ViewStore.save_documents``."""
        refused: frozenset[str] = await self._through("save_documents", collection, writes)
        return refused

    async def create_indexes(
        self, collection: str, indexes: Sequence[Sequence[IndexField]]
    ) -> None:
        """See ``ViewStore.create_indexes``."""
        await self._through("create_indexes", collection, indexes)

    async def select_documents(self, collection: str, selection: Selection) -> Selected:
        """See ``ViewStore.select_documents``."""
        found: Selected = await self._through("select_documents", collection, selection)
        return found

    async def register(self, registration: Registration) -> Registration:
        """See ``RegistrationStore.register``."""
        found: Registration = await self._through("register", registration)
        return found

    async def registrations(self) -> Sequence[Registration | DamagedRegistration]:
        """See ``RegistrationStore.registrations``."""
        found: Sequence[Registration | DamagedRegistration]
        found = await self._through("registrations")
        return found

    async def drop_collection(self, collection: str) -> None:
        """See ``RegistrationStore.drop_collection``."""
        await self._through("drop_collection", collection)

    async def delete_documents(self, collection: str) -> None:
        """See ``ViewStore.delete_documents``."""
        await self._through("delete_documents", collection)

    async def create_group(self, group: str, start: Checkpoint) -> Checkpoint:
        """See ``GroupStore.create_group``."""
        began: Checkpoint = await self._through("create_group", group, start)
        return began

    async def delete_group(self, group: str) -> None:
        """See ``GroupStore.delete_group``."""
        await self._through("delete_group", group)

    async def load_group(self, group: str) -> Checkpoint | None:
        """See ``GroupStore.load_group``."""
        began: Checkpoint | None = await self._through("load_group", group)
        return began

    async def groups(self, *, after: str = "", limit: int = 100) -> Sequence[str]:
        """See ``GroupStore.groups``."""
        names: Sequence[str] = await self._through("groups", after=after, limit=limit)
        return names

    async def count_letters(self, group: str, *, limit: int) -> int:
        """See ``GroupStore.count_letters``."""
        number: int = await self._through("count_letters", group, limit=limit)
        return number

    async def save_letter(self, group: str, message: Message) -> None:
        """See ``GroupStore.save_letter``."""
        await self._through("save_letter", group, message)

    async def load_letters(
        self, group: str, *, after: int = 0, limit: int = 100
    ) -> Sequence[DeadLetter]:
        """See ``GroupStore.load_letters``."""
        found: Sequence[DeadLetter] = await self._through(
            "load_letters", group, after=after, limit=limit
        )
        return found

    async def delete_letter(self, group: str, number: int) -> None:
        """See ``GroupStore.delete_letter``."""
        await self._through("delete_letter", group, number)

    async def acquire(self, name: str, owner: str, *, ttl_s: float) -> Lease | None:
        """See ``Leases.acquire``."""
        lease: Lease | None = await self._through("acquire", name, owner, ttl_s=ttl_s)
        return lease

    async def release(self, lease: Lease) -> None:
        """See ``Leases.release``."""
        await self._through("release", lease)

    async def diagnose(self) -> Sequence[Finding]:
        """See ``Diagnosable.diagnose``."""
        findings: Sequence[Finding] = await self._through("diagnose")
        return findings

    async def leases(
        self, *, after: str | None = None, limit: int = 100
    ) -> Sequence[HeldLease | DamagedLease]:
        """See ``Leases.leases``."""
        held: Sequence[HeldLease | DamagedLease] = await self._through(
            "leases", after=after, limit=limit
        )
        return held

    async def __aenter__(self) -> Self:
        await self._through("__aenter__")
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._through("__aexit__", exc_type, exc, traceback)


class RecordingBus:
    """A bus that records every message until ``before`` raises. It has no subscribers.

    It says to publishers that it has ``kept`` these messages of earlier ones; ``None`` if it cannot
    know what was published before.
    """

    def __init__(self) -> None:
        self.taken: list[Message] = []
        self.kept: list[Message] | None = None
        self.before: Hook | None = None
        self.before_publisher: Hook | None = None
        self.entered = 0

    async def publisher(self) -> "RecordingPublisher":
        """See ``EventBus.publisher``. Calls ``before_publisher`` first."""
        if self.before_publisher is not None:
            await self.before_publisher()
        return RecordingPublisher(self)

    async def subscribe(
        self,
        handler: MessageHandler,
        *,
        group: str | None = None,
        concurrency: int = 1,
        start: Start = "now",
        unwanted: Collection[str] = (),
    ) -> Subscription:
        """See ``EventBus.subscribe``."""
        raise NotImplementedError

    async def bury(self, message: Message, group: str) -> None:
        """See ``EventBus.bury``."""
        raise NotImplementedError

    async def has_group(self, group: str) -> bool:
        """See ``EventBus.has_group``."""
        raise NotImplementedError

    async def groups(self) -> Sequence[GroupStatus]:
        """See ``EventBus.groups``."""
        raise NotImplementedError

    async def move(self, group: str, start: Start) -> None:
        """See ``EventBus.move``."""
        raise NotImplementedError

    async def delete_group(self, group: str) -> None:
        """See ``EventBus.delete_group``."""
        raise NotImplementedError

    def dead_letters(self, group: str, *, after: int = 0) -> AsyncGenerator[DeadLetter, None]:
        """See ``EventBus.dead_letters``."""
        raise NotImplementedError

    async def discard(self, letter: DeadLetter, group: str) -> None:
        """See ``EventBus.discard``."""
        raise NotImplementedError

    async def diagnose(self) -> Sequence[Finding]:
        """See ``Diagnosable.diagnose``."""
        return ()

    async def __aenter__(self) -> Self:
        self.entered += 1
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.entered -= 1

    @property
    def positions(self) -> list[int]:
        """The positions of the recorded messages, repeats included."""
        return [int(message.headers["Eventhus-Position"]) for message in self.taken]


class RecordingPublisher:
    """Passes messages to a bus one by one."""

    def __init__(self, bus: RecordingBus) -> None:
        self._bus = bus
        self.acknowledged = 0
        self.is_first = bus.kept == []

    async def published(self) -> AsyncGenerator[Message, None]:
        """See ``Publisher.published``."""
        for message in reversed(self._bus.kept or []):
            yield message

    async def publish(self, messages: Sequence[Message]) -> None:
        """See ``Publisher.publish``. Calls ``before`` of the bus before every message."""
        for message in messages:
            if self._bus.before is not None:
                await self._bus.before(message)
            self._bus.taken.append(message)
            self.acknowledged += 1


class FakeClock:
    """A clock that advances by a second at every reading; a sleep ends after other tasks ran."""

    def __init__(self) -> None:
        self.sleeps_s: list[float] = []
        self.before_waking: Hook | None = None
        self._now = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)

    def now(self) -> datetime:
        """See ``Clock.now``."""
        self._now += timedelta(seconds=1)
        return self._now

    async def sleep(self, seconds: float) -> None:
        """See ``Clock.sleep``."""
        self.sleeps_s.append(seconds)
        await asyncio.sleep(0)
        if self.before_waking is not None:
            await self.before_waking(seconds)

    async def wait_until(self, moment: datetime) -> None:
        """See ``Clock.wait_until``. No moment comes."""
        await asyncio.Event().wait()


async def stored_events(store: Storage, stream: StreamId | None = None) -> list[StoredEvent]:
    """Return the first page of the log or of a stream, straight from the store."""
    return [*((await store.read()).events if stream is None else await store.history(stream))]


def recorded(event: Any = None, **changes: Any) -> Recorded[Any]:
    """Return a recorded event in any form."""
    values: dict[str, Any] = {
        "stream": StreamId("Account", "a-1"),
        "version": 2,
        "position": 3,
        "id": "c-1",
        "event": event,
        "recorded_at": datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
        "metadata": Metadata(),
    }
    return Recorded(**{**values, **changes})


# The type checker holds the fakes to their protocols.
_storage: Callable[[], Storage] = Proxy
_bus: Callable[[], EventBus] = RecordingBus
