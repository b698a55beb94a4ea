"""Tests of the source of values and its layout."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from attrs import frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from eventhus.ports import EventData
from eventhus_testing.properties.typed_values import TypedValues
from eventhus_testing.python_source.imports import Imports
from eventhus_testing.python_source.layout import Chain, call, flat, laid_out
from eventhus_testing.python_source.values import quoted, source_of
from eventhus_testing.rules.rules import Rules
from eventhus_testing.values.comparing import same
from examples.cinema.screening import Category, Row, Seat
from tests.testing.properties.shapes import Box, Card, Cash, Colour, Everything, Outer, Right, Tree

ROOT = Path(__file__).parents[3]
RUFF = Path(sys.executable).with_name("ruff")

EVERYTHING = TypedValues({}).of(Everything, "Everything")


def module_of(value: object) -> str:
    """Return the source of a module that assigns a value."""
    imports = Imports()
    source = laid_out(source_of(value, imports), prefix="value = ")
    return "\n".join([*imports.lines(), "", source, ""]).lstrip("\n")


def made_by(module: str) -> Any:
    """Execute a module, and return the value that it assigns."""
    names: dict[str, Any] = {}
    exec(module, names)
    return names["value"]


@settings(deadline=None)
@given(EVERYTHING)
def test_source_evaluates_to_an_equal_value(value: Everything) -> None:
    made = made_by(module_of(value))
    assert same(value, made)
    assert value.moment.utcoffset() == made.moment.utcoffset()


INNER: Any = Outer.Inner  # Any, because pyright does not know its argument

VALUES: list[tuple[object, str]] = [
    (None, "None"),
    (-1, "-1"),
    (1e300, "1e+300"),
    (float("inf"), 'float("inf")'),
    ("it's", '"it\'s"'),
    ('a "b"', "'a \"b\"'"),
    ("'\"'", '"\'\\"\'"'),
    ("\\ \n é \x00", '"\\\\ \\n é \\x00"'),
    (b"'", 'b"\'"'),
    (Decimal("1.50"), 'Decimal("1.50")'),
    (UUID(int=1), 'UUID("00000000-0000-0000-0000-000000000001")'),
    (datetime(2025, 1, 2, tzinfo=UTC), "datetime(2025, 1, 2, 0, 0, tzinfo=UTC)"),
    (
        datetime(2025, 1, 2, 3, 4, 5, 6, timezone(timedelta(hours=-3, minutes=30))),
        "datetime(2025, 1, 2, 3, 4, 5, 6, tzinfo=timezone(timedelta(hours=-2, minutes=-30)))",
    ),
    (timedelta(), "timedelta()"),
    (timedelta(days=1, hours=2, microseconds=3), "timedelta(days=1, hours=2, microseconds=3)"),
    (Colour.RED, "Colour.RED"),
    (Right.READ | Right.WRITE, "Right.READ | Right.WRITE"),
    (Right(0), "Right(0)"),
    ((), "()"),
    ((1,), "(1,)"),
    ([1, 2], "[1, 2]"),
    (set(), "set()"),
    ({3, 1, 2}, "{1, 2, 3}"),
    (frozenset(), "frozenset()"),
    (frozenset({Colour.RED, Colour.BLUE}), "frozenset({Colour.BLUE, Colour.RED})"),
    ({"a": (1,)}, '{"a": (1,)}'),
    (Cash(), "Cash()"),
    (Card("7"), 'Card(number="7")'),
    (Box(Box(1)), "Box(content=Box(content=1))"),
    (Tree("a"), 'Tree(label="a")'),
    (INNER(secret=1), "Outer.Inner(secret=1)"),
    (Rules(stored=False), "Rules(stored=False)"),
    (EventData("Paid", {"a": 1}), 'EventData(type="Paid", data={"a": 1})'),
    (Card, "Card"),
]


@pytest.mark.parametrize(("value", "source"), VALUES, ids=[source[:20] for _, source in VALUES])
def test_source_omits_defaults_names_arguments_and_sorts_sets(value: object, source: str) -> None:
    assert source == flat(source_of(value, Imports()))


def test_a_value_of_an_unknown_type_is_noted() -> None:
    imports = Imports()
    source_of(object(), imports)
    assert ["# create the object here, because its repr may not be valid source"] == [
        *imports.lines()
    ]


def test_imports_are_grouped_and_sorted() -> None:
    imports = Imports()
    for module, name in [
        ("examples.bank.account", "account"),
        ("examples.bank.account", "LIMIT"),
        ("examples.bank.account", "PerformDeposit"),
        ("builtins", "int"),
        ("hypothesis", "given"),
        ("datetime", "datetime"),
        ("datetime", "UTC"),
        ("a.b", "x" * 60),
        ("a.b", "y" * 60),
    ]:
        imports.name(module, name)
    assert [
        "from datetime import UTC, datetime",
        "",
        "from hypothesis import given",
        "",
        "from a.b import (",
        f"    {'x' * 60},",
        f"    {'y' * 60},",
        ")",
        "from examples.bank.account import LIMIT, PerformDeposit, account",
    ] == [*imports.lines()]


def test_a_name_that_is_taken_is_imported_under_an_alias() -> None:
    imports = Imports()
    assert ["Item", "Item", "b_Item"] == [imports.name(m, "Item") for m in ("a", "a", "x.b")]
    assert [*imports.lines()] == ["from a import Item", "from x.b import Item as b_Item"]


def test_unimportable_classes_are_noted() -> None:
    """Classes inside functions, and those of the module that was run, cannot be imported."""

    @frozen
    class Local:
        pass

    class Main(Enum):
        ONE = 1

    Main.__module__, Main.__qualname__ = "__main__", "Main"
    imports = Imports()
    assert ["Local()", "Main.ONE"] == [
        flat(source_of(Local(), imports)),
        source_of(Main.ONE, imports),
    ]
    assert [
        "# Local is defined inside test_unimportable_classes_are_noted; make it visible here",
        "# Main is defined in the module that was run; import it from there",
    ] == [*imports.lines()]


def long_values() -> st.SearchStrategy[Any]:
    """Return values whose source takes several lines."""
    row = st.builds(Row, letter=st.text("ab", max_size=40), seats=st.integers(), category=_CATEGORY)
    seat = st.builds(Seat, st.text("a'\"", max_size=30), st.integers(0, 9))
    prices = st.dictionaries(_CATEGORY, st.decimals(0, 10, places=2))
    parts: st.SearchStrategy[Any] = st.one_of(
        row, seat, prices, st.frozensets(seat, max_size=4), EVERYTHING
    )
    return st.recursive(
        parts, lambda inner: st.lists(inner, max_size=3) | inner.map(Box) | st.tuples(inner)
    )


_CATEGORY = st.sampled_from(Category)


def test_a_chain_that_fits_in_parentheses_takes_one_line() -> None:
    chain = Chain([call("spec", "account"), call(".given", "x" * 60), call(".when", "command")])
    assert f"outcome = (\n    {flat(chain)}\n)" == laid_out(chain, prefix="outcome = ")


@pytest.mark.parametrize(
    ("text", "is_broken"),
    [("x" * 97, False), ("x" * 98, True), ("唤" * 49, True), ("e\u0301" * 60, False)],
    ids=["narrow", "too long", "wide", "combining"],
)
def test_lines_are_measured_in_columns(text: str, *, is_broken: bool) -> None:
    assert is_broken == ("\n" in laid_out(call("f", text)))


def test_ruff_leaves_the_layout_of_source_unchanged(tmp_path: Path) -> None:
    if not RUFF.exists():
        pytest.skip("ruff is not installed; it comes with the extra [check]")
    texts: list[str] = []

    @settings(max_examples=60, deadline=None, derandomize=True, database=None)
    @given(long_values(), st.lists(long_values(), max_size=3))
    def collect(value: Any, others: list[Any]) -> None:
        imports = Imports()
        nodes = [source_of(each, imports) for each in others]
        links = [call("spec", "account"), call(".given", *nodes), call(".when", "command")]
        # Formatters do not break a chain of fewer than two calls.
        chain = Chain(links[: 1 + len(others)]) if others else Chain(links)
        texts.append("\n\n".join([module_of(value), laid_out(chain, prefix="outcome = ")]) + "\n")

    collect()
    for number, text in enumerate(texts):
        (tmp_path / f"module_{number}.py").write_text(text, encoding="utf-8")
    command = [str(RUFF), "format", "--diff", "--isolated", "--line-length=100", str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (0, "") == (result.returncode, result.stdout[:3000])


@pytest.mark.parametrize("text", ["plain", "it's", 'say "x"', '\'""', "\\'", "\\", "\n"])
def test_quoted_text_evaluates_to_itself(text: str) -> None:
    assert text == eval(quoted(text))
    assert text.encode() == eval(quoted(text.encode()))
