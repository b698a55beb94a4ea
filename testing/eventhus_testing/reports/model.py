"""What a report is made of: plain values, which can travel from one process to another."""

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
    """What specs are about.

    Attributes:
        nature: An aggregate, a view or a process.
        name: Its name.
        module: Where its functions are defined.
        meaning: What the module says of itself.
        commands: What it takes; of a view or a process, nothing.
        events: What happens to it, or what it is shown.
        refusals: What ``decide`` may refuse with.
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
        """Tells it from others."""
        return self.nature, self.name, self.module


@frozen
class Seen:
    """A command that was carried out, and one thing that came of it.

    Attributes:
        command: The command; ``None`` where something else was the cause.
        event: An event that it made happen.
        refusal: What it was refused with. Where there is neither, nothing happened.
    """

    command: Kind | None
    event: Kind | None = None
    refusal: Kind | None = None


@frozen
class Passage:
    """A word, such as "given", and what stands behind it."""

    word: str
    phrases: tuple[Phrase, ...]


@frozen
class Spec:
    """A story and what was checked of it, in words.

    Attributes:
        passages: The story.
        status: Whether it holds, fails, or is expected to fail.
        failure: The text of the failure.
    """

    passages: tuple[Passage, ...]
    status: str = HOLDS
    failure: str = ""


@frozen(kw_only=True)
class Told:
    """What one test tells about one subject.

    Attributes:
        subject: What it is about.
        id: Of the test, as pytest has it, without the parameters.
        title: The name of the test, in words.
        meaning: Its docstring.
        path: The file.
        line: Where the test starts there, from 0.
        case: The parameters, as pytest writes them.
        generated: Whether the values were made up by hypothesis.
        specs: Some of its specs, and never two that read the same.
        more: How many others there are.
        seen: What came of the commands of specs that hold.
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


def to_plain(told: Told) -> dict[str, Any]:
    """Return a test's record as dicts, lists and strings, which pytest-xdist can send.

    The strings are printable and encodable, whatever the values in them.
    """
    plain: dict[str, Any] = _converter.unstructure(told)
    return plain


def from_plain(plain: Mapping[str, Any]) -> Told:
    """The same again."""
    return _converter.structure(plain, Told)


_converter = cattrs.Converter()
_converter.register_unstructure_hook(str, printable_lines)
