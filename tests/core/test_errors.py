"""The tree of errors: shape, messages, pickling and copying."""

import copy
import pickle
import re

import pytest

from eventhus import ConcurrencyError, EventhusError, Rejected, StreamId, errors
from eventhus.errors import (
    AccessDenied,
    BucketError,
    BusError,
    BusUnavailable,
    CodecError,
    CommandIdReused,
    CommitTooLarge,
    CompositionError,
    ConditionFailed,
    ConflictError,
    DocumentDamaged,
    IncompatibleBucket,
    InvalidArgument,
    InvalidCommit,
    InvalidCursor,
    KeyParked,
    LeaseLost,
    LogChanged,
    LogCorrupted,
    LogFileDamaged,
    LogsDiffer,
    NotRunning,
    OutcomeUnknown,
    PublisherReplaced,
    ReaderBusy,
    ReaderStopped,
    StoreError,
    StoreUnavailable,
    Superseded,
    TooManyConflicts,
    UndeclaredEvent,
    UndeclaredIndex,
    UnknownCommand,
    UsageError,
    VersionRetired,
    ViewChanged,
    WrongAnswer,
)

STREAM = StreamId("Account", "a1")


class InsufficientFunds(Rejected):
    """As a domain defines it."""


class Deposit:
    """Stands for a command or an event."""


class Withdraw:
    """Another."""


# One of each, with the message that its reader gets.
MESSAGES: list[tuple[EventhusError, str]] = [
    (EventhusError("said by the library"), "said by the library"),
    (InsufficientFunds("300 wanted"), "300 wanted"),
    (Rejected(), ""),
    (CompositionError("does not fit"), "does not fit"),
    (NotRunning("not entered"), "not entered"),
    (
        UnknownCommand(Deposit, [Withdraw, Deposit]),
        (
            f"no aggregate handles {__name__}.Deposit; add its aggregate to the application, which "
            f"handles: Deposit, Withdraw"
        ),
    ),
    (
        WrongAnswer("react of lost returned None instead of commands"),
        "react of lost returned None instead of commands",
    ),
    (
        UndeclaredEvent("Account", Deposit),
        (
            "decide of Account produced Deposit, which is not one of its events; add it to the "
            "event annotation of evolve, or to events=(...)"
        ),
    ),
    (
        UndeclaredIndex("orders", "'x' is not an indexed field", "'x'"),
        (
            "view orders: 'x' is not an indexed field; add 'x' to indexes=[...] of the view, and "
            "raise its version if the field is new to them"
        ),
    ),
    (
        UndeclaredIndex("orders", "a range alone has no order", "", "order by a field of where"),
        "view orders: a range alone has no order; order by a field of where",
    ),
    (
        InvalidCursor("orders", is_of_another=True),
        (
            "after of view orders belongs to another question; pass page.cursor, with the same "
            "where and order_by"
        ),
    ),
    (
        InvalidCursor("orders", is_of_another=False),
        (
            "after of view orders is not a cursor; pass page.cursor, with the same where and "
            "order_by"
        ),
    ),
    (
        ViewChanged("orders", 1, "events", "Opened", "Opened; Paid", 2),
        (
            "version 1 of view orders was built from the events (Opened), and is declared with "
            "(Opened; Paid); raise its version to 3, which is built beside the others"
        ),
    ),
    (
        VersionRetired("orders", 1, 3),
        (
            "version 1 of view orders is not in the store, which holds version 3; deploy the newer "
            "code, or raise the version above 3"
        ),
    ),
    (
        ConcurrencyError(STREAM, 3, 4),
        "Account/a1 is at version 4, not 3; load it again and decide on its new state",
    ),
    (
        ConditionFailed(STREAM, 7, 9),
        (
            "the commit for Account/a1 was decided on the log up to position 7, and the event at "
            "position 9 matches its condition; read again and decide on what is there now"
        ),
    ),
    (
        TooManyConflicts(STREAM, 10),
        (
            "other writers changed Account/a1 during each of 10 attempts to decide a command; "
            "send the command again later"
        ),
    ),
    (
        CommandIdReused("k1", STREAM, StreamId("Account", "a2")),
        (
            "command id 'k1' was sent to Account/a1, but it already identifies a command of "
            "Account/a2; give every command an id of its own"
        ),
    ),
    (CodecError("Deposited", "", "is not a mapping"), "Deposited: is not a mapping"),
    (CodecError("Deposited", "seats[2].row", "missing"), "Deposited.seats[2].row: missing"),
    (
        CodecError("Deposited", "amount", "missing", STREAM, 7),
        "Deposited.amount: missing (in Account/a1, version 7)",
    ),
    (InvalidArgument("not an id"), "not an id"),
    (InvalidCommit("no events"), "no events"),
    (
        LogChanged("view balances", 3, "c1-3", "c2-1"),
        (
            "view balances has read event c1-3 at position 3, and the log has event c2-1 there: it "
            "is not the same log. Restore both to the same point, or start again: app.reset(view) "
            "rebuilds a view, app.republish() sends the log again, and a process starts again "
            "under a new name"
        ),
    ),
    (
        LogChanged("relay", 3, "c1-3", ""),
        (
            "relay has read event c1-3 at position 3, and the log has no event there: it is not "
            "the same log. Restore both to the same point, or start again: app.reset(view) "
            "rebuilds a view, app.republish() sends the log again, and a process starts again "
            "under a new name"
        ),
    ),
    (
        Superseded("process orders", 1, 2),
        (
            "version 2 of process orders has taken over from version 1, which must stop; "
            "deploy version 2, or give this code a higher one"
        ),
    ),
    (
        ReaderBusy("view balances"),
        (
            "another process is working on view balances; wait until it is done, or stop it if it "
            "belongs to another version or to a restored log, and try again"
        ),
    ),
    (
        LogCorrupted(STREAM, 3, 5),
        (
            "Account/a1 is at 5 according to the store, but counting its events gives 3; "
            "stop writing to it and compare the store with its last backup"
        ),
    ),
    (
        LogCorrupted(None, 3, 5),
        (
            "the log is at 5 according to the store, but counting its events gives 3; "
            "stop writing to it and compare the store with its last backup"
        ),
    ),
    *(
        (
            LogsDiffer(7, "c1", actual),
            (
                f"commit c1 belongs at position 7, and the log {there}; use an empty log, or one "
                f"that begins with the same commits"
            ),
        )
        for actual, there in (
            ("c2", "has commit c2"),
            ("", "ends before it"),
            ("c1", "has it with other content or at another place"),
        )
    ),
    (
        LogFileDamaged("bank.ndjson", 7, "it ends in the middle"),
        (
            "bank.ndjson is damaged in line 7: it ends in the middle; fetch the file again, or "
            "export the log again"
        ),
    ),
    (
        CommitTooLarge(STREAM, 17_000_000, 16_777_216),
        (
            "the commit for Account/a1 takes 17,000,000 bytes, and the store keeps at most "
            "16,777,216; decide on fewer or smaller events at once, and keep large content "
            "elsewhere"
        ),
    ),
    (
        StoreUnavailable("bank", "no server could be reached"),
        (
            "the store of bucket 'bank' is not available: no server could be reached; "
            "try again once its server answers"
        ),
    ),
    (
        OutcomeUnknown("bank", "the server did not answer in time", STREAM, "c1"),
        (
            "commit c1 of Account/a1 was sent to the store of bucket 'bank' and may have been "
            "stored: the server did not answer in time; append the same commit "
            "again, send the command again with the same command_id, or look at the stream"
        ),
    ),
    (
        BusUnavailable("bank", "no server could be reached"),
        (
            "the bus of bucket 'bank' is not available: no server could be reached; "
            "try again once its server answers"
        ),
    ),
    (
        PublisherReplaced("bank"),
        (
            "another publisher has published on the bus of bucket 'bank'; check that this process "
            "still leads, then begin again with a new publisher"
        ),
    ),
    (
        ReaderStopped("view balances", StreamId("Account", "a1"), 3, 9, "KeyError was raised"),
        (
            "view balances stopped at Account/a1, version 3: KeyError was raised; it continues "
            "once the running code can handle that event"
        ),
    ),
    (
        DocumentDamaged("view balances", "a\n1"),
        (
            "the stored value of key 'a\\n1' of view balances is not plain data, so another "
            "program has changed it; the next event of the key parks it, and app.retry then folds "
            "it from the log"
        ),
    ),
    (
        KeyParked("view balances", "a\n1", 9, "KeyError"),
        (
            "key 'a\\n1' of view balances is parked: KeyError was raised at position 9; mend the "
            "code and call app.retry, or leave the event out with app.skip"
        ),
    ),
    (
        LeaseLost("relay", 3),
        (
            "the lease 'relay' with fencing token 3 is no longer held: it expired, was deleted, or "
            "a later holder has written; stop the work that it protects and acquire it again"
        ),
    ),
    (
        AccessDenied("bank", "MongoDB refused the credentials"),
        "access to bucket 'bank' was denied: MongoDB refused the credentials",
    ),
    (
        IncompatibleBucket("bank", "its events are a view"),
        "bucket 'bank' cannot be used: its events are a view",
    ),
]
each_error = pytest.mark.parametrize(
    "error", [error for error, _ in MESSAGES], ids=lambda error: type(error).__name__
)


def test_every_error_has_its_message_here() -> None:
    """A new error needs a message that somebody has read. Families are never raised themselves."""
    families = {family.__name__ for family, _ in FAMILIES}
    assert set() == set(errors.__all__) - {type(error).__name__ for error, _ in MESSAGES} - families


@pytest.mark.parametrize(
    ("error", "expected"), MESSAGES, ids=[type(error).__name__ for error, _ in MESSAGES]
)
def test_errors_build_their_own_message(error: EventhusError, expected: str) -> None:
    assert expected == str(error)


@each_error
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_errors_can_be_pickled(error: EventhusError, protocol: int) -> None:
    error.add_note("seen by the worker")
    arrived = pickle.loads(pickle.dumps(error, protocol))
    assert type(error) is type(arrived)
    assert str(error) == str(arrived)
    assert error.args == arrived.args
    assert vars(error) == vars(arrived)


@each_error
def test_errors_can_be_copied(error: EventhusError) -> None:
    """Libraries that retry or record do so."""
    assert (str(error), vars(error)) == (str(copy.copy(error)), vars(copy.copy(error)))


def drawn() -> dict[str, tuple[str, str]]:
    """The drawing on top of the module: each error, what it hangs from, and its builtin."""
    tree: dict[str, tuple[str, str]] = {}
    path: list[str] = []  # from the root to the line before
    drawing = (errors.__doc__ or "").split("\n\n")[1]
    for line in drawing.splitlines():
        branch, name = re.findall(r"^([│├└─ ]*)(\w+)", line)[0]
        del path[len(branch) // 4 :]
        builtin = re.findall(r"\(also (\w+)\)$", line)
        tree[name] = (path[-1] if path else "Exception", "".join(builtin))
        path.append(name)
    return tree


def test_the_drawing_of_the_tree_matches_the_classes() -> None:
    actual = {
        name: (cls.__bases__[0].__name__, "".join(base.__name__ for base in cls.__bases__[1:]))
        for name, cls in vars(errors).items()
        if isinstance(cls, type) and issubclass(cls, EventhusError)
    }
    assert actual == drawn()
    assert sorted(actual) == errors.__all__


FAMILIES = [
    (InvalidArgument, [InvalidCursor("v", is_of_another=False)]),
    (
        UsageError,
        [
            InvalidArgument("x"),
            UndeclaredIndex("v", "x"),
            NotRunning("x"),
            UndeclaredEvent("Account", Deposit),
            WrongAnswer("x"),
        ],
    ),
    (
        ConflictError,
        [
            ConcurrencyError(STREAM, 3, 4),
            ConditionFailed(STREAM, 7, 9),
            TooManyConflicts(STREAM, 10),
        ],
    ),
    (StoreError, [StoreUnavailable("bank", "x"), LeaseLost("relay", 3), InvalidCommit("x")]),
    (BusError, [BusUnavailable("bank", "x"), PublisherReplaced("bank")]),
    (BucketError, [AccessDenied("bank", "x"), IncompatibleBucket("bank", "x")]),
]


@pytest.mark.parametrize(("family", "members"), FAMILIES)
def test_a_family_is_caught_by_its_base_class(
    family: type[EventhusError], members: list[EventhusError]
) -> None:
    for error in members:
        with pytest.raises(family):
            raise error


def test_errors_of_one_family_are_not_caught_as_each_other() -> None:
    """Only the base classes of families have subclasses."""
    parents = {getattr(errors, name).__bases__[0] for name in errors.__all__}
    assert parents == {Exception, EventhusError, *(family for family, _ in FAMILIES)}


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (CompositionError("x"), TypeError),
        (NotRunning("x"), RuntimeError),
        (UnknownCommand(Deposit, []), LookupError),
        (UndeclaredEvent("Account", Deposit), TypeError),
        (WrongAnswer("x"), TypeError),
        (ViewChanged("orders", 1, "events", "Opened", "Paid", 1), TypeError),
        (VersionRetired("orders", 1, 3), LookupError),
        (CommandIdReused("k1", STREAM, STREAM), ValueError),
        (CodecError("Deposited", "", "x"), ValueError),
        (InvalidArgument("x"), ValueError),
        (InvalidCommit("x"), ValueError),
        (LogFileDamaged("bank.ndjson", 7, "x"), ValueError),
    ],
)
def test_errors_are_caught_as_their_builtin_base(
    error: EventhusError, builtin: type[Exception]
) -> None:
    with pytest.raises(builtin):
        raise error


def test_errors_expose_their_fields() -> None:
    unknown = UnknownCommand(Deposit, iter([Withdraw]))
    assert (Deposit, (Withdraw,)) == (unknown.command, unknown.known)
    undeclared = UndeclaredEvent("Account", Deposit)
    assert ("Account", Deposit) == (undeclared.aggregate_type, undeclared.event)
    conflict = ConcurrencyError(STREAM, 3, 4)
    assert (STREAM, 3, 4) == (conflict.stream, conflict.expected, conflict.actual)
    failed = ConditionFailed(STREAM, 7, 9)
    assert (STREAM, 7, 9) == (failed.stream, failed.after, failed.position)
    conflicts = TooManyConflicts(STREAM, 10)
    assert (STREAM, 10) == (conflicts.stream, conflicts.attempts)
    reused = CommandIdReused("k1", STREAM, StreamId("Account", "a2"))
    assert ("k1", STREAM, StreamId("Account", "a2")) == (
        reused.command_id,
        reused.stream,
        reused.first,
    )
    corrupted = LogCorrupted(STREAM, 3, 5)
    assert (STREAM, 3, 5) == (corrupted.stream, corrupted.expected, corrupted.actual)


def test_codec_error_at_adds_the_stream_and_version() -> None:
    error = CodecError("Deposited", "amount", "missing")
    assert (None, None) == (error.stream, error.version)
    placed = error.at(STREAM, 7)
    assert ("Deposited", "amount", "missing", STREAM, 7) == placed.args
    assert (STREAM, 7) == (placed.stream, placed.version)
    assert (None, None) == (error.stream, error.version)
