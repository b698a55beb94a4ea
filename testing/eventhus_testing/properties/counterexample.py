"""Shows how an aggregate breaks, as a test to paste."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import pytest
from attrs import evolve, field, frozen

from eventhus import Aggregate
from eventhus.ports import Codec, EventData
from eventhus_testing.python_source.functions import visible_name
from eventhus_testing.python_source.imports import Imports
from eventhus_testing.python_source.layout import WIDTH, Brackets, Chain, Node, Part, call, laid_out
from eventhus_testing.python_source.values import source_of
from eventhus_testing.rules.rules import ALL, Rules
from eventhus_testing.texts.page import Passage, page

KIT = "eventhus_testing"

_INVITATION = """\
This test shows the smallest case found. Paste it: it fails until the bug is fixed."""


class Counterexample(AssertionError, pytest.fail.Exception):  # type: ignore[name-defined,misc]
    """A broken property. For an aggregate, the text ends with a test that shows it.

    It derives from a failure of pytest, because pytest prints only those without a mark in front
    of each line, ready to be copied.

    Attributes:
        spec: The test: import lines and a function. Empty where whole applications disagree with
            their aggregate, which the text tells in steps.
    """

    __module__ = "builtins"  # as pytest's own: its summary has room for little more than the name

    def __init__(self, text: str, spec: str) -> None:
        self.spec = spec
        super().__init__(text)
        self.msg = text
        self.pytrace = False

    def __str__(self) -> str:
        return str(self.msg)


Statement: TypeAlias = tuple[str, Node]
"""What stands before some source, such as ``outcome = ``, and the source."""

Body: TypeAlias = Callable[[Imports], Sequence[Statement]]
"""Makes the statements of a test."""

Ending: TypeAlias = Callable[[Imports], Brackets]
"""Makes the last link of a spec, which says what is expected."""


@frozen(kw_only=True)
class Subject:
    """The aggregate under test and the other arguments of ``spec``."""

    aggregate: Aggregate[Any, Any, Any]
    rules: Rules = ALL
    codec: Codec | None = None

    def name(self, imports: Imports) -> str:
        """How to write the aggregate."""
        aggregate = self.aggregate
        homes = [getattr(each, "__module__", "") for each in (aggregate.decide, aggregate.evolve)]
        homes += [cls.__module__ for cls in aggregate.events]
        name = visible_name(aggregate, imports, homes)
        if name is None:
            name = snake(aggregate.name)
            imports.note(f"{name} is the aggregate that you gave to check_aggregate")
        return name

    def codec_name(self, imports: Imports) -> Node:
        """How to write the codec."""
        name = visible_name(self.codec, imports, [])
        if name is None:
            name = "codec"
            imports.note("codec is the one that you gave to check_aggregate")
        return name

    def spec(self, imports: Imports) -> Brackets:
        """The call of ``spec``."""
        named: dict[str, Node] = {}
        name = self.name(imports)
        if self.rules != ALL:
            named["rules"] = source_of(self.rules, imports)
        if self.codec is not None:
            named["codec"] = self.codec_name(imports)
        return call(imports.name(KIT, "spec"), name, **named)


@frozen(kw_only=True)
class Breach:
    """A broken property, and a way to show it.

    Attributes:
        subject: Whose property it is.
        problem: What does not hold; the aggregate's name goes before it.
        name: Names the test: what should hold, in words joined by underscores.
        meaning: The same, as a sentence.
        story: How it came about, for a reader.
        body: Makes the statements of the test.
    """

    subject: Subject
    problem: str
    name: str
    meaning: str
    story: Sequence[Passage]
    body: Body

    def counterexample(self, remark: str = "") -> Counterexample:
        """The error to raise.

        Args:
            remark: What else is to be said of it.
        """
        spec = self.spec()
        headline = f"{self.subject.aggregate.name}: {self.problem}"
        paragraphs = [page(headline, self.story), remark, _INVITATION, spec]
        return Counterexample("\n\n".join(filter(None, paragraphs)), spec)

    def spec(self) -> str:
        """The source of the test."""
        imports = Imports()
        body = [laid_out(node, indent=4, before=before) for before, node in self.body(imports)]
        docstring = _docstring(self.meaning)
        test = [f"def test_{self.name}() -> None:", f'    """{docstring}"""', *body]
        return "\n".join([*imports.lines(), "", "", *test, ""])


@frozen(kw_only=True)
class CommandStep:
    """A command at work, up to one of its events: what a test has to do again.

    Attributes:
        subject: The aggregate.
        given: The events before.
        state: What they led to.
        command: The command.
        decided: What it led to, as far as that is known.
        number: How many of these count; ``None`` for all.
    """

    subject: Subject
    given: Sequence[Any]
    state: Any
    command: Any
    decided: Sequence[Any] = field(default=())
    number: int | None = None

    def chain(self, imports: Imports, ending: Ending | None) -> Chain:
        """The spec."""
        links = [self.subject.spec(imports)]
        if self.given:
            links.append(_link("given", self.given, imports))
        if self.number is None or self.number == len(self.decided):
            links.append(_link("when", [self.command], imports))
        else:
            # A spec looks at the state after all events of a command; this one is in between.
            parts = [Part("", source_of(event, imports)) for event in self.decided[: self.number]]
            events = Brackets("[", parts, "]")
            links.append(Brackets(".when_called(", [Part("lambda _: ", events)], ")"))
        if ending is not None:
            links.append(ending(imports))
        return Chain(links)

    def body(self, ending: Ending | None) -> Body:
        """A test that consists of the spec."""
        return lambda imports: [("", self.chain(imports, ending))]

    def up_to(self, number: int) -> CommandStep:
        """The same, when only the first events count."""
        return evolve(self, number=number)


def stored_body(subject: Subject, stored: Sequence[EventData], ending: Ending | None) -> Body:
    """A test that reads what is stored."""

    def body(imports: Imports) -> Sequence[Statement]:
        links = [subject.spec(imports), _link("when_stored", stored, imports)]
        return [("", Chain([*links, ending(imports)] if ending else links))]

    return body


def expecting(method: str, *values: Any) -> Ending:
    """An ending that expects some values."""
    return lambda imports: _link(method, values, imports)


def _link(method: str, values: Sequence[Any], imports: Imports) -> Brackets:
    return Brackets(f".{method}(", [Part("", source_of(each, imports)) for each in values], ")")


def snake(name: str) -> str:
    """A name of a class as one of a function: ``PerformDeposit`` is ``perform_deposit``."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return re.sub(r"\W+", "_", words).strip("_").lower()


def _docstring(meaning: str) -> str:
    room = WIDTH - len('    """."""')
    return f"{meaning}." if len(meaning) <= room else f"{meaning[: room - 3].rstrip()}..."
