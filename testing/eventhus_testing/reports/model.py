"""The data of a report: plain values that can be sent from one process to another."""

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
class Kind:
    """A class of commands, events or refusals.

    Attributes:
        id: Tells it from others of its name.
        name: Its name, in words.
        meaning: The first sentences of its docstring.
    """

    id: str
    name: str
    meaning: str = ""


@frozen
class Subject:
    """The aggregate, view or process that specs are about.

    Attributes:
        nature: An aggregate, a view or a process.
        name: Its name.
        module: Where its functions are defined.
        meaning: What the module says of itself.
        commands: The commands of an aggregate.
        events: The events of an aggregate, or those that a view or process handles.
        refusals: The classes of ``Rejected`` that ``decide`` may raise.
    """

    nature: str
    name: str
    module: str
    meaning: str = ""
    commands: tuple[Kind, ...] = ()
    events: tuple[Kind, ...] = ()
    refusals: tuple[Kind, ...] = ()

    @property
    def key(self) -> tuple[str, str, str]:
        """The identity of the subject."""
        return self.nature, self.name, self.module


@frozen
class Seen:
    """A command and one outcome of it.

    Attributes:
        command: The command; ``None`` where something else was the cause.
        event: An event that it produced.
        refusal: The refusal that it met. With neither, the command changed nothing.
    """

    command: Kind | None
    event: Kind | None = None
    refusal: Kind | None = None


@frozen
class Passage:
    """A word, such as "given", and the phrases after it."""

    word: str
    phrases: tuple[Phrase, ...]


@frozen
class Spec:
    """A spec in words.

    Attributes:
        passages: Its steps and checks.
        status: Whether it holds, fails, or is expected to fail.
        failure: The text of the failure.
    """

    passages: tuple[Passage, ...]
    status: str = HOLDS
    failure: str = ""


@frozen(kw_only=True)
class TestRecord:
    """The specs of one test about one subject.

    Attributes:
        subject: What it is about.
        id: Of the test, as pytest has it, without the parameters.
        title: The name of the test, in words.
        meaning: Its docstring.
        path: The file.
        line: Where the test starts there, from 0.
        case: The parameters, as pytest writes them.
        generated: Whether Hypothesis generated the values.
        specs: Some of its specs, without duplicates.
        more: The number of specs left out.
        seen: The outcomes of commands in specs that hold.
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
    seen: tuple[Seen, ...] = ()


def to_plain(record: TestRecord) -> dict[str, Any]:
    """Return a test's record as dicts, lists and strings, which pytest-xdist can send.

    The strings are printable and encodable, whatever the values in them.
    """
    plain: dict[str, Any] = _converter.unstructure(record)
    return plain


def from_plain(plain: Mapping[str, Any]) -> TestRecord:
    """Return the record that ``to_plain`` made plain."""
    return _converter.structure(plain, TestRecord)


_converter = cattrs.Converter()
_converter.register_unstructure_hook(str, printable_lines)
