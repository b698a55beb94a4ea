"""Evaluates an invariant, and shows a violation as a test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, TypeVar

from attrs import frozen

from eventhus_testing.matching.excerpts import wrapped
from eventhus_testing.properties.counterexample import Body, Then
from eventhus_testing.python_source.functions import function_source
from eventhus_testing.python_source.imports import Imports
from eventhus_testing.python_source.layout import Brackets, Item, Node, call
from eventhus_testing.texts.page import ACTUAL, NOTE, Passage, mark
from eventhus_testing.values.truth import is_true

S = TypeVar("S")

Invariant: TypeAlias = Callable[[S], "bool | None"]
"""A predicate that returns a bool, or asserts and returns ``None``."""

_MUST = "an invariant is a plain function that returns a bool, or asserts and returns None"


@frozen(kw_only=True)
class Violation:
    """A violation of an invariant by a state.

    Attributes:
        invariant: The invariant.
        name: The name of the invariant.
        raised: True if it raised, rather than returned false.
        notes: The first line of the message.
    """

    invariant: Invariant[Any]
    name: str
    raised: bool = False
    notes: Sequence[str] = ()

    def passages(self, state: object) -> list[Passage]:
        """Return the state as part of a failure text."""
        return [("state", [*mark(ACTUAL, [wrapped(state)]), *mark(NOTE, self.notes)])]

    def verdict(self) -> list[Passage]:
        """Return that the invariant does not hold as part of a failure text."""
        return [
            ("but", [(ACTUAL, f"{self.name} does not hold"), *mark(NOTE, self.notes)]),
        ]

    def body(self, spec: Callable[[Then | None], Body]) -> Body:
        """Return the body of a test, which ends with the invariant or calls it on the state.

        Args:
            spec: Returns the body of a test that consists of a spec with this ``then``.
        """
        return self.called_body(spec, "state") if self.raised else spec(self._matching)

    def called_body(self, spec: Callable[[Then | None], Body], subject: str) -> Body:
        """Return the body of a test that calls the invariant.

        Args:
            spec: As for ``body``.
            subject: The attribute of the outcome to call it on.
        """

        def body(imports: Imports) -> Sequence[tuple[str, Node]]:
            ((_, chain),) = spec(None)(imports)
            function = self._source(imports)
            function = f"({function})" if function.startswith("lambda") else function
            prefix = "" if self.raised else "assert "
            return [("outcome = ", chain), (prefix, call(function, f"outcome.{subject}"))]

        return body

    def _matching(self, imports: Imports) -> Brackets:
        return Brackets(".then_state_matching(", [Item("", self._source(imports))], ")")

    def _source(self, imports: Imports) -> str:
        return function_source(self.invariant, imports, "invariant")


def violation_of(invariant: Invariant[S], state: S) -> Violation | None:
    """Return why an invariant does not hold of a state, or ``None`` if it does.

    Raises:
        TypeError: The invariant returns anything but a truth value (see ``is_true``) or ``None``.
    """
    name = getattr(invariant, "__name__", "<lambda>")
    name = "the invariant" if name == "<lambda>" else name
    try:
        holds: object = invariant(state)
    except Exception as error:  # noqa: BLE001 - an assertion, or any other failure
        kind = "" if type(error) is AssertionError else f"{type(error).__name__}: "
        notes = f"{kind}{error}".strip().splitlines()[:1]
        return Violation(invariant=invariant, name=name, raised=True, notes=notes)
    if holds is None or is_true(holds, name, _MUST):
        return None
    return Violation(invariant=invariant, name=name)
