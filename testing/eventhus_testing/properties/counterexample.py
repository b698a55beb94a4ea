"""Writes broken properties of aggregates, decisions and processes as tests to paste."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import pytest
from attrs import evolve, field, frozen

from eventhus.ports import Codec, EventData
from eventhus_testing.python_source.functions import visible_name
from eventhus_testing.python_source.imports import Imports
from eventhus_testing.python_source.layout import WIDTH, Brackets, Chain, Item, Node, call, laid_out
from eventhus_testing.python_source.values import source_of
from eventhus_testing.rules.rules import ALL, Rules
from eventhus_testing.texts.page import Passage, page

KIT = "eventhus_testing"

UNKNOWN: Any = object()
"""The state of a decision whose boundary failed."""

_INVITATION = """\
This test shows the smallest case found. Paste it: it fails until the bug is fixed."""


class Counterexample(AssertionError, pytest.fail.Exception):  # type: ignore[name-defined,misc]
    """A broken property. The text ends with a test that reproduces it.

    It derives from pytest's failure, because pytest prints only the lines of those without an
    ``E`` in front, so that they can be copied.

    Attributes:
        spec: The test: import lines and a function. Empty for an ``AggregateMachine``, whose text
            lists the steps instead.
    """

    __module__ = "builtins"  # pytest's short summary omits the name of this module

    def __init__(self, text: str, spec: str) -> None:
        self.spec = spec
        super().__init__(text)
        self.msg = text
        self.pytrace = False

    def __str__(self) -> str:
        return str(self.msg)


Statement: TypeAlias = tuple[str, Node]
"""A prefix such as ``outcome = ``, and the source after it."""

Body: TypeAlias = Callable[[Imports], Sequence[Statement]]
"""A function that returns the statements of a test."""

Then: TypeAlias = Callable[[Imports], Brackets]
"""A function that returns the last call of a spec, such as ``.then_nothing()``."""


@frozen(kw_only=True)
class SpecArguments:
    """The arguments of ``spec``, and its options.

    Attributes:
        decider: The aggregate, the decision, the transaction or the process under test.
        rules: The rules.
        codec: The codec, if it is not the default.
    """

    decider: Any
    rules: Rules = ALL
    codec: Codec | None = None

    @property
    def kind(self) -> str:
        """Return "aggregate", "decision", "transaction" or "process"."""
        return type(self.decider).__name__.lower()

    def name(self, imports: Imports) -> str:
        """Return the name of the subject in the source."""
        what = f"the {self.kind} that was passed to check_{self.kind}"
        return subject_name(self.decider, imports, what)

    def codec_name(self, imports: Imports) -> Node:
        """Return the codec's name in the source."""
        name = visible_name(self.codec, imports, [])
        if name is None:
            name = "codec"
            imports.note(f"codec is the one that was passed to check_{self.kind}")
        return name

    def spec(self, imports: Imports) -> Brackets:
        """Return the call of ``spec``."""
        named: dict[str, Node] = {}
        name = self.name(imports)
        if self.rules != ALL:
            named["rules"] = source_of(self.rules, imports)
        if self.codec is not None:
            named["codec"] = self.codec_name(imports)
        return call(imports.name(KIT, "spec"), name, **named)


def subject_name(subject: Any, imports: Imports, what: str) -> str:
    """Return the name of an aggregate, a decision, a transaction or a process in the source.

    Args:
        subject: The aggregate, the decision, the transaction or the process.
        imports: Collects the import.
        what: A description for a note, if it cannot be imported.
    """
    functions = [getattr(subject, name, None) for name in ("decide", "split", "react", "evolve")]
    homes = [getattr(each, "__module__", "") for each in functions if each is not None]
    homes += [cls.__module__ for cls in getattr(subject, "events", ())]
    name = visible_name(subject, imports, homes)
    if name is None:
        name = snake(subject.name)
        imports.note(f"{name} is {what}")
    return name


@frozen(kw_only=True)
class Breach:
    """A broken property, with what a counterexample needs.

    Attributes:
        arguments: The subject and its options.
        problem: The problem, to follow the name of the subject.
        after: The command after which the invariant does not hold; empty for other problems.
        name: The name of the test without ``test_``. It says what should hold.
        meaning: The same as a sentence.
        passages: The steps that led to the problem.
        body: Returns the statements of the test.
    """

    arguments: SpecArguments
    problem: str
    after: str = ""
    name: str
    meaning: str
    passages: Sequence[Passage]
    body: Body

    def counterexample(self, remark: str = "") -> Counterexample:
        """Return the error to raise.

        Args:
            remark: A paragraph to add.
        """
        spec = self.spec()
        after = f" after {self.after}" if self.after else ""
        headline = f"{self.arguments.decider.name}: {self.problem}{after}"
        paragraphs = [page(headline, self.passages), remark, _INVITATION, spec]
        return Counterexample("\n\n".join(filter(None, paragraphs)), spec)

    def spec(self) -> str:
        """Return the source of the test."""
        imports = Imports()
        body = [laid_out(node, indent=4, prefix=prefix) for prefix, node in self.body(imports)]
        docstring = _docstring(self.meaning)
        test = [f"def test_{self.name}() -> None:", f'    """{docstring}"""', *body]
        return "\n".join([*imports.lines(), "", "", *test, ""])


@frozen(kw_only=True)
class CommandStep:
    """A command and its events so far, which a test has to reproduce.

    Attributes:
        arguments: The subject and its options.
        given: The earlier events.
        state: The state that the command was decided on, or ``UNKNOWN``.
        command: The command.
        decided: The events that the command led to, as far as known.
        number: The number of these to reproduce; ``None`` for all.
    """

    arguments: SpecArguments
    given: Sequence[Any]
    state: Any
    command: Any
    decided: Sequence[Any] = field(default=())
    number: int | None = None

    def chain(self, imports: Imports, then: Then | None) -> Chain:
        """Return the source of the spec."""
        links = [self.arguments.spec(imports), *self.given_links(imports)]
        if self.number is None or self.number == len(self.decided):
            links.append(_link("when", [self.command], imports))
        else:
            # A spec checks the state after all events of a command. To check it after some of
            # them, the command is replaced by a function that returns those.
            parts = [Item("", source_of(event, imports)) for event in self.decided[: self.number]]
            events = Brackets("[", parts, "]")
            links.append(Brackets(".when_called(", [Item("lambda _: ", events)], ")"))
        if then is not None:
            links.append(then(imports))
        return Chain(links)

    def given_links(self, imports: Imports) -> Iterator[Brackets]:
        """Yield the calls of a spec that give the earlier events."""
        if self.given:
            yield _link("given", self.given, imports)

    def body(self, then: Then | None) -> Body:
        """Return the body of a test that consists of the spec."""
        return lambda imports: [("", self.chain(imports, then))]

    def up_to(self, number: int) -> CommandStep:
        """Return a step that reproduces only the first events."""
        return evolve(self, number=number)


def stored_body(arguments: SpecArguments, stored: Sequence[EventData], then: Then | None) -> Body:
    """Return the body of a test that reads stored events."""

    def body(imports: Imports) -> Sequence[Statement]:
        links = [arguments.spec(imports), _link("when_stored", stored, imports)]
        return [("", Chain([*links, then(imports)] if then else links))]

    return body


def expecting(method: str, *values: Any) -> Then:
    """Return a ``then`` that expects these values."""
    return lambda imports: _link(method, values, imports)


def _link(method: str, values: Sequence[Any], imports: Imports) -> Brackets:
    return Brackets(f".{method}(", [Item("", source_of(each, imports)) for each in values], ")")


def snake(name: str) -> str:
    """Convert a name to snake case: ``PerformDeposit`` becomes ``perform_deposit``."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return re.sub(r"\W+", "_", words).strip("_").lower()


def _docstring(meaning: str) -> str:
    room = WIDTH - len('    """."""')
    return f"{meaning}." if len(meaning) <= room else f"{meaning[: room - 3].rstrip()}..."
