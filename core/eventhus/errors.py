"""Every error that eventhus raises.

EventhusError
├── Rejected              the domain refused a command; subclass it in your domain
├── CompositionError      the application does not fit together       (also TypeError)
├── NotRunning            used outside ``async with application``      (also RuntimeError)
├── UnknownCommand        no aggregate takes this class of command     (also LookupError)
├── UndeclaredEvent       ``decide`` produced an event it never declared (also TypeError)
├── ConcurrencyError      the stream is not at the expected version
├── TooManyConflicts      others kept changing the stream while a command was decided
├── CommandIdReused       one command id, two aggregates               (also ValueError)
├── CodecError            an event or a state does not fit its class   (also ValueError)
├── InvalidArgument       an id, a name or metadata of the wrong form  (also ValueError)
├── InvalidCommit         a store cannot keep this commit              (also ValueError)
├── CommitTooLarge        it is larger than the store's largest document (also ValueError)
├── StoreUnavailable      the store did not answer in time; nothing was written
├── OutcomeUnknown        a commit was sent, and whether it was stored is not known
├── BusUnavailable        the bus did not answer in time
├── PublisherReplaced     somebody else has published since this publisher began
├── ReaderStopped         a view or a process cannot take an event
├── LeaseLost             another process does by now what this one was doing
├── AccessDenied          a server refused the credentials, or they lack a right
├── IncompatibleBucket    the bucket holds what this version cannot work with
└── LogCorrupted          stored versions or positions have a gap

Messages never quote the data of events, commands or states: it may be personal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from eventhus.domain.recorded import StreamId

__all__ = [
    "AccessDenied",
    "BusUnavailable",
    "CodecError",
    "CommandIdReused",
    "CommitTooLarge",
    "CompositionError",
    "ConcurrencyError",
    "EventhusError",
    "IncompatibleBucket",
    "InvalidArgument",
    "InvalidCommit",
    "LeaseLost",
    "LogCorrupted",
    "NotRunning",
    "OutcomeUnknown",
    "PublisherReplaced",
    "ReaderStopped",
    "Rejected",
    "StoreUnavailable",
    "TooManyConflicts",
    "UndeclaredEvent",
    "UnknownCommand",
]


class EventhusError(Exception):
    """The base of every error of this library."""


class Rejected(EventhusError):
    """The domain refused a command; nothing has changed.

    Subclass it once per reason and raise the subclass from ``decide``:

    >>> class InsufficientFunds(Rejected):
    ...     '''The account holds less than was asked for.'''
    """


class CompositionError(EventhusError, TypeError):
    """The parts of an application do not fit together. Raised before anything is written."""


class NotRunning(EventhusError, RuntimeError):
    """An application or a store was used before ``async with`` entered it, or after it was left."""


class UnknownCommand(EventhusError, LookupError):
    """No aggregate of the application takes commands of this class."""

    def __init__(self, command: type, known: Iterable[type]) -> None:
        self.command = command
        self.known = tuple(known)
        super().__init__(command, self.known)

    def __str__(self) -> str:
        known = ", ".join(sorted(cls.__name__ for cls in self.known)) or "none"
        return (
            f"no aggregate takes {self.command.__module__}.{self.command.__qualname__}; add its "
            f"aggregate to the application, which takes: {known}"
        )


class UndeclaredEvent(EventhusError, TypeError):
    """``decide`` produced a value whose class the aggregate does not declare as an event."""

    def __init__(self, aggregate_type: str, event: type) -> None:
        self.aggregate_type = aggregate_type
        self.event = event
        super().__init__(aggregate_type, event)

    def __str__(self) -> str:
        return (
            f"decide of {self.aggregate_type} produced {self.event.__qualname__}, which is not one "
            f"of its events; add it to the event annotation of evolve, or to events=(...)"
        )


class ConcurrencyError(EventhusError):
    """The stream is not at the version that the writer expected; nothing was written.

    Attributes:
        stream: The stream that was to be appended to.
        expected: The version that the writer expected the stream to end at.
        actual: The version that it ended at when the append was refused.
    """

    def __init__(self, stream: StreamId, expected: int, actual: int) -> None:
        self.stream = stream
        self.expected = expected
        self.actual = actual
        super().__init__(stream, expected, actual)

    def __str__(self) -> str:
        return (
            f"{self.stream} is at version {self.actual}, not {self.expected}; "
            f"load it again and decide on what it holds now"
        )


class TooManyConflicts(EventhusError):
    """A command was decided again and again, and each time another writer got in first.

    Attributes:
        stream: The stream that was to be appended to.
        attempts: How often that was tried.
    """

    def __init__(self, stream: StreamId, attempts: int) -> None:
        self.stream = stream
        self.attempts = attempts
        super().__init__(stream, attempts)

    def __str__(self) -> str:
        return (
            f"{self.stream} was changed by others each of the {self.attempts} times that a command "
            f"was decided; send the command again later"
        )


class CommandIdReused(EventhusError, ValueError):
    """A command id that names a commit of one stream was given with a command for another.

    Attributes:
        command_id: The id that was given twice.
        stream: The stream of the command that was refused.
        first: The stream whose commit holds the id.
    """

    def __init__(self, command_id: str, stream: StreamId, first: StreamId) -> None:
        self.command_id = command_id
        self.stream = stream
        self.first = first
        super().__init__(command_id, stream, first)

    def __str__(self) -> str:
        return (
            f"command id {self.command_id!r} was sent to {self.stream}, but it already named a "
            f"command of {self.first}; give every command an id of its own"
        )


class CodecError(EventhusError, ValueError):
    """Data does not fit its class, or a value cannot be turned into data.

    Attributes:
        type: The stored name or the class that was being encoded or decoded.
        field: The path to the part that does not fit, such as ``"seats[2].row"``;
            empty where the whole value does not.
        problem: What is wrong with it, in words.
        stream: The stream of the stored event; ``None`` if the error is about a value that was
            to be written.
        version: The version of the stored event in its stream.
    """

    def __init__(
        self,
        type: str,  # noqa: A002 - the word that the stored form of an event uses
        field: str,
        problem: str,
        stream: StreamId | None = None,
        version: int | None = None,
    ) -> None:
        self.type = type
        self.field = field
        self.problem = problem
        self.stream = stream
        self.version = version
        super().__init__(type, field, problem, stream, version)

    def __str__(self) -> str:
        where = f" (in {self.stream}, version {self.version})" if self.stream else ""
        name = f"{self.type}.{self.field}" if self.field else self.type
        return f"{name}: {self.problem}{where}"

    def at(self, stream: StreamId, version: int) -> CodecError:
        """The same error, naming the event that it is about."""
        return CodecError(self.type, self.field, self.problem, stream, version)


class InvalidArgument(EventhusError, ValueError):
    """An id, a name or metadata is not of the form that it must have; nothing was done."""


class InvalidCommit(EventhusError, ValueError):
    """A store cannot keep this commit; nothing was written."""


class CommitTooLarge(EventhusError, ValueError):
    """A commit is larger than the largest document that the store keeps; nothing was sent.

    Attributes:
        stream: The stream that was to be appended to.
        size: How large the commit is, in bytes as the store would keep it.
        limit: The most that the store keeps in one commit, in bytes.
    """

    def __init__(self, stream: StreamId, size: int, limit: int) -> None:
        self.stream = stream
        self.size = size
        self.limit = limit
        super().__init__(stream, size, limit)

    def __str__(self) -> str:
        return (
            f"the commit for {self.stream} takes {self.size:,} bytes, and the store keeps at most "
            f"{self.limit:,}; decide on fewer or smaller events at once, and keep large content "
            f"elsewhere"
        )


class StoreUnavailable(EventhusError):
    """The store could not be reached, or did not answer in time. Nothing was written to the log.

    Attributes:
        bucket: The bucket whose store it is.
        problem: What happened, in words.
    """

    def __init__(self, bucket: str, problem: str) -> None:
        self.bucket = bucket
        self.problem = problem
        super().__init__(bucket, problem)

    def __str__(self) -> str:
        return (
            f"the store of bucket {self.bucket!r} is not available: {self.problem}; "
            f"try again once its server answers"
        )


class OutcomeUnknown(EventhusError):
    """A commit was sent to the store, which then went out of reach: it may have been stored.

    Appending the same commit again is safe, and so is sending the command again with the same
    ``command_id``: either is stored at most once.

    Attributes:
        bucket: The bucket whose store it is.
        problem: What happened, in words.
        stream: The stream that was appended to.
        commit_id: The id of the commit.
    """

    def __init__(self, bucket: str, problem: str, stream: StreamId, commit_id: str) -> None:
        self.bucket = bucket
        self.problem = problem
        self.stream = stream
        self.commit_id = commit_id
        super().__init__(bucket, problem, stream, commit_id)

    def __str__(self) -> str:
        return (
            f"commit {self.commit_id} of {self.stream} was sent to the store of bucket "
            f"{self.bucket!r} and may have been stored: {self.problem}; append the same commit, or "
            f"send the command with the same command_id, again, or look at the stream"
        )


class BusUnavailable(EventhusError):
    """The bus could not be reached, or did not confirm in time. What was sent may have arrived.

    Publishing it again is safe: whoever subscribes is prepared for repeats.

    Attributes:
        bucket: The bucket whose bus it is.
        problem: What happened, in words.
    """

    def __init__(self, bucket: str, problem: str) -> None:
        self.bucket = bucket
        self.problem = problem
        super().__init__(bucket, problem)

    def __str__(self) -> str:
        return (
            f"the bus of bucket {self.bucket!r} is not available: {self.problem}; "
            f"try again once its server answers"
        )


class PublisherReplaced(EventhusError):
    """Somebody else has published since this publisher began: what comes behind is not its to say.

    Attributes:
        bucket: The bucket whose bus it is.
    """

    def __init__(self, bucket: str) -> None:
        self.bucket = bucket
        super().__init__(bucket)

    def __str__(self) -> str:
        return (
            f"another publisher has published on the bus of bucket {self.bucket!r}; "
            f"begin again with a new publisher, if it is still your turn"
        )


class ReaderStopped(EventhusError):
    """A view or a process cannot take an event, and goes no further until it can.

    It is tried again and again. The error that stands in the way is the ``__cause__``.

    Attributes:
        reader: The view or the process.
        stream: The stream of the event.
        version: The version of the event in its stream.
        position: The position of the event in the log.
        problem: What is in the way, in words.
    """

    def __init__(
        self, reader: str, stream: StreamId, version: int, position: int, problem: str
    ) -> None:
        self.reader = reader
        self.stream = stream
        self.version = version
        self.position = position
        self.problem = problem
        super().__init__(reader, stream, version, position, problem)

    def __str__(self) -> str:
        return (
            f"{self.reader} stopped at {self.stream}, version {self.version}: {self.problem}; "
            f"it goes on once the code that runs can take that event"
        )


class LeaseLost(EventhusError):
    """A lease does not hold any longer; what was to be done under it was not.

    It ran out or was deleted, or what it protects has been written by another, whose lease came
    later.

    Attributes:
        name: The name of the lease, or of the checkpoint that was saved under it.
        token: The token that is no longer good.
    """

    def __init__(self, name: str, token: int) -> None:
        self.name = name
        self.token = token
        super().__init__(name, token)

    def __str__(self) -> str:
        return (
            f"the lease {self.name!r} with token {self.token} does not hold any longer: it ran out "
            f"or was deleted, or another has written what it protects; stop what you do under it, "
            f"and acquire it again"
        )


class AccessDenied(EventhusError):
    """A server refused the credentials, or they lack a right. Nothing was written.

    Attributes:
        bucket: The bucket that was to be used.
        problem: What was refused, in words.
    """

    def __init__(self, bucket: str, problem: str) -> None:
        self.bucket = bucket
        self.problem = problem
        super().__init__(bucket, problem)

    def __str__(self) -> str:
        return f"access to bucket {self.bucket!r} was denied: {self.problem}"


class IncompatibleBucket(EventhusError):
    """The bucket holds what this version of the library cannot work with. Nothing was written.

    Attributes:
        bucket: The bucket that was to be used.
        problem: What is in the way, and what to do, in words.
    """

    def __init__(self, bucket: str, problem: str) -> None:
        self.bucket = bucket
        self.problem = problem
        super().__init__(bucket, problem)

    def __str__(self) -> str:
        return f"bucket {self.bucket!r} cannot be used: {self.problem}"


class LogCorrupted(EventhusError):
    """Stored versions or positions are not 1, 2, 3, …; what was read cannot be trusted.

    Attributes:
        stream: The stream that was read; ``None`` if it was the whole log.
        expected: The version, or the position, that comes next, counted one by one.
        actual: The one that the store gives instead.
    """

    def __init__(self, stream: StreamId | None, expected: int, actual: int) -> None:
        self.stream = stream
        self.expected = expected
        self.actual = actual
        super().__init__(stream, expected, actual)

    def __str__(self) -> str:
        where = "the log" if self.stream is None else str(self.stream)
        return (
            f"{where} says that it is at {self.actual}, and its events, counted one by one, make "
            f"it {self.expected}; stop writing to it and compare the store with its last backup"
        )
