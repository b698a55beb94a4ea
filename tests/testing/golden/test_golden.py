"""Tests of ``golden.check`` and ``golden.update``, and of their messages."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

import attrs
import pytest
from attrs import frozen

from eventhus import Aggregate, Command
from eventhus.ports import EventData
from eventhus_testing import golden
from eventhus_testing.golden import file as golden_file
from examples.courses.enrolment import enrolment

TEXTS = Path(__file__).parent


@frozen(kw_only=True)
class Deposit(Command):
    """The only command of the account."""


@frozen
class Money:
    amount: int
    currency: str


def event(name: str, **fields: Any) -> type:
    """Make a class of events. Each field is a type, or a type and a default."""
    made = {
        field: attrs.field(type=given[0], default=given[1])
        if isinstance(given, tuple)
        else attrs.field(type=given)
        for field, given in fields.items()
    }
    return attrs.make_class(name, made, frozen=True, class_body={"__module__": __name__})


def account(*events: type, **arguments: Any) -> Aggregate[Any, Any, Any]:
    """Make an aggregate of these events."""
    return Aggregate(
        name="Account",
        initial=0,
        decide=lambda _command, _state: (),
        evolve=lambda state, _event: state,
        commands=(Deposit,),
        events=events,
        **arguments,
    )


Opened = event("Opened", owner=str)
Deposited = event("Deposited", amount=int)
STORED = {"Deposited": {"1": [{"amount": 100}]}, "Opened": {"1": [{"owner": "ann"}]}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Write a file with a sample of each event of the account."""
    path = tmp_path / "events.golden.json"
    path.write_text(json.dumps(STORED), encoding="utf-8")
    return path


def stored(path: Path, samples: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(samples), encoding="utf-8")


def check(path: Path, *aggregates: Aggregate[Any, Any, Any]) -> None:
    golden.check(aggregates=aggregates, path=path)


def update(
    path: Path, *aggregates: Aggregate[Any, Any, Any], samples: Iterable[object] = ()
) -> None:
    golden.update(aggregates=aggregates, path=path, samples=samples)


def says(name: str, call: Callable[[], object]) -> None:
    """Check that the call fails with exactly the text of the golden file."""
    with pytest.raises(AssertionError) as failure:
        call()
    expected = (TEXTS / f"golden_{name}.txt").read_text(encoding="utf-8")
    assert expected == f"{failure.value}\n"


def test_check_and_update_pass_and_write_nothing_when_all_samples_can_be_read(path: Path) -> None:
    before = path.read_bytes()
    check(path, account(Opened, Deposited))
    update(path, account(Opened, Deposited), samples=[Opened("ann")])
    assert before == path.read_bytes()


def test_check_says_how_to_write_a_file_that_does_not_exist(path: Path) -> None:
    path.unlink()
    says("no_file", lambda: check(path, account(Opened, Deposited)))
    assert not path.exists()


def test_update_writes_given_samples_and_makes_up_the_others(path: Path) -> None:
    """Update fails after writing, so that nobody keeps it in place of check."""
    path.unlink()
    says(
        "written",
        lambda: update(path, account(Opened, Deposited), samples=[Deposited(100), Deposited(1)]),
    )
    expected = (TEXTS / "events.golden.json").read_text(encoding="utf-8")
    assert expected == path.read_text(encoding="utf-8")
    check(path, account(Opened, Deposited))


def test_update_adds_a_sample_of_a_new_type_and_keeps_the_others(path: Path) -> None:
    bank = account(Opened, Deposited, event("Closed", reason=str))
    says("new_type", lambda: check(path, bank))
    with pytest.raises(AssertionError, match=r"new samples of\n\n  Closed, schema 1\n"):
        update(path, bank)
    assert {**STORED, "Closed": {"1": [{"reason": "reason"}]}} == json.loads(path.read_text())


def test_check_reports_a_removed_sample_as_missing(path: Path) -> None:
    stored(path, {"Opened": STORED["Opened"]})
    with pytest.raises(AssertionError, match=r"has no sample of\n\n  Deposited, schema 1\n"):
        check(path, account(Opened, Deposited))


def test_an_added_field_gives_an_upcaster_with_an_open_value(path: Path) -> None:
    bank = account(Opened, event("Deposited", amount=int, currency=str))
    says("added_field", lambda: check(path, bank))


def test_an_added_field_with_a_default_gives_an_upcaster_with_the_default(path: Path) -> None:
    """Stored data can still be read, but would be encoded differently."""
    bank = account(Opened, event("Deposited", amount=int, currency=(str, "EUR")))
    says("added_default", lambda: check(path, bank))


def test_a_removed_field_gives_an_upcaster_that_deletes_it(path: Path) -> None:
    """The codec refuses unknown fields."""
    says("removed_field", lambda: check(path, account(event("Opened"), Deposited)))


def test_a_removed_and_an_added_field_of_one_type_give_an_upcaster_that_renames(path: Path) -> None:
    bank = account(Opened, event("Deposited", cents=int))
    says("renamed_field", lambda: check(path, bank))


def test_a_removed_and_an_added_field_of_different_types_are_not_a_rename(path: Path) -> None:
    bank = account(Opened, event("Deposited", cents=str))
    with pytest.raises(
        AssertionError, match=r'data\["cents"\] = ...  # such as "cents"\n    del d'
    ):
        check(path, bank)


def test_every_field_that_refuses_its_stored_value_is_named(path: Path) -> None:
    bank = account(event("Opened", owner=Money), event("Deposited", amount=str))
    says("retyped_fields", lambda: check(path, bank))


def test_an_int_that_becomes_a_float_is_a_change(path: Path) -> None:
    """Python considers ``100`` and ``100.0`` equal; other readers of the store may not."""
    bank = account(Opened, event("Deposited", amount=float))
    with pytest.raises(AssertionError, match=r'\+ {"amount": 100.0}\n\? amount: is float now'):
        check(path, bank)


def test_a_nested_int_that_becomes_a_float_names_its_field(path: Path) -> None:
    stored(path, {"Deposited": {"1": [{"amounts": [1, 2]}]}})
    bank = account(event("Deposited", amounts=list[float]))
    with pytest.raises(AssertionError, match=r"\n\? amounts: is list\[float\] now\n"):
        check(path, bank)


def test_a_missing_nested_field_shows_its_path(path: Path) -> None:
    stored(path, {"Deposited": {"1": [{"money": {"amount": 1}}]}})
    bank = account(event("Deposited", money=Money))
    says("nested_field", lambda: check(path, bank))


def above(least: int, **more: Any) -> type:
    """Make a class of deposits that refuses small amounts, and may have more fields."""

    def check(_instance: Any, _attribute: Any, value: int) -> None:
        if value <= least:
            raise ValueError(value)

    return attrs.make_class(
        "Deposited",
        {
            "amount": attrs.field(type=int, validator=check),
            **{name: attrs.field(type=given) for name, given in more.items()},
        },
        frozen=True,
        class_body={"__module__": __name__},
    )


def test_a_validator_that_refuses_stored_data_is_quoted(path: Path) -> None:
    """No field has the wrong type, so the codec's complaint is all there is."""
    stored(path, {"Deposited": {"1": [{"amount": 0}]}})
    says("refused", lambda: check(path, account(above(0))))


def test_an_added_field_is_shown_without_a_sample_of_the_class(path: Path) -> None:
    bank = account(Opened, above(9, currency=str))
    says("added_unmade", lambda: check(path, bank))


def add_currency(data: dict[str, Any]) -> dict[str, Any]:
    return {**data, "currency": "EUR"}


def test_with_an_upcaster_only_a_sample_of_the_new_schema_is_missing(path: Path) -> None:
    cls = event("Deposited", amount=int, currency=str)
    bank = account(Opened, cls, upcasters={cls: [add_currency]})
    says("new_schema", lambda: check(path, bank))
    with pytest.raises(AssertionError, match=r"new samples of\n\n  Deposited, schema 2\n"):
        update(path, bank, samples=[cls(5, "EUR")])
    check(path, bank)
    assert ["1", "2"] == list(json.loads(path.read_text())["Deposited"])


def test_a_suggested_upcaster_follows_the_existing_ones(path: Path) -> None:
    old = event("Deposited", amount=int, currency=str)
    bank = account(Opened, old, upcasters={old: [add_currency]})
    with pytest.raises(AssertionError, match="new samples"):
        update(path, bank)
    new = event("Deposited", amount=int, currency=str, note=str)
    bank = account(Opened, new, upcasters={Opened: [add_currency], new: [add_currency]})
    says("second_change", lambda: check(path, bank))


def test_a_failing_upcaster_is_reported_with_its_data(path: Path) -> None:

    def halve(data: dict[str, Any]) -> dict[str, Any]:
        return {"amount": data["cents"] // 2}

    stored(path, {"Deposited": {"1": [{"amount": 5}], "2": [{"amount": 1}]}})
    says(
        "failing_upcaster", lambda: check(path, account(Deposited, upcasters={Deposited: [halve]}))
    )


def test_a_removed_upcaster_is_reported(path: Path) -> None:
    stored(path, {"Deposited": {"1": [{"amount": 1}], "2": [{"amount": 2}]}})
    says("removed_upcaster", lambda: check(path, account(Deposited)))


def test_a_missing_sample_of_an_earlier_schema_must_be_given_as_stored(path: Path) -> None:
    stored(path, {"Deposited": {"2": [{"amount": 1}]}})
    bank = account(Deposited, upcasters={Deposited: [dict]})
    says("earlier_schema", lambda: check(path, bank))
    says("earlier_schema_unmade", lambda: update(path, bank))
    with pytest.raises(AssertionError, match=r"new samples of\n\n  Deposited, schema 1\n"):
        update(path, bank, samples=[EventData("Deposited", {"amount": 7}, schema=1)])
    check(path, bank)


def test_a_renamed_class_gives_an_alias(path: Path) -> None:
    moved = event("MoneyDeposited", amount=int)
    says("renamed_class", lambda: check(path, account(Opened, moved)))
    bank = account(Opened, moved, aliases={"Deposited": moved})
    with pytest.raises(AssertionError, match=r"has no sample of\n\n  MoneyDeposited, schema 1\n"):
        check(path, bank)
    with pytest.raises(AssertionError, match="new samples"):
        update(path, bank)
    check(path, bank)


def test_samples_of_earlier_schemas_are_found_under_earlier_names(path: Path) -> None:
    cls = event("MoneyDeposited", amount=int)
    old, new = {"1": [{"amount": 1}]}, {"2": [{"amount": 2}]}
    stored(path, {"Deposited": old, "MoneyDeposited": new})
    check(path, account(cls, aliases={"Deposited": cls}, upcasters={cls: [dict]}))


def test_a_suggested_alias_keeps_the_existing_ones(path: Path) -> None:
    """Only classes that can read the data are suggested."""
    stored(path, {"Deposited": {"1": [{"amount": 1}]}, "PaidIn": {"1": [{"amount": 1}]}})
    moved = event("MoneyDeposited", amount=int)
    bank = account(Opened, moved, aliases={"PaidIn": moved})
    says("renamed_again", lambda: check(path, bank))


def test_no_alias_is_suggested_when_no_class_is_new(path: Path) -> None:
    says("gone_class", lambda: check(path, account(Opened)))


def test_update_adds_nothing_while_an_existing_sample_cannot_be_read(path: Path) -> None:
    before = path.read_bytes()
    bank = account(Opened, event("Deposited", cents=int), event("Closed"))
    with pytest.raises(AssertionError, match="does not match its stored data"):
        update(path, bank, samples=[Opened("bob")])
    assert before == path.read_bytes()


def test_update_says_why_a_sample_cannot_be_made_up(path: Path) -> None:
    stored(path, {"Opened": STORED["Opened"]})
    picky = above(9)
    says("unmade", lambda: update(path, account(Opened, picky)))
    with pytest.raises(AssertionError, match=r"new samples of\n\n  Deposited, schema 1\n"):
        update(path, account(Opened, picky), samples=[picky(10)])


def test_a_sample_that_is_not_an_event_is_refused(path: Path) -> None:
    with pytest.raises(TypeError, match=r"Money\(amount=1, currency='EUR'\) is not an event of A"):
        update(path, account(Opened, Deposited), samples=[Money(1, "EUR")])
    with pytest.raises(TypeError, match="is not an event of Account"):
        golden.check(aggregates=[account(Opened, Deposited)], path=path, samples=["Opened"])


MALFORMED = {
    "": "it is not JSON (Expecting value: line 1 column 1 (char 0))",
    '{"Opened": ': "it is not JSON (Expecting value: line 1 column 12 (char 11))",
    '{"Opened": {"1": [{"owner": NaN}]}}': "NaN is not JSON",
    "[]": "it: expected an object of schemas by type, found a list",
    "5": "it: expected an object of schemas by type, found 5",
    "null": "it: expected an object of schemas by type, found null",
    '{"Opened": []}': "'Opened': expected an object of samples by schema, found a list",
    '{"Opened": "ann"}': "'Opened': expected an object of samples by schema, found a string",
    '{"Opened": {"one": [{}]}}': "'Opened', 'one': a schema is a whole number of at least 1",
    '{"Opened": {"0": [{}]}}': "'Opened', '0': a schema is a whole number of at least 1",
    '{"Opened": {"-1": [{}]}}': "'Opened', '-1': a schema is a whole number of at least 1",
    '{"Opened": {"1": {"owner": "ann"}}}': (
        "'Opened', '1': expected a list of samples, found an object"
    ),
    '{"Opened": {"1": "ann"}}': "'Opened', '1': expected a list of samples, found a string",
    '{"Opened": {"1": [{"owner": "ann"}, "bob"]}}': (
        "'Opened', '1', sample 2: expected an object of fields, found a string"
    ),
    '{"Opened": {"1": [{"owner": "ann"}]}, "Opened": {}}': (
        "the key 'Opened' is repeated in one object"
    ),
    '{"Opened": {\n<<<<<<< ours\n"1": []\n=======\n"1": [{}]\n>>>>>>> theirs\n}}': (
        "it has the marks of a merge conflict; keep the samples of both sides"
    ),
}


@pytest.mark.parametrize(("text", "problem"), MALFORMED.items())
def test_a_malformed_file_is_refused_and_not_changed(path: Path, text: str, problem: str) -> None:
    path.write_text(text, encoding="utf-8")
    for call in (check, update):
        with pytest.raises(golden.MalformedSamples) as failure:
            call(path, account(Opened))
        assert (path, problem) == (failure.value.path, failure.value.problem)
        assert (
            f"{path} is not a file of samples: {problem}\n"
            "Restore it from version control, or repair it by hand. It holds lists of data by type "
            'and schema: {"Opened": {"1": [{"owner": "ann"}]}}'
        ) == str(failure.value)
    assert text == path.read_text(encoding="utf-8")


def test_a_file_that_is_not_utf_8_is_refused(path: Path) -> None:
    path.write_bytes("{}".encode("utf-16"))
    with pytest.raises(golden.MalformedSamples, match=r"it is not UTF-8 \("):
        check(path, account(Opened))


T = TypeVar("T")


@frozen
class Box(Generic[T]):
    content: T


def test_generic_fields_get_samples_and_are_compared(path: Path) -> None:
    stored(path, {})
    with pytest.raises(AssertionError, match="new samples"):
        update(path, account(event("Packed", box=Box[int])))
    assert {"Packed": {"1": [{"box": {"content": 1}}]}} == json.loads(path.read_text())
    check(path, account(event("Packed", box=Box[int])))
    with pytest.raises(AssertionError, match=r"\n\? box: is .*Box\[str\] now \("):
        check(path, account(event("Packed", box=Box[str])))


@frozen
class Sent(Box[str]):
    to: str


@frozen
class SentOtherwise(Box[Money]):
    """``Sent`` with another type of content."""

    to: str


def test_inherited_generic_fields_get_samples_and_are_compared(path: Path) -> None:
    stored(path, {})
    with pytest.raises(AssertionError, match="new samples"):
        update(path, account(Sent))
    assert {"Sent": {"1": [{"content": "content", "to": "to"}]}} == json.loads(path.read_text())
    bank = account(SentOtherwise, aliases={"Sent": SentOtherwise})
    with pytest.raises(AssertionError, match=r"\n\? content: is .*Money now \(expected "):
        check(path, bank)


def test_a_shown_upcaster_can_be_executed(path: Path) -> None:
    bank = account(Opened, event("Deposited", amount=int, currency=(str, "EUR")))
    with pytest.raises(AssertionError) as failure:
        check(path, bank)
    code = str(failure.value).partition("\n\ndef ")[2].partition("\n\n")[0]
    names: dict[str, Any] = {"Any": Any}
    exec(f"def {code}", names)
    upcasted = names["deposited_from_1_to_2"]({"amount": 100})
    assert {"amount": 100, "currency": "EUR"} == upcasted


def test_a_sample_with_a_lone_surrogate_can_be_written_and_read(path: Path) -> None:
    sample = EventData("Opened", {"owner": "\ud800"}, 1)
    with pytest.raises(AssertionError, match="new samples"):
        update(path, account(Opened, Deposited), samples=[sample])
    assert '"\\ud800"' in path.read_text(encoding="utf-8")
    assert sample in golden_file.read(path)


def test_the_events_of_decisions_have_samples_too(tmp_path: Path) -> None:
    path = tmp_path / "courses.golden.json"
    with pytest.raises(AssertionError, match="StudentSubscribed, schema 1"):
        golden.update(decisions=[enrolment], path=path)
    golden.check(decisions=[enrolment], path=path)
    path.write_text('{"CourseDefined": {"1": [{"course": "physics"}]}}')
    with pytest.raises(AssertionError, match=r'in Decision\(name="Enrolment", \.\.\.\)'):
        golden.check(decisions=[enrolment], path=path)
