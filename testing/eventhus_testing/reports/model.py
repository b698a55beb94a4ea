"""The data of reports, which workers of pytest-xdist can send."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cattrs
from attrs import frozen

from eventhus_testing.reports.words import Phrase
from eventhus_testing.texts.printable import printable_lines

HOLDS, FAILS, PENDING = "holds", "fails", "pending"

AGGREGATE, VIEW, PROCESS = "aggregate", "view", "process"


@frozen
class Term:
    """A class of commands, events or refusals.

    Attributes:
        id: The qualified name of the class.
        name: The name in words.
        meaning: The first sentences of its docstring.
    """

    id: str
    name: str
    meaning: str = ""


@frozen
class Subject:
    """The aggregate, view or process that specs are about.

    Attributes:
        nature: ``AGGREGATE``, ``VIEW`` or ``PROCESS``.
        name: The name.
        module: The module of its functions.
        meaning: The first paragraph of the module's docstring.
        commands: The commands of an aggregate.
        events: The events of an aggregate, or those that a view or process handles.
        refusals: The classes of ``Rejected`` that ``decide`` may raise.
    """

    nature: str
    name: str
    module: str
    meaning: str = ""
    commands: tuple[Term, ...] = ()
    events: tuple[Term, ...] = ()
    refusals: tuple[Term, ...] = ()

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
        outcomes: The outcomes of commands in specs that hold.
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
