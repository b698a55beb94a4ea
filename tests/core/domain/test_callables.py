"""Asynchronous functions where pure ones are needed, and the other way round."""

from collections.abc import AsyncIterator, Iterable
from functools import partial
from typing import Any

import pytest
from attrs import frozen

from eventhus import Aggregate, Command, Process, Recorded, View
from eventhus.domain.callables import is_async
from eventhus.errors import CompositionError


@frozen(kw_only=True)
class Switch(Command):
    pass


@frozen
class Switched:
    pass


def decide(command: Switch, count: int) -> Iterable[Switched]:
    return [Switched()]


def evolve(count: int, event: Switched) -> int:
    return count + 1


def key(recorded: Recorded[Switched]) -> str:
    return recorded.stream.aggregate_id


def fold(count: int, recorded: Recorded[Switched]) -> int:
    return count + 1


def react(count: int, recorded: Recorded[Switched]) -> Iterable[Command]:
    return ()


async def coroutine(first: Any, second: Any = None) -> Any:
    return None


async def generator(first: Any, second: Any = None) -> AsyncIterator[Any]:
    yield None


class AsyncCall:
    async def __call__(self, first: Any, second: Any = None) -> Any:
        return None

    async def method(self, first: Any, second: Any = None) -> Any:
        return None


class PlainCall:
    def __call__(self, first: Any, second: Any = None) -> Any:
        return None


def an_aggregate(**changes: Any) -> Aggregate[Any, Any, Any]:
    return Aggregate(
        **{
            "name": "Lamp",
            "initial": 0,
            "decide": decide,
            "evolve": evolve,
            "commands": [Switch],
            "events": [Switched],
            "state_type": int,
            **changes,
        }
    )


def a_view(**changes: Any) -> View[Any, Any]:
    arguments = {"name": "lamps", "initial": 0, "key": key, "evolve": fold, "events": [Switched]}
    return View(**{**arguments, "view_type": int, **changes})


def a_process(**changes: Any) -> Process[Any, Any]:
    arguments = {"name": "lamps", "initial": 0, "key": key, "evolve": fold, "events": [Switched]}
    return Process(**{**arguments, "react": react, "state_type": int, **changes})


SLOTS = [
    (an_aggregate, "decide", "Lamp"),
    (an_aggregate, "evolve", "Lamp"),
    (a_view, "key", "view lamps"),
    (a_view, "evolve", "view lamps"),
    (a_process, "key", "process lamps"),
    (a_process, "evolve", "process lamps"),
    (a_process, "react", "process lamps"),
]


@pytest.mark.parametrize("function", [coroutine, generator, AsyncCall(), partial(coroutine, 1)])
@pytest.mark.parametrize(("make", "argument", "owner"), SLOTS)
def test_an_async_function_is_refused_where_a_pure_one_is_needed(
    make: Any, argument: str, owner: str, function: Any
) -> None:
    with pytest.raises(CompositionError) as caught:
        make(**{argument: function})
    assert (
        f"{owner}: {argument} is async, and must be pure; make it a plain def and await outside of "
        f"the domain"
    ) == str(caught.value)


@pytest.mark.parametrize(("make", "argument", "owner"), SLOTS)
def test_a_value_that_cannot_be_called_is_refused(make: Any, argument: str, owner: str) -> None:
    with pytest.raises(CompositionError) as caught:
        make(**{argument: 3})
    assert f"{owner}: {argument} must be a function, found int" == str(caught.value)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (coroutine, True),
        (partial(coroutine, 1), True),
        (partial(partial(coroutine, 1), 2), True),
        (AsyncCall(), True),
        (AsyncCall().method, True),
        (partial(AsyncCall(), 1), True),
        (AsyncCall, False),
        (PlainCall(), False),
        (generator, False),
        (decide, False),
        (print, False),
        (3, False),
    ],
)
def test_is_async_tells_coroutine_functions_from_others(function: Any, *, expected: bool) -> None:
    assert expected is is_async(function)
