"""Arguments of another kind, and classes that were defined again, are refused with what to do."""

from pathlib import Path
from typing import Any

import attrs
import pytest

from eventhus import Recorded, View
from eventhus.errors import CompositionError
from eventhus_testing import RuleBroken, check_aggregate, golden, scenario, spec
from tests.bank import Open, Opened, account, redefined


def evolve(number: int, recorded: Recorded[Opened]) -> int:
    return number + 1


def key(recorded: Recorded[Opened]) -> str:
    return recorded.stream.aggregate_id


counts: Any = View(name="counts", initial=0, key=key, evolve=evolve)


def test_a_view_is_refused_where_an_aggregate_is_needed(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="check_aggregate takes an Aggregate, not View"):
        check_aggregate(counts)
    with pytest.raises(CompositionError, match="found view counts; move it to views="):
        golden.check(aggregates=[account, counts], path=tmp_path / "events.golden.json")


def test_an_aggregate_is_refused_where_an_application_is_needed() -> None:
    subject: Any = account
    with pytest.raises(TypeError, match="scenario takes an Application, not Aggregate"):
        scenario(subject)


NAMESAKE = r"another class of that name is known, tests\.bank\.{}: import it from one place"


def test_redefined_classes_are_refused_with_what_happened() -> None:
    command, event = redefined(Open), redefined(Opened)
    with pytest.raises(TypeError, match=NAMESAKE.format("Open")):
        spec(account).when(command(aggregate_id="a", owner="ann"))
    with pytest.raises(TypeError, match=NAMESAKE.format("Opened")):
        spec(account).given(event(owner="ann"))
    with pytest.raises(TypeError, match=NAMESAKE.format("Opened")):
        spec(counts).given("a", event(owner="ann"))
    deciding = attrs.evolve(account, decide=lambda *_: [event(owner="ann")])
    with pytest.raises(RuleBroken, match=NAMESAKE.format("Opened")):
        spec(deciding).when(Open(aggregate_id="a"))
