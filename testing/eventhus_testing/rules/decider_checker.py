"""Handles commands of an aggregate or a decision and checks that it keeps the rules."""

from __future__ import annotations

from functools import cached_property
from typing import Generic, TypeVar

import attrs

from eventhus import Aggregate, Command, Decision, Query, Rejected
from eventhus.domain.catalog import Catalog
from eventhus.domain.decider import Decider
from eventhus.errors import UndeclaredEvent
from eventhus.ports import Codec, EventData
from eventhus_cattrs import CattrsCodec
from eventhus_testing.app_internals import EventSerializer
from eventhus_testing.matching.difference import differences
from eventhus_testing.rules.boundaries import check_guarded
from eventhus_testing.rules.missing_cases import admits_none, missing_case
from eventhus_testing.rules.rules import (
    Coders,
    RuleBroken,
    Rules,
    call_checked,
    check_round_trip,
    coders,
    compiled,
    made_once,
)
from eventhus_testing.values.comparing import same

C = TypeVar("C", bound=Command)
E = TypeVar("E")
S = TypeVar("S")


@made_once
def decider_checker(
    decider: Decider[C, E, S], rules: Rules, codec: Codec | None
) -> DeciderChecker[C, E, S]:
    """Return the checker of an aggregate or a decision. Checkers are cached.

    Args:
        decider: The aggregate or the decision to check.
        rules: The rules to check.
        codec: Encodes events and states; the default is a ``CattrsCodec``.

    Raises:
        RuleBroken: The codec does not support an event class or the state type.
    """
    return DeciderChecker(decider, rules, codec or CattrsCodec())


class DeciderChecker(Generic[C, E, S]):
    """A caller of the functions of an aggregate or a decision that checks the rules.

    Attributes:
        decider: The aggregate or the decision.
        rules: The rules to check.
    """

    def __init__(self, decider: Decider[C, E, S], rules: Rules, codec: Codec) -> None:
        self.decider = decider
        self.rules = rules
        # Calling evolve twice for each given event would double the cost of a long history. Specs
        # that produce the events with decide check them.
        self._single_call_rules = attrs.evolve(rules, repeatable=False)
        self._codec = codec
        self._none_is_a_state = decider.initial is None or admits_none(decider.state_type)
        if rules.stored:
            _ = self._serializer  # fail early
        if rules.snapshot:
            _ = self._state_coders

    def boundary(self, command: C) -> Query | None:
        """Return the boundary of a decision for a command; ``None`` for an aggregate.

        Raises:
            RuleBroken: ``boundary`` broke a rule.
            TypeError: It returned no query, or asks for something else than its events.
        """
        __tracebackhide__ = True
        if not isinstance(self.decider, Decision):
            return None
        return call_checked(self.rules, "boundary", self.decider.query, command=command)

    def finds(self, query: Query | None, event: E) -> bool:
        """Tell whether a boundary finds an event. Without one, every event is found."""
        if query is None or not isinstance(self.decider, Decision):
            return True
        return self.decider.concerns(query, event)

    def decide(self, command: C, state: S, query: Query | None = None) -> tuple[E, ...]:
        """Return the events that ``decide`` produces.

        Args:
            command: The command.
            state: The state; that of a decision is folded from the events that the query finds.
            query: The boundary of the command.

        Raises:
            Rejected: ``decide`` refused the command.
            RuleBroken: ``decide`` broke a rule, or the boundary does not guard its events.
        """
        __tracebackhide__ = True
        answer = call_checked(self.rules, "decide", self._answer, command=command, state=state)
        if isinstance(answer, Rejected):
            raise answer
        for event in answer:
            self.check_stored(event)
        if self.rules.guarded and query is not None and isinstance(self.decider, Decision):
            for event in answer:
                check_guarded(self.decider, command, query, event)
        return answer

    def evolve(self, state: S, event: E) -> S:
        """Return the state after a given event. An exception of ``evolve`` propagates.

        Raises:
            RuleBroken: ``evolve`` broke a rule.
        """
        __tracebackhide__ = True
        return self._evolve(self._single_call_rules, state, event)

    def _evolve(self, rules: Rules, state: S, event: E) -> S:
        __tracebackhide__ = True
        after = call_checked(rules, "evolve", self.decider.evolve, state=state, event=event)
        if after is None and self.rules.evolvable and not self._none_is_a_state:
            raise missing_case(event, "state")
        return after

    def evolve_decided(self, state: S, event: E) -> S:
        """Return the state after an event that ``decide`` produced.

        Raises:
            RuleBroken: ``evolve`` broke a rule or raised an exception.
        """
        __tracebackhide__ = True
        try:
            after = self._evolve(self.rules, state, event)
        except RuleBroken:
            raise
        except Exception as error:
            if not self.rules.evolvable:
                raise
            problem = (
                f"evolve raised {type(error).__name__} on an event that decide produced: {event!r}"
            )
            raise RuleBroken("evolvable", problem, [str(error)] if str(error) else []) from error
        self._check_restored(state, event, after)
        return after

    def check_stored(self, event: E) -> None:
        """Check that an event survives a round trip through the codec, and check its tags.

        Raises:
            RuleBroken: The decoded value differs, or the function for its tags broke a rule.
        """
        __tracebackhide__ = True
        if self.rules.stored and type(event) in self.decider.events:
            serializer = self._serializer
            check_round_trip("stored", event, lambda e: serializer.decode(serializer.encode(e)))
        if type(event) in self.decider.tags:
            call_checked(self.rules, "tags", self.decider.tags_of, event=event)

    def check_snapshot(self, state: S) -> None:
        """Check that a state survives a round trip through the codec.

        Raises:
            RuleBroken: The decoded value differs.
        """
        __tracebackhide__ = True
        if not self.rules.snapshot:
            return
        encode, decode = self._state_coders
        check_round_trip("snapshot", state, lambda s: decode(encode(s)))

    def _check_restored(self, state: S, event: E, after: S) -> None:
        __tracebackhide__ = True
        if not self.rules.snapshot:
            return
        encode, decode = self._state_coders
        from_snapshot = self.decider.evolve(decode(encode(state)), event)
        if not same(after, from_snapshot):
            raise RuleBroken(
                "snapshot",
                f"a state restored from a snapshot evolves differently: {from_snapshot!r}",
                differences(after, from_snapshot, words=("events", "snapshot")),
            )

    def _answer(self, command: C, state: S) -> tuple[E, ...] | Rejected:
        __tracebackhide__ = True
        try:
            if self.rules.declared:
                return self.decider.decided(command, state)
            return tuple(self.decider.decide(command, state))
        except Rejected as refusal:
            return refusal
        except UndeclaredEvent as undeclared:
            raise RuleBroken("declared", str(undeclared)) from undeclared

    def read(self, stored: EventData) -> E:
        """Decode a stored event.

        Raises:
            CodecError: The stored event cannot be decoded.
        """
        event: E = self._serializer.decode(stored)
        return event

    @cached_property
    def _serializer(self) -> EventSerializer:
        decider = self.decider
        aggregates = [decider] if isinstance(decider, Aggregate) else []
        decisions = [decider] if isinstance(decider, Decision) else []
        catalog = Catalog(aggregates, decisions)
        return compiled(
            "stored",
            f"the events of {self.decider.name}",
            lambda: EventSerializer(catalog, self._codec),
        )

    @cached_property
    def _state_coders(self) -> Coders:
        name, as_type = self.decider.name, self.decider.state_type
        return coders("snapshot", f"the state of {name}", as_type, self._codec)
