"""The errors that eventhus raises, in families that a caller can catch.

EventhusError
├── Rejected                  the domain refused a command; subclass it in your domain
├── UsageError                the calling program is wrong, and trying again does not help
│   ├── CompositionError      the parts of an application do not fit together (also TypeError)
│   ├── InvalidArgument       an argument does not have the form it must have (also ValueError)
│   │   └── InvalidCursor     a cursor of a view is not one of this question
│   ├── UndeclaredIndex       no declared index of a view answers a question  (also LookupError)
│   ├── NotRunning            used outside ``async with`` or its event loop   (also RuntimeError)
│   ├── UnknownCommand        no aggregate handles this class of command      (also LookupError)
│   ├── ViewChanged           a version of a view was built from others       (also TypeError)
│   ├── VersionRetired        a view's version is older than those there      (also LookupError)
│   ├── WrongAnswer           a function returned what it must not            (also TypeError)
│   ├── UndeclaredEvent       ``decide`` produced an event it never declared  (also TypeError)
│   └── CommandIdReused       one command id was sent to two aggregates       (also ValueError)
├── ConflictError             another writer was first
│   ├── ConcurrencyError      the stream is not at the expected version
│   ├── ConditionFailed       an event that matches the commit's condition is in the log
│   └── TooManyConflicts      every attempt to decide a command met a conflict
├── CodecError                data does not fit its class                     (also ValueError)
├── StoreError                the event store cannot do what it was asked for
│   ├── StoreUnavailable      it did not answer in time; nothing was written
│   ├── OutcomeUnknown        a commit was sent, and may or may not be stored
│   ├── InvalidCommit         it cannot store this commit                     (also ValueError)
│   ├── CommitTooLarge        the commit exceeds its largest document         (also ValueError)
│   ├── LeaseLost             another process holds the lease by now
│   ├── LogChanged            the log has another history than a reader has read
│   ├── LogCorrupted          stored versions or positions have a gap
│   └── LogsDiffer            a log to copy or import into holds other commits
├── LogFileDamaged            a file is not a whole exported log               (also ValueError)
├── BusError                  the event bus cannot do what it was asked for
│   ├── BusUnavailable        it did not answer in time
│   └── PublisherReplaced     another publisher took over
├── BucketError               a server's administrator must act
│   ├── AccessDenied          the server refused the credentials, or they lack a right
│   └── IncompatibleBucket    this version of eventhus cannot work with the bucket
├── KeyParked                 a key of a view or process waits for ``retry`` or ``skip``
├── DocumentDamaged           the stored value of a key of a view or process cannot be read
├── ReaderStopped             a view or a process cannot handle an event
├── ReaderBusy                another process works on a view, process, group or the relay
└── Superseded                a newer version of a process is in charge

Messages never quote the data of events, commands or states, because it may be personal. The same
holds for errors that are raised while data is encoded or decoded: a ``CodecError`` names the class
of such an error and is not chained to it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from attrs import define, field

from eventhus.namesakes import namesake
from eventhus.printable import printable

if TYPE_CHECKING:
    from eventhus.domain.recorded import StreamId

__all__ = [
    "AccessDenied",
    "BucketError",
    "BusError",
    "BusUnavailable",
    "CodecError",
    "CommandIdReused",
    "CommitTooLarge",
    "CompositionError",
    "ConcurrencyError",
    "ConditionFailed",
    "ConflictError",
    "DocumentDamaged",
    "EventhusError",
    "IncompatibleBucket",
    "InvalidArgument",
    "InvalidCommit",
    "InvalidCursor",
    "KeyParked",
    "LeaseLost",
    "LogChanged",
    "LogCorrupted",
    "LogFileDamaged",
    "LogsDiffer",
    "NotRunning",
    "OutcomeUnknown",
    "PublisherReplaced",
    "ReaderBusy",
    "ReaderStopped",
    "Rejected",
    "StoreError",
    "StoreUnavailable",
    "Superseded",
    "TooManyConflicts",
    "UndeclaredEvent",
    "UndeclaredIndex",
    "UnknownCommand",
    "UsageError",
    "VersionRetired",
    "ViewChanged",
    "WrongAnswer",
]


class EventhusError(Exception):
    """The base class of every error of this library."""

    # Filled with the fields of the error. Errors without a template show their arguments.
    _message: ClassVar[str] = ""

    def __str__(self) -> str:
        return printable(
            self._message.format_map(vars(self)) if self._message else super().__str__()
        )


class Rejected(EventhusError):
    """The domain refused a command; nothing has changed.

    Subclass it once per reason and raise the subclass from ``decide``:

    >>> class InsufficientFunds(Rejected):
    ...     '''The account holds less than was asked for.'''
    """

    __str__ = Exception.__str__  # the domain's text, as it is


class UsageError(EventhusError):
    """The calling program is wrong. Trying again does not help; the code must change."""


class CompositionError(UsageError, TypeError):
    """The parts of an application do not fit together. Raised before anything is written."""


class InvalidArgument(UsageError, ValueError):
    """An argument does not have the form that it must have; nothing was done."""


class WrongAnswer(UsageError, TypeError):
    """A function of the domain returned something that it must not, such as ``None`` for events.

    It is told by the class of what was returned, never by its data.
    """


@define(eq=False, slots=False)
class UndeclaredIndex(UsageError, LookupError):
    """No declared index of a view answers a question: the code must declare one.

    Attributes:
        view: The name of the view.
        problem: Why not.
        missing: What to add to the indexes of the view; empty if that does not help.
        advice: What to do instead.
    """

    view: str
    problem: str
    missing: str = ""
    advice: str = ""

    def __str__(self) -> str:
        advice = self.advice or (
            f"add {self.missing} to indexes=[...] of the view, and raise its version if the field "
            f"is new to them"
        )
        return f"view {self.view}: {self.problem}; {advice}"


@define(eq=False, slots=False)
class InvalidCursor(InvalidArgument):
    """A cursor is not one that ``find`` has returned for this question.

    Attributes:
        view: The name of the view.
        is_of_another: Whether it is a cursor of another question.
    """

    view: str
    is_of_another: bool

    def __str__(self) -> str:
        found = "belongs to another question" if self.is_of_another else "is not a cursor"
        return (
            f"after of view {self.view} {found}; pass page.cursor, with the same where and order_by"
        )


class NotRunning(UsageError, RuntimeError):
    """An application, a store or a bus was used before it was entered or after it was left.

    An application also raises it when another event loop than the one that entered it uses it.
    """


def _tuple(classes: Iterable[type]) -> tuple[type, ...]:
    return tuple(classes)


# Not slotted: the templates read vars(), and pickle and copy then need no help.
@define(eq=False, slots=False)
class UnknownCommand(UsageError, LookupError):
    """No aggregate of the application handles commands of this class.

    Attributes:
        command: The class of the command.
        known: The classes of commands that the application handles.
    """

    command: type
    known: tuple[type, ...] = field(converter=_tuple)

    def __str__(self) -> str:
        known = ", ".join(sorted(cls.__name__ for cls in self.known)) or "none"
        advice = namesake(self.command, self.known) or (
            f"add its aggregate to the application, which handles: {known}"
        )
        return (
            f"no aggregate handles {self.command.__module__}.{self.command.__qualname__}; {advice}"
        )


@define(eq=False, slots=False)
class UndeclaredEvent(UsageError, TypeError):
    """``decide`` produced a value whose class the aggregate does not declare as an event.

    Attributes:
        aggregate_type: The name of the aggregate.
        event: The class of the value.
        declared: The classes that the aggregate declares.
    """

    aggregate_type: str
    event: type
    declared: tuple[type, ...] = field(default=(), converter=_tuple)

    def __str__(self) -> str:
        advice = namesake(self.event, self.declared) or (
            "add it to the event annotation of evolve, or to events=(...)"
        )
        return (
            f"decide of {self.aggregate_type} produced {self.event.__qualname__}, which is not one "
            f"of its events; {advice}"
        )


@define(eq=False, slots=False)
class ViewChanged(UsageError, TypeError):
    """A version of a view was built from other events, values or indexed fields than it now has.

    Attributes:
        view: The name of the view.
        version: The version.
        topic: The part that has changed: ``events``, ``values`` or ``indexed fields``.
        found: The lines of that part that only the stored version has, as one text.
        declared: The lines of that part that only the declared version has, as one text.
        newest: The newest version that the store holds.
    """

    view: str
    version: int
    topic: str
    found: str
    declared: str
    newest: int

    def __str__(self) -> str:
        return (
            f"version {self.version} of view {self.view} was built from the {self.topic} "
            f"({self.found}), and is declared with ({self.declared}); raise its version to "
            f"{self.newest + 1}, which is built beside the others"
        )


@define(eq=False, slots=False)
class VersionRetired(UsageError, LookupError):
    """A version of a view is not in the store, which holds a later one: it was pruned or skipped.

    Attributes:
        view: The name of the view.
        version: The version that is not there.
        newest: The newest version that is there.
    """

    view: str
    version: int
    newest: int

    _message = (
        "version {version} of view {view} is not in the store, which holds version {newest}; "
        "deploy the newer code, or raise the version above {newest}"
    )


@define(eq=False, slots=False)
class CommandIdReused(UsageError, ValueError):
    """A command id that identifies a commit of one stream was sent with a command for another.

    Attributes:
        command_id: The id that was used twice.
        stream: The stream of the command that was refused.
        first: The stream whose commit holds the id.
    """

    command_id: str
    stream: StreamId
    first: StreamId
    _message = (
        "command id {command_id!r} was sent to {stream}, but it already identifies a command of "
        "{first}; give every command an id of its own"
    )


class ConflictError(EventhusError):
    """Another writer was first; nothing was written."""


@define(eq=False, slots=False)
class ConcurrencyError(ConflictError):
    """The stream is not at the version that the writer expected (optimistic concurrency).

    Attributes:
        stream: The stream that the append was for.
        expected: The version that the writer expected the stream to end at.
        actual: The version that it ended at when the append was refused.
    """

    stream: StreamId
    expected: int
    actual: int
    _message = (
        "{stream} is at version {actual}, not {expected}; load it again and decide on its new state"
    )


@define(eq=False, slots=False)
class ConditionFailed(ConflictError):
    """An event that matches a commit's condition was stored after the position that it names.

    Attributes:
        stream: The stream that the append was for, the first if there are several.
        after: The position up to which the writer had looked at the log.
        position: The position of an event after it that matches.
    """

    stream: StreamId
    after: int
    position: int
    _message = (
        "the commit for {stream} was decided on the log up to position {after}, and the event at "
        "position {position} matches its condition; read again and decide on what is there now"
    )


@define(eq=False, slots=False)
class TooManyConflicts(ConflictError):
    """A command was decided several times, and each time another writer was faster.

    Attributes:
        stream: The stream that the append was for.
        attempts: How many times the command was decided.
    """

    stream: StreamId
    attempts: int
    _message = (
        "other writers changed {stream} during each of {attempts} attempts to decide a command; "
        "send the command again later"
    )


@define(eq=False, slots=False)
class CodecError(EventhusError, ValueError):
    """Data does not fit its class, or a value cannot be turned into data.

    Attributes:
        type: The stored name, or the class that was encoded or decoded.
        field: The path to the part that does not fit, such as ``"seats[2].row"``;
            empty if the whole value does not fit.
        problem: The problem in words.
        stream: The stream of the stored event; ``None`` if the value was about to be written.
        version: The version of the stored event in its stream.
    """

    type: str
    field: str
    problem: str
    stream: StreamId | None = None
    version: int | None = None

    def __str__(self) -> str:
        where = f" (in {self.stream}, version {self.version})" if self.stream else ""
        name = f"{self.type}.{self.field}" if self.field else self.type
        return printable(f"{name}: {self.problem}{where}")

    def at(self, stream: StreamId, version: int) -> CodecError:
        """Return the same error, located at a stored event."""
        return CodecError(self.type, self.field, self.problem, stream, version)


class StoreError(EventhusError):
    """The event store cannot do what it was asked for."""


@define(eq=False, slots=False)
class StoreUnavailable(StoreError):
    """The store could not be reached or did not answer in time. Nothing was written to the log.

    Attributes:
        bucket: The bucket of the store.
        problem: What happened, in words.
    """

    bucket: str
    problem: str
    _message = (
        "the store of bucket {bucket!r} is not available: {problem}; "
        "try again once its server answers"
    )


@define(eq=False, slots=False)
class OutcomeUnknown(StoreError):
    """A commit was sent, then the store could not be reached: the commit may have been stored.

    Appending the same commit again is safe, and so is sending the command again with the same
    ``command_id``: either is stored at most once.

    Attributes:
        bucket: The bucket of the store.
        problem: What happened, in words.
        stream: The stream of the commit.
        commit_id: The id of the commit.
    """

    bucket: str
    problem: str
    stream: StreamId
    commit_id: str
    _message = (
        "commit {commit_id} of {stream} was sent to the store of bucket {bucket!r} and may have "
        "been stored: {problem}; append the same commit again, send the command again with the "
        "same command_id, or look at the stream"
    )


class InvalidCommit(StoreError, ValueError):
    """The store cannot store this commit; nothing was written."""


@define(eq=False, slots=False)
class CommitTooLarge(StoreError, ValueError):
    """A commit is larger than the largest document of the store; nothing was sent.

    Attributes:
        stream: The stream of the commit.
        size: The size of the commit as the store would keep it, in bytes.
        limit: The largest size that the store keeps, in bytes.
    """

    stream: StreamId
    size: int
    limit: int
    _message = (
        "the commit for {stream} takes {size:,} bytes, and the store keeps at most {limit:,}; "
        "decide on fewer or smaller events at once, and keep large content elsewhere"
    )


@define(eq=False, slots=False)
class LeaseLost(StoreError):
    """A lease is no longer held, so the write that it protects was refused.

    The lease expired or was deleted, or a holder with a higher fencing token has written since.

    Attributes:
        name: The name of the lease, or of the checkpoint that was saved under it.
        token: The fencing token that is no longer valid.
    """

    name: str
    token: int
    _message = (
        "the lease {name!r} with fencing token {token} is no longer held: it expired, was deleted, "
        "or a later holder has written; stop the work that it protects and acquire it again"
    )


@define(eq=False, slots=False)
class LogCorrupted(StoreError):
    """Stored versions or positions are not 1, 2, 3, …, so nothing read can be trusted.

    Attributes:
        stream: The stream that was read; ``None`` if it was the whole log.
        expected: The version or position that comes next when counting.
        actual: The version or position that the store returned instead.
    """

    stream: StreamId | None
    expected: int
    actual: int

    def __str__(self) -> str:
        where = "the log" if self.stream is None else str(self.stream)
        return printable(
            f"{where} is at {self.actual} according to the store, but counting its events gives "
            f"{self.expected}; stop writing to it and compare the store with its last backup"
        )


@define(eq=False, slots=False)
class LogChanged(StoreError):
    """The log has another history than a reader has read, as after the restore of a backup.

    The reader stops, because otherwise it would mix results of the lost events with the new ones.

    Attributes:
        reader: The view, the process or the relay.
        position: The position of the reader's checkpoint.
        expected: The id of the event that the reader has read there.
        actual: The id of the event that the log has there now; empty if the log ends before it.
    """

    reader: str
    position: int
    expected: str
    actual: str

    def __str__(self) -> str:
        there = f"event {self.actual}" if self.actual else "no event"
        return printable(
            f"{self.reader} has read event {self.expected} at position {self.position}, and the "
            f"log has {there} there: it is not the same log. Restore both to the same point, or "
            f"start again: app.reset(view) rebuilds a view, app.republish() sends the log again, "
            f"and a process starts again under a new name"
        )


@define(eq=False, slots=False)
class LogsDiffer(StoreError):
    """Two logs that should be equal hold different commits. One of them may be a file.

    Attributes:
        position: The position at which they differ.
        expected: The id of the commit that belongs there.
        actual: The id of the commit that the log holds instead, which may be the same id with
            other content, or at another place; empty if the log ends before the position.
    """

    position: int
    expected: str
    actual: str

    def __str__(self) -> str:
        there = f"has commit {self.actual}" if self.actual else "ends before it"
        if self.actual == self.expected:
            there = "has it with other content or at another place"
        return printable(
            f"commit {self.expected} belongs at position {self.position}, and the log {there}; use "
            f"an empty log, or one that begins with the same commits"
        )


@define(eq=False, slots=False)
class LogFileDamaged(EventhusError, ValueError):
    """A file is not a whole exported log.

    Attributes:
        path: The path of the file.
        line: The number of the line that does not fit, from 1.
        problem: The problem in words.
    """

    path: str
    line: int
    problem: str
    _message = (
        "{path} is damaged in line {line}: {problem}; fetch the file again, or export the log again"
    )


class BusError(EventhusError):
    """The event bus cannot do what it was asked for."""


@define(eq=False, slots=False)
class BusUnavailable(BusError):
    """The bus could not be reached or did not confirm in time. The messages may have arrived.

    Publishing them again is safe: subscribers expect repeats.

    Attributes:
        bucket: The bucket of the bus.
        problem: What happened, in words.
    """

    bucket: str
    problem: str
    _message = (
        "the bus of bucket {bucket!r} is not available: {problem}; "
        "try again once its server answers"
    )


@define(eq=False, slots=False)
class PublisherReplaced(BusError):
    """Another publisher has published since this one began, so this one must not publish more.

    Attributes:
        bucket: The bucket of the bus.
    """

    bucket: str
    _message = (
        "another publisher has published on the bus of bucket {bucket!r}; "
        "check that this process still leads, then begin again with a new publisher"
    )


@define(eq=False, slots=False)
class BucketError(EventhusError):
    """A store or a bus cannot use the bucket: its server needs a change. Nothing was written.

    Attributes:
        bucket: The bucket.
        problem: What does not fit and what to do, in words.
    """

    bucket: str
    problem: str


class AccessDenied(BucketError):
    """A server refused the credentials, or they lack a right."""

    _message = "access to bucket {bucket!r} was denied: {problem}"


class IncompatibleBucket(BucketError):
    """This version of eventhus cannot work with the bucket."""

    _message = "bucket {bucket!r} cannot be used: {problem}"


@define(eq=False, slots=False)
class KeyParked(EventhusError):
    """A key of a view or a process is parked: one of its events could not be handled.

    Its later events wait, and the other keys go on.

    Attributes:
        reader: The view or the process.
        key: The key.
        position: The position of the event in the log.
        error: The name of the class of the error.
    """

    reader: str
    key: str
    position: int
    error: str
    _message = (
        "key {key!r} of {reader} is parked: {error} was raised at position {position}; mend the "
        "code and call app.retry, or leave the event out with app.skip"
    )


@define(eq=False, slots=False)
class DocumentDamaged(EventhusError):
    """The stored value of a key of a view or a process is not plain data. Other keys go on.

    Attributes:
        reader: The view or the process.
        key: The key.
    """

    reader: str
    key: str
    _message = (
        "the stored value of key {key!r} of {reader} is not plain data, so another program has "
        "changed it; the next event of the key parks it, and app.retry then folds it from the log"
    )


@define(eq=False, slots=False)
class ReaderStopped(EventhusError):
    """A view or a process cannot handle an event, and stops before it.

    It tries again and again. The ``__cause__`` is the error that stops it.

    Attributes:
        reader: The view or the process.
        stream: The stream of the event.
        version: The version of the event in its stream.
        position: The position of the event in the log.
        problem: What stops it, in words.
    """

    reader: str
    stream: StreamId
    version: int
    position: int
    problem: str
    _message = (
        "{reader} stopped at {stream}, version {version}: {problem}; "
        "it continues once the running code can handle that event"
    )


@define(eq=False, slots=False)
class ReaderBusy(EventhusError):
    """Another process works on a view, a process, a group or as the relay; nothing was changed.

    Attributes:
        reader: The view, the process, the group or the relay, or the work on it.
    """

    reader: str
    _message = (
        "another process is working on {reader}; wait until it is done, or stop it if it belongs "
        "to another version or to a restored log, and try again"
    )


@define(eq=False, slots=False)
class Superseded(EventhusError):
    """A newer version of a process has taken over, so this one does nothing.

    It would send commands again that the newer one has sent.

    Attributes:
        reader: The process.
        version: The version that is running here.
        newest: The version that is in charge.
    """

    reader: str
    version: int
    newest: int
    _message = (
        "version {newest} of {reader} has taken over from version {version}, which must stop; "
        "deploy version {newest}, or give this code a higher one"
    )
