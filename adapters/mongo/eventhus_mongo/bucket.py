"""Checks a bucket before use, and creates the indexes of its log."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

from attrs import frozen
from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import DuplicateKeyError, OperationFailure

from eventhus.errors import IncompatibleBucket, InvalidArgument
from eventhus_mongo.commits import CORRELATION, decode_commit
from eventhus_mongo.connection import CONVERSATION_KEYS, STREAM_KEYS, TAGS_KEYS, Connection
from eventhus_mongo.documents import Document, UnknownFormat
from eventhus_mongo.driver_errors import translating_errors

Keys: TypeAlias = tuple[tuple[str, int], ...]
"""The keys of an index, each with its direction."""

_RESERVED = {"admin", "config", "local"}
_FORBIDDEN = '/\\. "$*<>:|?\0'  # the superset, of Windows: a dump may move there
_MAX_BYTES = 63
_INDEX_CONFLICTS = {85, 86}  # IndexOptionsConflict, IndexKeySpecsConflict


def check_name(bucket: str) -> None:
    """Check that a bucket can be the name of a database.

    Raises:
        InvalidArgument: MongoDB does not accept the name on every system.
    """
    problem = ""
    if not bucket:
        problem = "is empty"
    elif bucket in _RESERVED:
        problem = "belongs to MongoDB"
    elif found := sorted({char for char in bucket if char in _FORBIDDEN}):
        problem = f"contains {', '.join(map(repr, found))}"
    elif not bucket.isprintable():
        problem = "contains unprintable characters"
    elif len(bucket.encode(errors="replace")) > _MAX_BYTES:
        problem = f"is longer than {_MAX_BYTES} bytes"
    if problem:
        raise InvalidArgument(
            f"bucket {bucket!r} cannot be the name of a MongoDB database, because it {problem}; "
            f"use letters, digits, - and _"
        )


@frozen
class _Index:
    """An index that the log relies on."""

    name: str
    keys: Keys
    only_where: str | None = None  # only documents with this field are indexed
    is_unique: bool = True
    only_of_type: str | None = None  # of that field; ``None`` for any

    def model(self) -> IndexModel:
        options: dict[str, Any] = {"name": self.name}
        if self.is_unique:
            options["unique"] = True
        if self.only_where:
            options["partialFilterExpression"] = self.filter
        return IndexModel(self.keys, **options)

    @property
    def filter(self) -> dict[str, Any] | None:
        if self.only_where is None:
            return None
        if self.only_of_type is None:
            return {self.only_where: {"$exists": True}}
        return {self.only_where: {"$type": self.only_of_type}}

    def found_in(self, indexes: Mapping[str, Mapping[str, Any]]) -> str | None:
        """Return the name under which it is there, which may be another; ``None`` if it is not."""
        for name, index in indexes.items():
            if (
                tuple(index["key"].items()) == self.keys
                and index.get("unique", False) is self.is_unique
                and index.get("partialFilterExpression") == self.filter
                and not index.get("sparse")
                and "collation" not in index
            ):
                return name
        return None

    def is_like_one_in(self, indexes: Mapping[str, Mapping[str, Any]]) -> bool:
        """Return whether an index has the same name or the same keys."""
        return self.name in indexes or any(
            tuple(index["key"].items()) == self.keys for index in indexes.values()
        )

    def __str__(self) -> str:
        keys = ", ".join(f"{_quoted(key)}: {direction}" for key, direction in self.keys)
        options = f"name: '{self.name}'"
        if self.is_unique:
            options += ", unique: true"
        if self.only_where:
            is_ = f"$type: '{self.only_of_type}'" if self.only_of_type else "$exists: true"
            options += f", partialFilterExpression: {{{_quoted(self.only_where)}: {{{is_}}}}}"
        return f"db.events.createIndex({{{keys}}}, {{{options}}})"


def _quoted(field: str) -> str:
    return f"'{field}'" if "." in field else field


EVENTS_INDEXES = (
    _Index("stream", STREAM_KEYS),
    _Index("commit_id", (("commit_id", ASCENDING),)),
    _Index("command_id", (("command_id", ASCENDING),), only_where="command_id"),
    _Index("tags", TAGS_KEYS, only_where="events.tags", is_unique=False),
    _Index(
        "conversation",
        CONVERSATION_KEYS,
        only_where=CORRELATION,
        only_of_type="string",
        is_unique=False,
    ),
)


UNIQUE_KEYS = [index.keys for index in EVENTS_INDEXES if index.is_unique]


async def prepare(connection: Connection) -> None:
    """Check that the bucket is new or belongs to eventhus, and create indexes that its log lacks.

    A bucket without a log stays as it is, since its name may be misspelt.

    Raises:
        IncompatibleBucket: The bucket holds other data, data of a newer version, or a conflicting
            index.
        AccessDenied: The credentials are refused, or lack a right.
        StoreUnavailable: The server cannot be reached.
    """
    with translating_errors(connection.bucket):
        async with connection.operation() as session:
            await check_collection(connection, session)
            await check_documents(connection, session)
            found = await indexes_of(connection.events, session)
            if found:
                await _ensure_indexes(connection, found, session)


async def ensure_log(connection: Connection) -> None:
    """Create the log with its indexes, unless it is known to be there. It precedes every insert.

    Raises:
        IncompatibleBucket: A log with a conflicting index has been created meanwhile.
        PyMongoError: The driver's errors.
    """
    if connection.events.name not in connection.indexed:
        async with connection.operation() as session:
            found = await indexes_of(connection.events, session)
            await _ensure_indexes(connection, found, session)


async def check_collection(connection: Connection, session: AsyncClientSession) -> None:
    """Check that the log is a plain collection.

    Raises:
        IncompatibleBucket: It is not.
    """
    database = connection.events.database
    found = await database.list_collections(
        filter={"name": connection.events.name}, session=session
    )
    for collection in await found.to_list():
        options = collection.get("options", {})
        kind = "capped collection" if options.get("capped") else collection.get("type")
        if "collation" in options:
            kind = "collection with a collation of its own"
        if kind != "collection":
            raise IncompatibleBucket(
                connection.bucket,
                f"its events are a {kind} and must be a plain collection; use another bucket",
            )


async def check_documents(connection: Connection, session: AsyncClientSession) -> bool:
    """Check that the first and the last commit can be decoded, and return whether there are any.

    Raises:
        UnknownFormat: One of them was not written by this version.
    """
    document = None
    for direction in (ASCENDING, DESCENDING):
        document = await connection.events.find_one(sort=[("_id", direction)], session=session)
        if document is not None:
            decode_commit(document)
    return document is not None


async def _ensure_indexes(
    connection: Connection, found: Mapping[str, Document], session: AsyncClientSession
) -> None:
    missing = [index for index in EVENTS_INDEXES if index.found_in(found) is None]
    if missing:
        await _create_indexes(connection, missing, session)
    connection.indexed.add(connection.events.name)


async def _create_indexes(
    connection: Connection, missing: Sequence[_Index], session: AsyncClientSession
) -> None:
    try:
        await connection.events.create_indexes(
            [index.model() for index in missing], session=session
        )
    except DuplicateKeyError:
        raise IncompatibleBucket(
            connection.bucket,
            "two commits in events have the same id or the same version of one stream; "
            "compare it with its last backup",
        ) from None
    except OperationFailure as error:
        if error.code not in _INDEX_CONFLICTS:
            raise
    found = await indexes_of(connection.events, session)
    for index in sorted(missing, key=lambda index: not index.is_like_one_in(found)):
        if index.found_in(found) is None:
            raise IncompatibleBucket(
                connection.bucket,
                f"another index of events conflicts with {index}; drop it, so that this one can be "
                f"created",
            )


async def check_refusal(
    connection: Connection,
    collection: AsyncCollection[Document],
    refusal: Mapping[str, Any] | None,
    *own: Keys,
) -> None:
    """Check that a duplicate was refused by an index of this library, as after a lost race.

    Args:
        connection: The connection.
        collection: The collection.
        refusal: What the server said.
        own: The keys of the unique indexes that this library made there, besides ``_id``.

    Raises:
        UnknownFormat: It was an index of another program, which would refuse the document again.
        PyMongoError: The driver's errors.
    """
    keys = tuple((refusal or {}).get("keyPattern", {"_id": ASCENDING}).items())
    if keys == (("_id", ASCENDING),) or keys in own:
        return
    async with connection.operation() as session:
        found = await indexes_of(collection, session)
    for name, index in found.items():
        if index.get("unique") and tuple(index["key"].items()) == keys:
            raise UnknownFormat(
                f"the unique index {name} of {collection.name} is not one of eventhus, and refuses "
                f"a document; drop it: db.getCollection('{collection.name}').dropIndex('{name}')"
            )


@asynccontextmanager
async def checking_refusal(
    connection: Connection, collection: AsyncCollection[Document]
) -> AsyncGenerator[None, None]:
    """Check a duplicate that the block raises, as ``check_refusal`` does, and let it pass."""
    try:
        yield
    except DuplicateKeyError as error:
        await check_refusal(connection, collection, error.details)
        raise


async def indexes_of(
    collection: AsyncCollection[Document], session: AsyncClientSession
) -> dict[str, Document]:
    """Return the indexes of a collection by name; none if it does not exist."""
    found = await collection.list_indexes(session=session)
    return {index["name"]: dict(index) for index in await found.to_list()}
