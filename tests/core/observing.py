"""An observer that keeps what it is told, and readers that fail."""

from collections.abc import Mapping
from contextvars import ContextVar, Token
from typing import Any

from eventhus import Command, Process, Recorded, View
from eventhus.ports import Ended, Fact, Observation, ObservedApplication, Operation
from tests.bank import Deposited
from tests.core.readers import account_of

HERE = ObservedApplication(bucket="bank", store="MemoryStore", bus="LogBus")

_current: ContextVar[Operation | None] = ContextVar("current", default=None)


class Recorder:
    """Keeps operations with the one that each is inside of, their ends, and facts.

    Args:
        values: The values of every observation.
    """

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self.values = values or {}
        self.operations: list[Operation] = []
        self.parents: list[Operation | None] = []
        self.ends: list[tuple[Operation, Ended]] = []
        self.facts: list[Fact] = []

    def begin(self, operation: Operation) -> Observation | None:
        """See ``Observer.begin``."""
        self.operations.append(operation)
        self.parents.append(_current.get())
        return Recording(self, operation)

    def note(self, fact: Fact) -> None:
        """See ``Observer.note``."""
        self.facts.append(fact)

    def told(self, *kinds: type) -> list[Any]:
        """Return the operations and facts of some kinds, in order."""
        return [each for each in (*self.operations, *self.facts) if isinstance(each, kinds)]

    def outcomes(self, *kinds: type) -> list[str]:
        """Return how the operations of some kinds ended, in order."""
        return [ended.outcome for each, ended in self.ends if isinstance(each, kinds)]

    @property
    def tree(self) -> list[tuple[str, str]]:
        """The names of all operations, each with the one that it is inside of."""
        pairs = zip(self.operations, self.parents, strict=True)
        return [
            (type(each).__name__, "" if parent is None else type(parent).__name__)
            for each, parent in pairs
        ]


class Recording:
    """An operation that a ``Recorder`` was told of."""

    def __init__(self, recorder: Recorder, operation: Operation) -> None:
        self._recorder = recorder
        self._operation = operation
        self._token: Token[Operation | None] = _current.set(operation)

    @property
    def values(self) -> Mapping[str, str]:
        """See ``Observation.values``."""
        return self._recorder.values

    def finish(self, ended: Ended) -> None:
        """See ``Observation.finish``."""
        _current.reset(self._token)
        self._recorder.ends.append((self._operation, ended))


def fails(_: object, __: Recorded[Deposited]) -> int:
    raise KeyError("s3cret")


broken = View(name="broken", initial=0, key=account_of, evolve=fails, view_type=int)


def react_badly(_: object, __: Recorded[Deposited]) -> list[Command]:
    raise KeyError("s3cret")


clumsy: Process[Any, int] = Process(
    name="clumsy",
    key=account_of,
    initial=0,
    events=[Deposited],
    state_type=int,
    evolve=lambda state, _: state,
    react=react_badly,
)
