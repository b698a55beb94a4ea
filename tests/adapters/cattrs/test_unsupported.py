"""Types that cannot be stored faithfully, refused when the application is composed."""

import sys
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import Enum
from typing import (  # noqa: UP035
    Any,
    Final,
    Generic,
    List,
    Literal,
    NamedTuple,
    Self,
    TypedDict,
    TypeVar,
)

import pytest
import typing_extensions
from attrs import frozen

from eventhus.errors import CompositionError
from eventhus_cattrs.classes import careful_coder
from eventhus_cattrs.compiler import Compiler
from tests.adapters.cattrs.support import CODEC, composition_error, through_json

T = TypeVar("T")
ASK = "use an attrs class, or give CattrsCodec a Hook for it"
OTHER = "use an attrs class or another type that the codec stores"
SEQUENCES = "Sequence is not supported; write list[T] or tuple[T, ...]"
ITERABLES = "Iterable is not supported; write list[T] or tuple[T, ...]"
SETS = "Set is not supported; write frozenset[T] or set[T]"
SELF = "Self is not supported; write the name of the class in quotes"
KEYS = (
    "the keys of a dict must be stored as text, as those of str, UUID, Decimal, date and an Enum "
    "of str are; use such keys, or a tuple of pairs"
)


class Sized(Enum):
    """Has a value that is no text and no number."""

    SMALL = 1
    ODD = 1.5


class Huge(Enum):
    """Has a value that does not fit."""

    HUGE = 2**64


class Empty(Enum):
    """Has no members."""


class Gift(Enum):
    """Has one."""

    CARD = "card"


@dataclass(frozen=True)
class Data:
    """Not an attrs class."""


class Pair(NamedTuple):
    """Not an attrs class."""

    first: int


class Options(TypedDict):
    """Not an attrs class."""

    first: int


class MyText(str):
    """A class of text that is not str."""

    __slots__ = ()


class Plain:
    """A class of no kind."""


@pytest.mark.parametrize(
    ("as_type", "message"),
    [
        (Any, "Any: Any does not say which type to decode; name one"),
        (object, "object: object does not say which type to decode; name one"),
        (list, "list: list does not say what it contains; name a type, as in list[int]"),
        (tuple, "tuple: tuple does not say what it contains; name a type, as in list[int]"),
        (Mapping, "Mapping: Mapping does not say what it contains; name a type, as in list[int]"),
        (List, "List: List does not say what it contains; name a type, as in list[int]"),  # noqa: UP006
        (list[Any], "list[Any]: Any does not say which type to decode; name one"),
        (T, "T: T is not bound to a type; name one, as in Box[int]"),
        (Plain, f"Plain: Plain is not supported; {ASK}"),
        (Data, f"Data: Data is not supported; {ASK}"),
        (Pair, f"Pair: Pair is not supported; {ASK}"),
        (Options, "Options: a TypedDict is not supported; use an attrs class, or dict[str, T]"),
        (MyText, f"MyText: MyText is not supported; {ASK}"),
        (complex, f"complex: complex is not supported; {ASK}"),
        (Sequence, f"Sequence: {SEQUENCES}"),
        (Sequence[int], f"Sequence[int]: {SEQUENCES}"),
        (Iterable[str], f"Iterable[str]: {ITERABLES}"),
        (AbstractSet[str], f"Set[str]: {SETS}"),
        (Self, f"Self: {SELF}"),
        (Final[int], "Final[int]: Final is not supported; remove it, a frozen class needs none"),
        (
            OrderedDict[str, int],
            "OrderedDict[str, int]: OrderedDict is not supported; "  # noqa: ISC004
            "write dict[K, V], which keeps its order",
        ),
        (type[int], f"type[int]: type[int] is not supported; {OTHER}"),
        (dict[int, str], f"dict[int, str]: {KEYS}"),
        (dict[str | None, str], f"dict[str | None, str]: {KEYS}"),
        (dict[Sized, str], "dict[Sized, str]: Sized has values that are neither str nor int"),
        (Sized, "Sized: Sized has values that are neither str nor int"),
        (Empty, "Empty: Empty has no members"),
        (
            Huge,
            "Huge: a value of Huge does not fit 64 bits; make the field a Decimal to hold it",
        ),
        (Literal[b"x"], "Literal[b'x']: a Literal of bytes cannot be stored"),
        (
            Literal[9223372036854775808],
            "Literal[9223372036854775808]: a value of the Literal does not fit 64 bits; "  # noqa: ISC004
            "make the field a Decimal to hold it",
        ),
        (
            Literal["card", Gift.CARD],
            "Literal['card', <Gift.CARD: 'card'>]: two values of the Literal are stored as the "  # noqa: ISC004
            "same data",
        ),
    ],
)
def test_is_refused(as_type: Any, message: str) -> None:
    """The message names the type and the way out."""
    assert message == composition_error(as_type)


@frozen
class Inner:
    """A value with a field of no known type."""

    notes: list[Any]


@frozen
class Outer:
    """An event that holds it."""

    inner: tuple[Inner, ...]
    callback: Callable[[], None]


@frozen
class Boxed(Generic[T]):
    """A generic value."""

    content: T


def test_the_field_is_named() -> None:
    """That of the class that holds it, however deep."""
    assert "Inner.notes: Any does not say which type to decode; name one" == composition_error(
        Outer
    )
    assert composition_error(dict[str, Boxed[bytearray]]) == (
        f"Boxed.content: bytearray is not supported; {ASK}"
    )


def test_a_refusal_leaves_nothing_behind() -> None:
    """Asking again gets the same answer, and the codec is as good as new."""
    assert composition_error(Inner) == composition_error(Inner)
    assert [1] == through_json(list[int], [1])


@frozen
class Hen:
    """A value that holds the next one."""

    egg: "Egg | None"
    farm: Any


@frozen
class Egg:
    """A value that holds the one before."""

    hen: Hen


def test_a_refusal_takes_back_what_waits_for_it() -> None:
    """A class that was fine but for the refused one in it is refused, too."""
    compiler = Compiler({}, careful_coder)
    for cls in (Hen, Egg):
        with pytest.raises(CompositionError, match=r"^Hen\.farm: Any does not say"):
            compiler.coder(cls)


Lost = typing_extensions.TypeAliasType("Lost", "Nowhere")  # type: ignore[name-defined]  # noqa: F821


def test_an_alias_of_text() -> None:
    """Text that nobody resolves is no type."""
    assert (
        composition_error(Lost) == "Lost: Lost cannot be resolved (name 'Nowhere' is not defined)"
    )


@pytest.mark.skipif(sys.version_info < (3, 12), reason="needs the type statement")
def test_type_statements() -> None:
    """Aliases may hold themselves, have parameters, and name what does not exist."""
    names: dict[str, Any] = {"frozen": frozen}
    exec(
        "type Json = None | bool | int | float | str | list[Json] | dict[str, Json]\n"
        "type Maybe[T] = T | None\n"
        "type Lost = list[Nowhere]\n"
        "@frozen\n"
        "class Box[T]:\n"
        "    content: Maybe[T]\n"
        "    json: Json = None\n",
        names,
    )
    value = {"a": [1, 2.5, None, {"b": [True, "x"]}]}
    assert value == through_json(names["Json"], value)
    box = names["Box"]([5], value)
    assert box == through_json(names["Box"][list[int]], box)
    maybe = CODEC.decoder(names["Maybe"][int])
    assert [1, None] == [maybe(1), maybe(None)]
    message = "Lost: Lost cannot be resolved (name 'Nowhere' is not defined)"
    assert message == composition_error(names["Lost"])
