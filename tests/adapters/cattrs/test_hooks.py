"""Classes of the application's own."""

from ipaddress import IPv4Address
from pathlib import PurePath, PurePosixPath
from typing import Any

import pytest
from attrs import frozen

from eventhus.errors import CodecError, CompositionError
from eventhus_cattrs import CattrsCodec, Hook
from tests.adapters.cattrs.support import (
    CODEC,
    composition_error,
    decode_error,
    encode_error,
    through_json,
)


class Money:
    """A class that the codec cannot know: an amount in cents, and a currency."""

    def __init__(self, cents: int, currency: str) -> None:
        if len(currency) != 3:
            raise ValueError("a secret")
        self.parts = (cents, currency)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Money) and self.parts == other.parts

    def __hash__(self) -> int:
        return hash(self.parts)


class Menu:
    """A class that holds itself: dishes, and menus of dishes."""

    def __init__(self, entries: "list[str | Menu]") -> None:
        self.entries = entries


class Album:
    """A class that holds itself, stored as a list of its own kind."""

    def __init__(self, parts: "list[Album]") -> None:
        self.parts = parts

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Album) and self.parts == other.parts

    __hash__ = None  # type: ignore[assignment]


@frozen
class Point:
    """An attrs class, which a hook may store otherwise."""

    x: int
    y: int


@frozen
class Paid:
    """An event that holds them."""

    price: Money
    prices: frozenset[Money]
    origin: IPv4Address | None = None
    at: Point | int = 0


def with_currency(parts: tuple[int, str]) -> Money:
    return Money(*parts)


MONEY = Hook(Money, as_type=tuple[int, str], encode=lambda m: m.parts, decode=with_currency)
ADDRESS = Hook(IPv4Address, as_type=str, encode=str, decode=IPv4Address)
POINT = Hook(
    Point,
    as_type=str,
    encode=lambda point: f"{point.x}:{point.y}",
    decode=lambda text: Point(*map(int, text.split(":"))),
)
HOOKED = CattrsCodec(MONEY, ADDRESS, POINT)


def test_a_hook_stores_a_class_as_another_type() -> None:
    """Wherever the class occurs."""
    value = Paid(
        Money(5, "EUR"),
        frozenset({Money(6, "EUR"), Money(5, "USD")}),
        IPv4Address("127.0.0.1"),
        Point(1, 2),
    )
    data = HOOKED.encoder(Paid)(value)
    assert data == {
        "price": [5, "EUR"],
        "prices": [[5, "USD"], [6, "EUR"]],
        "origin": "127.0.0.1",
        "at": "1:2",
    }
    assert value == through_json(Paid, value, HOOKED)
    assert Money(5, "EUR") == through_json(Money, Money(5, "EUR"), HOOKED)
    addresses = {IPv4Address("127.0.0.1"): 1}
    assert addresses == through_json(dict[IPv4Address, int], addresses, HOOKED)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("EUR", "expected list, found str"),
        ([5, None], "[1]: expected str, found None"),
        ([5, "Euro"], "the Hook of Money could not decode it: ValueError"),
    ],
)
def test_is_not_decoded(data: object, message: str) -> None:
    """The data is checked before the hook sees it, and the hook may refuse what it then sees."""
    assert message == decode_error(Money, data, HOOKED)


def bad_encode(_: Money) -> tuple[int, str]:
    raise KeyError("a secret")


@pytest.mark.parametrize(
    ("hook", "value", "message"),
    [
        (MONEY, 5, "expected Money, found int"),
        (
            MONEY,
            Money(2**63, "EUR"),
            "[0]: does not fit 64 bits; make the field a Decimal to hold it",
        ),
        (
            Hook(Money, as_type=tuple[int, str], encode=bad_encode, decode=with_currency),
            Money(5, "EUR"),
            "the Hook of Money could not encode it: KeyError",
        ),
        (
            Hook(Money, as_type=str, encode=lambda money: money.parts, decode=Money),  # type: ignore[arg-type, return-value]
            Money(5, "EUR"),
            "expected str, found tuple",
        ),
    ],
)
def test_is_not_encoded(hook: Hook[Any, Any], value: object, message: str) -> None:
    """A hook cannot bring in what is no plain data."""
    assert message == encode_error(Money, value, CattrsCodec(hook))


def test_a_hook_serves_subclasses() -> None:
    """A class is often a front for others, as Path is; members of unions too."""
    codec = CattrsCodec(Hook(PurePath, as_type=str, encode=str, decode=PurePosixPath))
    path = PurePosixPath("a/b")
    for as_type in (PurePath, PurePath | None, PurePath | int, dict[str, PurePath | int]):
        value = {"": path} if as_type == dict[str, PurePath | int] else path
        assert value == through_json(as_type, value, codec)


def test_a_hook_whose_type_holds_the_class() -> None:
    """As an attrs class may hold itself."""
    codec = CattrsCodec(
        Hook(Album, as_type=list[Album], encode=lambda album: album.parts, decode=Album)
    )
    album = Album([Album([]), Album([Album([])])])
    assert album == through_json(Album, album, codec)


@frozen
class Set:
    """An attrs class that holds itself."""

    members: "list[int | Set]"


@pytest.mark.parametrize(
    ("cls", "hook"),
    [
        (Menu, Hook(Menu, list[str | Menu], lambda menu: menu.entries, Menu)),
        (Set, Hook(Set, list[int | Set], lambda value: value.members, Set)),
    ],
)
def test_a_hook_whose_type_is_a_union_of_the_class(cls: type, hook: Hook[Any, Any]) -> None:
    """Before it is known what a class is stored as, no union can tell it from others."""
    assert composition_error(cls, CattrsCodec(hook)) == (
        f"{cls.__name__}: a Hook cannot store a class as a union of that class; make it an attrs "
        f"class, which needs no Hook"
    )


def test_without_its_hook() -> None:
    """A class that nobody explained is refused when the application is composed."""
    assert (
        "Paid.price: Money is not supported; use an attrs class, or give CattrsCodec a Hook for it"
    ) == composition_error(Paid)


def test_a_hook_is_for_a_class() -> None:
    """A union, say, is told apart by its members, so a hook for it would not be found."""
    with pytest.raises(
        CompositionError, match=r"^a Hook is for a class, and int \| str is not a class$"
    ):
        Hook(int | str, as_type=str, encode=str, decode=int)  # type: ignore[arg-type]


def test_the_error_leads_to_its_cause() -> None:
    """The cause is there for a debugger, and no log shows it."""
    with pytest.raises(CodecError) as caught:
        HOOKED.decoder(Money)([5, "Euro"])
    mismatch = caught.value.__context__
    assert mismatch is not None
    assert isinstance(mismatch.__cause__, ValueError)
    assert CODEC is not HOOKED
