"""Finds commits in the log by their ids, and the ends of streams."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeAlias

from eventhus import StreamId
from eventhus.errors import CommandIdReused, InvalidCommit
from eventhus.ports import Commit, Part, StoredCommit
from eventhus_mongo.commits import decode_commit, stream_filter, stream_places, stream_span
from eventhus_mongo.connection import STREAM_KEYS, Connection
from eventhus_mongo.documents import is_readable, not_ours
from eventhus_mongo.driver_errors import translating_errors
from eventhus_mongo.known_versions import KnownVersions

_FIELDS = ("type", "id", "version", "size")

VersionOf: TypeAlias = tuple[StreamId, int]
"""A version of a stream."""


class Lookups:
    """Looks into the log of one bucket on behalf of commits."""

    def __init__(self, connection: Connection, known: KnownVersions) -> None:
        self._connection = connection
        self._known = known

    async def find(self, key: Mapping[str, Any]) -> StoredCommit | None:
        """Return the commit with a commit id or a command id, or ``None``."""
        with translating_errors(self._connection.bucket):
            async with self._connection.operation() as session:
                document = await self._connection.events.find_one(key, session=session)
            return None if document is None else decode_commit(document)

    async def end_of(self, stream: StreamId) -> int:
        """Return the version of the last event of a stream; 0 if it has none."""
        known = self._known.get(stream)
        with translating_errors(self._connection.bucket):
            last = await self._connection.last_of(stream, projection=["parts", "format"])
            end = 0 if last is None else stream_span(last, stream).last
        if known is not None and known > end:  # another program has changed the log
            self._known.forget(stream, known)
        self._known.learn(stream, end)
        return end

    async def check_free(self, stream: StreamId, version: int) -> None:
        """Check that no strange document holds a version beyond the end of a stream.

        The index has an entry for each value that it finds below ``parts``, even if there is no
        array, or if a part has several ids. The server refuses a second entry, and the filters for
        streams do not find the first one.

        Raises:
            IncompatibleBucket: A document holds it that was not written by this library.
        """
        with translating_errors(self._connection.bucket):
            holder = await self._connection.holder_of(stream, version)
            # The end after the holder. In the other order, a commit may land in between.
            if holder is not None and await self.end_of(stream) < version:
                raise not_ours(holder)

    async def ends_of(self, parts: Sequence[Part]) -> list[int]:
        """Return the version of the last event of the stream of each part.

        One query tells for all streams that end with a commit of one event at the expected version.
        """
        known = await self._as_expected(parts) if len(parts) > 1 else {}
        others = [part.stream for part in parts if part.stream not in known]
        known |= zip(others, await asyncio.gather(*map(self.end_of, others)), strict=True)
        return [known[part.stream] for part in parts]

    async def _as_expected(self, parts: Sequence[Part]) -> dict[StreamId, int]:
        """Return the ends of those streams of which one query tells that they are as expected."""
        expected = {
            part.stream: part.expected_version
            for part in parts
            if part.expected_version
            and (self._known.get(part.stream) or 0) <= part.expected_version
        }
        if not expected:
            return {}
        sizes: dict[tuple[str, str, int], int] = {}
        with translating_errors(self._connection.bucket):
            async with self._connection.operation() as session:
                found = await self._connection.find_all(
                    {
                        "$or": [
                            stream_filter(stream, version={"$in": [end, end + 1]})
                            for stream, end in expected.items()
                        ]
                    },
                    session,
                    projection=["parts", "format"],
                    hint=STREAM_KEYS,
                )
        for document in found:
            if not is_readable(document):
                return {}
            for part in document["parts"]:
                fields: list[Any] = [*map(part.get, _FIELDS)] if type(part) is dict else []
                if [str, str, int, int] != [*map(type, fields)]:
                    return {}  # it may be in the way of a version in a manner that is not seen here
                type_, id_, version, size = fields
                sizes[type_, id_, version] = size
        ends: dict[StreamId, int] = {}
        for stream, end in expected.items():
            name = stream.aggregate_type, stream.aggregate_id
            if sizes.get((*name, end)) == 1 and (*name, end + 1) not in sizes:
                self._known.learn(stream, end)
                ends[stream] = end
        return ends

    async def stored(self, commit: Commit) -> StoredCommit | None:
        """Return the commit that the log holds under the id or the command id of another.

        Raises:
            InvalidCommit: The id belongs to a commit of other streams.
            CommandIdReused: The command id does.
        """
        first = await self.find({"commit_id": commit.id})
        if first is not None:
            if first.commit.streams.isdisjoint(commit.streams):
                raise InvalidCommit(
                    f"commit id {commit.id} of {commit.stream} names a commit of "
                    f"{first.commit.stream}; make ids that are unique for ever"
                )
            return first
        if commit.command_id is None:
            return None
        first = await self.find({"command_id": commit.command_id})
        if first is not None and first.commit.streams.isdisjoint(commit.streams):
            raise CommandIdReused(commit.command_id, commit.stream, first.commit.stream)
        return first

    async def held(self, commits: Sequence[Commit]) -> frozenset[str]:
        """Return the ids of those commits whose id or command id is in the log, by one query.

        Raises:
            PyMongoError: The driver's errors.
        """
        if not commits:
            return frozenset()
        commit_ids = [commit.id for commit in commits]
        command_ids = [commit.command_id for commit in commits if commit.command_id is not None]
        async with self._connection.operation() as session:
            found = await self._connection.find_all(
                {"$or": [{"commit_id": {"$in": commit_ids}}, {"command_id": {"$in": command_ids}}]},
                session,
                projection=["commit_id", "command_id"],
            )
        by_commit = [document.get("commit_id") for document in found]
        by_command = [document["command_id"] for document in found if "command_id" in document]
        return frozenset(
            commit.id
            for commit in commits
            if commit.id in by_commit or commit.command_id in by_command
        )

    async def taken(self, versions: Collection[VersionOf]) -> frozenset[VersionOf]:
        """Return those versions with which a part of a commit begins, by one query.

        Raises:
            PyMongoError: The driver's errors.
        """
        async with self._connection.operation() as session:
            found = await self._connection.find_all(
                {"$or": [stream_filter(stream, version=version) for stream, version in versions]},
                session,
                projection=["parts"],
                hint=STREAM_KEYS,
            )
        wanted = {
            (stream.aggregate_type, stream.aggregate_id, version): (stream, version)
            for stream, version in versions
        }
        places = [place for document in found for place in stream_places(document)]
        return frozenset(
            wanted[place] for place in places if isinstance(place[2], int) and place in wanted
        )


def taken_version(refusal: Mapping[str, Any]) -> VersionOf | None:
    """Return the version that the server found taken, if it refused a document because of one."""
    if tuple(refusal["keyPattern"].items()) != STREAM_KEYS:
        return None
    entry = refusal["keyValue"]
    return StreamId(entry["parts.type"], entry["parts.id"]), entry["parts.version"]
