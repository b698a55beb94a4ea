"""Passes events to a view or a process and checks that it keeps the rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, TypeVar, cast

from attrs import evolve

from eventhus import Process, Recorded, View
from eventhus.domain.process_events import PROCESS_EVENTS
from eventhus.ports import Codec
from eventhus_cattrs import CattrsCodec
from eventhus_testing.rules.missing_cases import admits_none, missing_case, return_annotation
from eventhus_testing.rules.rules import Rules, call_checked, check_round_trip, coders, made_once
from eventhus_testing.values.defensive_copies import defensive_copy

E = TypeVar("E")
V = TypeVar("V")


@made_once
def fold_checker(
    subject: View[E, V] | Process[E, V], rules: Rules, codec: Codec | None
) -> FoldChecker[E, V]:
    """Return the checker of a view or a process. Checkers are cached.

    Args:
        subject: The view or the process to check.
        rules: The rules to check.
        codec: Encodes events and values; the default is a ``CattrsCodec``.

    Raises:
        RuleBroken: The codec does not support an event class or the value type.
    """
    return FoldChecker(subject, rules, codec or CattrsCodec())


class FoldChecker(Generic[E, V]):
    """A caller of ``key`` and ``evolve`` of a view or a process that checks the rules.

    Attributes:
        subject: The view or the process.
        rules: The rules to check.
        kind: "view" or "process".
        word: "value" for a view, "state" for a process.
    """

    def __init__(self, subject: View[E, V] | Process[E, V], rules: Rules, codec: Codec) -> None:
        self.subject = subject
        self.rules = rules
        is_view = isinstance(subject, View)
        self.kind, self.word = ("view", "value") if is_view else ("process", "state")
        self._none_deletes = is_view
        self._none_is_a_value = _none_is_a_value(subject)
        if not rules.stored:
            return
        name = f"{self.kind} {subject.name}"
        as_type = subject.view_type if isinstance(subject, View) else subject.state_type
        self._of_values = coders("stored", f"the {self.word} of {name}", as_type, codec)
        self._of_events = {
            cls: coders("stored", f"{cls.__qualname__}, which {name} handles", cls, codec)
            for cls in subject.events
            if cls not in PROCESS_EVENTS  # the codec never sees them
        }

    def restored(self, value: V) -> V:
        """Return a value after a round trip through the codec."""
        encode, decode = self._of_values
        restored: V = decode(encode(value))
        return restored

    def check_stored(self, event: E) -> None:
        """Check that an event survives a round trip through the codec.

        Raises:
            RuleBroken: The decoded value differs.
        """
        __tracebackhide__ = True
        if self.rules.stored:
            encode, decode = self._of_events[type(event)]
            check_round_trip("stored", event, lambda e: decode(encode(e)))

    def keys(self, recorded: Recorded[E]) -> tuple[str, ...]:
        """Return the keys that an event maps to, possibly none.

        Raises:
            RuleBroken: ``key`` broke a rule.
        """
        __tracebackhide__ = True
        return call_checked(
            self.rules,
            "key",
            lambda event: self.subject.keys(evolve(recorded, event=event)),
            event=recorded.event,
        )

    def folded(self, values: Mapping[str, V], key: str, recorded: Recorded[E]) -> Mapping[str, V]:
        """Return the values of all keys after one more event of ``key``.

        Raises:
            RuleBroken: ``evolve`` broke a rule, or the new value does not survive the codec.
        """
        __tracebackhide__ = True
        value = values[key] if key in values else defensive_copy(self.subject.initial)
        after = call_checked(
            self.rules,
            "evolve",
            lambda value, event: self.subject.next(key, value, evolve(recorded, event=event)),
            **{self.word: value, "event": recorded.event},
        )
        if after is None and self.rules.evolvable and not self._none_is_a_value:
            deletes = ("to delete the value, annotate what evolve returns with `| None`",)
            notes = deletes if self._none_deletes else ()
            raise missing_case(recorded.event, self.word, notes)
        if after is None and self._none_deletes:
            return {each: value for each, value in values.items() if each != key}
        if self.rules.stored:
            encode, decode = self._of_values
            check_round_trip("stored", after, lambda v: decode(encode(v)))
        return {**values, key: cast("V", after)}  # None is a valid process state


def _none_is_a_value(subject: View[Any, Any] | Process[Any, Any]) -> bool:
    if isinstance(subject, View):  # whether its values can be deleted
        return admits_none(return_annotation(subject.evolve))
    return subject.initial is None or admits_none(subject.state_type)
