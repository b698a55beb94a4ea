"""Ids: their form, order and uniqueness."""

import os
import socket
import time

import pytest

from eventhus import new_id
from eventhus.ids import owner_name

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no I, L, O and U
LAST_MILLISECOND = 2**48 - 1  # some time in the year 10889


def decoded(ulid: str) -> tuple[int, int]:
    """The milliseconds and the random part of a ULID, by way of the specification alone."""
    number = 0
    for character in ulid:
        number = number * 32 + ALPHABET.index(character)
    return divmod(number, 2**80)


def stop_clock(monkeypatch: pytest.MonkeyPatch, milliseconds: int, nanoseconds: int = 0) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: milliseconds * 1_000_000 + nanoseconds)


def test_an_id_is_26_characters_of_the_alphabet() -> None:
    """The first holds three bits, since 26 x 5 is 130."""
    for _ in range(1000):
        made = new_id()
        assert 26 == len(made)
        assert set(made) <= set(ALPHABET)
        assert made[0] in "01234567"


@pytest.mark.parametrize(
    ("milliseconds", "byte", "expected"),
    [
        (0, b"\0", "0" * 26),
        (LAST_MILLISECOND, b"\xff", "7" + "Z" * 25),
        (1, b"\0", "0000000001" + "0" * 16),
        (1469922850259, b"\0", "01ARZ3NDEK" + "0" * 16),
    ],
)
def test_known_ids_are_reproduced(
    milliseconds: int, byte: bytes, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_clock(monkeypatch, milliseconds)
    monkeypatch.setattr(os, "urandom", lambda count: byte * count)
    assert expected == new_id()


def test_every_random_bit_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    stop_clock(monkeypatch, 0)
    made = [new_id()[10:] for _ in range(2000)]
    places = list(zip(*made, strict=True))
    assert [set(ALPHABET)] * 16 == [set(place) for place in places]
    assert 16 == len(set(places))


@pytest.mark.parametrize("milliseconds", [0, 1, 31, 32, 1_700_000_000_123, LAST_MILLISECOND])
@pytest.mark.parametrize("nanoseconds", [0, 999_999])
def test_an_id_contains_its_milliseconds(
    milliseconds: int, nanoseconds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_clock(monkeypatch, milliseconds, nanoseconds)
    assert milliseconds == decoded(new_id())[0]


def test_ids_sort_by_time(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = []
    for milliseconds in [0, 1, 31, 32, 1023, 1024, 2**40, 2**47, LAST_MILLISECOND]:
        stop_clock(monkeypatch, milliseconds)
        ids.append(new_id())
    assert sorted(ids) == ids


def test_ids_are_unique(monkeypatch: pytest.MonkeyPatch) -> None:
    """80 random bits keep 100,000 ids of one millisecond apart."""
    stop_clock(monkeypatch, 1_700_000_000_000)
    assert 100_000 == len({new_id() for _ in range(100_000)})


def test_the_owner_of_a_lease_tells_its_host_and_its_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "web-1")
    assert f"web-1:{os.getpid()}/x" == owner_name(lambda: "x")
    assert owner_name() != owner_name()


@pytest.mark.parametrize("size", [1, 26, 200, 235, 240, 250])
@pytest.mark.parametrize("host", ["h" * 300, "ü" * 300, "\udcff" * 300])
def test_the_name_of_an_owner_fits_into_a_store_and_ends_with_its_id(
    monkeypatch: pytest.MonkeyPatch, host: str, size: int
) -> None:
    """With room for the work that it does."""
    monkeypatch.setattr(socket, "gethostname", lambda: host)
    made = owner_name(lambda: "x" * size)
    assert len(made.encode()) <= max(size, 240)
    assert made.endswith("x" * size)
