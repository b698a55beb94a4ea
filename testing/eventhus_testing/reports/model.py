"""The data of reports, which workers of pytest-xdist can send."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cattrs
from attrs import frozen

from eventhus_testing.reports.words import Phrase
from eventhus_testing.texts.printable import printable_lines

HOLDS, FAILS, PENDING = "holds", "fails", "pending"

AGGREGATE, DECISION, TRANSACTION = "aggregate", "decision", "transaction"
VIEW, PROCESS = "view", "process"

DECIDING = (AGGREGATE, DECISION, TRANSACTION)
"""The natures of subjects that handle commands."""


@frozen
class Term:
    """A class of commands, events or refusals, or a deadline.

    Attributes:
        id: The qualified name of the class, or the name of the deadline.
        name: The name in words.
        meaning: The first sentences of its docstring.
    """

    id: str
    name: str
    meaning: str = ""


@frozen
class Subject:
    """The part of a domain that specs are about.

    Attributes:
        nature: ``AGGREGATE``, ``DECISION``, ``TRANSACTION``, ``VIEW`` or ``PROCESS``.
        name: The name.
        module: The module of its functions.
        meaning: The first paragraph of the module's docstring.
        commands: The commands of an aggregate, a decision or a transaction.
        events: The events that an aggregate or a decision may produce, or those that a view or
            process handles. The events of a transaction are those of its aggregates.
        refusals: The classes of ``Rejected`` that the functions may raise.
        deadlines: The deadlines that specs arm, if the behaviour of a process is measured.
    """

    nature: str
    name: str
    module: str
    meaning: str = ""
    commands: tuple[Term, ...] = ()
    events: tuple[Term, ...] = ()
    refusals: tuple[Term, ...] = ()
    deadlines: tuple[Term, ...] = ()

    @property
    def key(self) -> tuple[str, str, str]:
        """Return the identity of the subject."""
        return self.nature, self.name, self.module


@frozen
class CommandOutcome:
    """A command and one of its outcomes.

    Attributes:
        command: The command; ``None`` if something else was the cause.
        event: An event that it led to.
        refusal: The refusal that it met. With neither, nothing happened.
    """

    command: Term | None
    event: Term | None = None
    refusal: Term | None = None


@frozen
class Clause:
    """A word, such as "given", and the phrases after it."""

    word: str
    phrases: tuple[Phrase, ...]


@frozen
class Spec:
    """A spec in words.

    Attributes:
        clauses: The clauses of the spec in order.
        status: The result: it holds, fails, or is expected to fail.
        failure: The text of the failure.
    """

    clauses: tuple[Clause, ...]
    status: str = HOLDS
    failure: str = ""


@frozen(kw_only=True)
class TestRecord:
    """The specs of one test about one subject.

    Attributes:
        subject: The subject.
        id: The node id of the test, without the parameters.
        title: The name of the test in words.
        meaning: The first paragraph of its docstring.
        path: The file.
        line: The line where the test starts, from 0.
        case: The id of the parameters.
        generated: True if Hypothesis generated the values.
        specs: Some of the specs, without duplicates.
        more: The number of specs left out.
        outcomes: The outcomes of commands in specs that hold. Reached deadlines of a process are
            events without a command.
        deadlines: The deadlines that a process arms in specs that hold.
    """

    subject: Subject
    id: str
    title: str
    meaning: str
    path: str
    line: int
    case: str = ""
    generated: bool = False
    specs: tuple[Spec, ...] = ()
    more: int = 0
    outcomes: tuple[CommandOutcome, ...] = ()
    deadlines: tuple[Term, ...] = ()


def to_plain(record: TestRecord) -> dict[str, Any]:
    """Return a test's record as dicts, lists and strings, which pytest-xdist can send.

    The strings are printable and encodable, whatever the values in them.
    """
    plain: dict[str, Any] = _converter.unstructure(record)
    return plain


def from_plain(plain: Mapping[str, Any]) -> TestRecord:
    """Restore a record from the result of ``to_plain``."""
    return _converter.structure(plain, TestRecord)


_converter = cattrs.Converter()
_converter.register_unstructure_hook(str, printable_lines)
