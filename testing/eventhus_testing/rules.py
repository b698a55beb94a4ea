"""The rules that hold for every aggregate, checked whatever a spec is about."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property, lru_cache
from typing import Any, Generic, TypeAlias, TypeVar, get_args

from attrs import frozen

from eventhus import (
    Aggregate,
    Catalog,
    CodecError,
    Command,
    CompositionError,
    EventData,
    Rejected,
    UndeclaredEvent,
)
from eventhus.ports import Codec
from eventhus.runtime.serializer import EventSerializer
from eventhus_cattrs import CattrsCodec
from eventhus_testing.comparing import before_it_changes, same
from eventhus_testing.difference import differences

C = TypeVar("C", bound=Command)
E = TypeVar("E")
S = TypeVar("S")
T = TypeVar("T")


@frozen(kw_only=True)
class Rules:
    """The rules that are checked besides what a spec says. Each can be switched off.

    Attributes:
        unchanged: ``decide`` and ``evolve`` leave what they are given as it was, lists and dicts
            inside it too.
        repeatable: ``decide``, asked again, gives the same answer.
        declared: Each event that ``decide`` produces is of a class that the aggregate declares.
        evolvable: ``evolve`` accepts each event that ``decide`` produces, and returns a state.
        stored: Each event, given or produced, comes back from the codec as it was.
        snapshot: So does each state, and goes on as it would have. Applications need it only where
            they take snapshots.
    """

    unchanged: bool = True
    repeatable: bool = True
    declared: bool = True
    evolvable: bool = True
    stored: bool = True
    snapshot: bool = True


ALL = Rules()


class RuleBroken(AssertionError):
    """Something breaks one of the rules.

    Attributes:
        rule: The name of the rule: of the argument of ``Rules`` that switches it off.
        problem: What happened, as a sentence with the aggregate as its subject left out.
        notes: The differing parts, a line each; often none.
    """

    def __init__(
        self, rule: str, problem: str, notes: Iterable[str] = (), *, text: str | None = None
    ) -> None:
        self.rule = rule
        self.problem = problem
        self.notes = tuple(notes)
        super().__init__(text or "\n".join([f"{problem} (rule: {rule})", *self.notes]))

    def told(self, text: str) -> RuleBroken:
        """The same, with another text, which tells the story around it."""
        return RuleBroken(self.rule, self.problem, self.notes, text=text)


def referee(aggregate: Aggregate[C, E, S], rules: Rules, codec: Codec | None) -> Referee[C, E, S]:
    """The referee of an aggregate, made once for each choice of rules.

    Args:
        aggregate: Whose rules are to be checked.
        rules: Which of them.
        codec: Encodes events and states; ``None`` takes the one of ``eventhus_cattrs``.

    Raises:
        RuleBroken: The codec cannot handle the events or the state at all.
    """
    if codec is not None and type(codec).__hash__ is None:
        return Referee(aggregate, rules, codec)
    return _referee(aggregate, rules, codec)  # type: ignore[arg-type]  # see above


@lru_cache(maxsize=256)  # compiling what encodes events takes longer than a spec
def _referee(aggregate: Aggregate[C, E, S], rules: Rules, codec: Codec | None) -> Referee[C, E, S]:
    return Referee(aggregate, rules, codec or CattrsCodec())


class Referee(Generic[C, E, S]):
    """Calls the functions of an aggregate and sees to it that they keep the rules."""

    def __init__(self, aggregate: Aggregate[C, E, S], rules: Rules, codec: Codec) -> None:
        self.aggregate = aggregate
        self.rules = rules
        self._codec = codec
        self._none_is_a_state = _admits_none(aggregate)
        if rules.stored:
            _ = self._serializer  # to fail early
        if rules.snapshot:
            _ = self._state_coders

    def decide(self, command: C, state: S) -> tuple[E, ...]:
        """The events that ``decide`` answers with.

        Raises:
            Rejected: It refused.
            RuleBroken: It did not keep a rule.
        """
        __tracebackhide__ = True
        command_before = before_it_changes(command) if self.rules.unchanged else None
        state_before = before_it_changes(state) if self.rules.unchanged else None
        answer = self._answer(command, state)
        check_unchanged("decide", "command", command_before, command)
        check_unchanged("decide", "state", state_before, state)
        if self.rules.repeatable:
            self._check_repeatable(answer, self._answer(command, state))
        if isinstance(answer, Rejected):
            raise answer
        for event in answer:
            self.check_stored(event)
        return answer

    def evolve(self, state: S, event: E) -> S:
        """The state after an event that has happened, be it made up.

        Raises:
            RuleBroken: ``evolve`` did not keep a rule. What it raises itself travels on.
        """
        __tracebackhide__ = True
        if not self.rules.unchanged:
            return self._state_of(self.aggregate.evolve(state, event))
        state_before = before_it_changes(state)
        event_before = before_it_changes(event)
        after = self.aggregate.evolve(state, event)
        check_unchanged("evolve", "state", state_before, state)
        check_unchanged("evolve", "event", event_before, event)
        return self._state_of(after)

    def evolve_decided(self, state: S, event: E) -> S:
        """The state after an event that ``decide`` has produced, which ``evolve`` must accept.

        Raises:
            RuleBroken: ``evolve`` did not keep a rule, or raised.
        """
        __tracebackhide__ = True
        try:
            after = self.evolve(state, event)
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
        """See that an event comes back from the codec as it was.

        Raises:
            RuleBroken: It does not.
        """
        __tracebackhide__ = True
        if not self.rules.stored or type(event) not in self.aggregate.events:
            return
        serializer = self._serializer
        check_round_trip("stored", event, lambda e: serializer.decode(serializer.encode(e)))

    def check_snapshot(self, state: S) -> None:
        """See that a state comes back from the codec as it was.

        Raises:
            RuleBroken: It does not.
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
        from_snapshot = self.aggregate.evolve(decode(encode(state)), event)
        if not same(after, from_snapshot):
            raise RuleBroken(
                "snapshot",
                f"a state that was restored from a snapshot goes on otherwise: {from_snapshot!r}",
                differences(after, from_snapshot, words=("events", "snapshot")),
            )

    def _answer(self, command: C, state: S) -> tuple[E, ...] | Rejected:
        __tracebackhide__ = True
        try:
            if self.rules.declared:
                return self.aggregate.decided(command, state)
            return tuple(self.aggregate.decide(command, state))
        except Rejected as refusal:
            return refusal
        except UndeclaredEvent as undeclared:
            raise RuleBroken("declared", str(undeclared)) from undeclared

    def _state_of(self, after: S) -> S:
        __tracebackhide__ = True
        if after is None and self.rules.evolvable and not self._none_is_a_state:
            raise RuleBroken("evolvable", "evolve returned None; return the state from every case")
        return after

    def _check_repeatable(
        self, first: tuple[E, ...] | Rejected, second: tuple[E, ...] | Rejected
    ) -> None:
        __tracebackhide__ = True
        if isinstance(first, Rejected) and isinstance(second, Rejected):
            if (type(first), str(first)) == (type(second), str(second)):
                return
        elif same(first, second):
            return
        raise RuleBroken(
            "repeatable",
            "decide gave two answers to the same question; pass what it depends on in the command",
            [f"first {_answer_text(first)}", f"then {_answer_text(second)}"],
        )

    def read(self, stored: EventData) -> E:
        """The event that a store holds as this.

        Raises:
            CodecError: It cannot be read.
        """
        event: E = self._serializer.decode(stored)
        return event

    @cached_property
    def _serializer(self) -> EventSerializer:
        catalog = Catalog([self.aggregate])
        return compiled(
            "stored",
            f"the events of {self.aggregate.name}",
            lambda: EventSerializer(catalog, self._codec),
        )

    @cached_property
    def _state_coders(self) -> Coders:
        return coders("snapshot", self.aggregate.name, self.aggregate.state_type, self._codec)


def check_unchanged(function: str, what: str, before: Any, now: Any) -> None:
    """See that what a function was given is as it was.

    Args:
        function: Its name.
        what: What it was given.
        before: What ``before_it_changes`` said.
        now: The value itself, after the call.

    Raises:
        RuleBroken: It is not.
    """
    __tracebackhide__ = True
    if before is None or same(before, now):
        return
    raise RuleBroken(
        "unchanged",
        f"{function} changed the {what} that it was given; make a new one instead",
        differences(before, now, words=("before", "after"))
        or [f"before {before!r}, after {now!r}"],
    )


def check_round_trip(rule: str, value: Any, there_and_back: Callable[[Any], Any]) -> None:
    """See that a value comes back from the codec as it was.

    Raises:
        RuleBroken: It does not, or cannot be encoded.
    """
    __tracebackhide__ = True
    try:
        back = there_and_back(value)
    except CodecError as error:
        raise RuleBroken(rule, f"{value!r} cannot be stored", [str(error)]) from error
    if not same(value, back):
        raise RuleBroken(
            rule,
            f"{value!r} comes back from the codec as {back!r}",
            differences(value, back, words=("given", "back")),
        )


Coders: TypeAlias = tuple[Callable[[Any], Any], Callable[[Any], Any]]
"""An encoder and a decoder."""


def coders(rule: str, name: str, as_type: Any, codec: Codec | None) -> Coders:
    """What encodes and decodes the states of an aggregate, or the values of what else folds.

    Args:
        rule: The rule that asks for it.
        name: Of what it is the state.
        as_type: Its type.
        codec: As for ``referee``.

    Raises:
        RuleBroken: The codec cannot handle the type.
    """
    __tracebackhide__ = True
    if codec is not None and type(codec).__hash__ is None:
        return _coders.__wrapped__(rule, name, as_type, codec)
    return _coders(rule, name, as_type, codec)  # type: ignore[arg-type]  # see above


@lru_cache(maxsize=256)
def _coders(rule: str, name: str, as_type: Any, codec: Codec | None) -> Coders:
    __tracebackhide__ = True
    codec = codec or CattrsCodec()
    return compiled(
        rule, f"the state of {name}", lambda: (codec.encoder(as_type), codec.decoder(as_type))
    )


def compiled(rule: str, what: str, compile_: Callable[[], T]) -> T:
    """What the codec has for some types.

    Args:
        rule: The rule that asks for it.
        what: What it is for; for the message.
        compile_: Asks the codec.

    Raises:
        RuleBroken: It cannot handle them.
    """
    __tracebackhide__ = True
    try:
        return compile_()
    except CompositionError as error:
        raise RuleBroken(
            rule,
            f"there is no codec for {what}",
            [str(error), f"pass codec=CattrsCodec(Hook(...)), or rules=Rules({rule}=False)"],
        ) from error


def _admits_none(aggregate: Aggregate[Any, Any, Any]) -> bool:
    state_type = aggregate.state_type
    return (
        aggregate.initial is None
        or state_type in (Any, object, None, type(None))
        or type(None) in get_args(state_type)
    )


def _answer_text(answer: tuple[object, ...] | Rejected) -> str:
    if isinstance(answer, Rejected):
        return f"refused with {type(answer).__qualname__}: {answer}"
    return ", ".join(map(repr, answer)) or "nothing"
