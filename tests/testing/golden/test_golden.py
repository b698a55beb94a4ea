"""Samples of stored events, and what is said when code can no longer read them."""

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

TEXTS = Path(__file__).parent


@frozen(kw_only=True)
class Deposit(Command):
    """The one command of accounts here."""


@frozen
class Money:
    amount: int
    currency: str


def event(name: str, **fields: Any) -> type:
    """A class of events: each field has a type, or a type and a default."""
    made = {
        field: attrs.field(type=given[0], default=given[1])
        if isinstance(given, tuple)
        else attrs.field(type=given)
        for field, given in fields.items()
    }
    return attrs.make_class(name, made, frozen=True, class_body={"__module__": __name__})


def account(*events: type, **arguments: Any) -> Aggregate[Any, Any, Any]:
    """An aggregate of these events."""
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
    """A file that holds a sample of each event of accounts."""
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
    """The failure has exactly the text of that golden file."""
    with pytest.raises(AssertionError) as failure:
        call()
    expected = (TEXTS / f"golden_{name}.txt").read_text(encoding="utf-8")
    assert expected == f"{failure.value}\n"


def test_all_is_well(path: Path) -> None:
    """Nothing is said, and nothing written."""
    before = path.read_bytes()
    check(path, account(Opened, Deposited))
    update(path, account(Opened, Deposited), samples=[Opened("ann")])
    assert before == path.read_bytes()


def test_no_file(path: Path) -> None:
    """It says how to write one."""
    path.unlink()
    says("no_file", lambda: check(path, account(Opened, Deposited)))
    assert not path.exists()


def test_writing_the_file(path: Path) -> None:
    """Given samples come first; the rest is made. It fails, so that it is noticed."""
    path.unlink()
    says(
        "written",
        lambda: update(path, account(Opened, Deposited), samples=[Deposited(100), Deposited(1)]),
    )
    expected = (TEXTS / "events.golden.json").read_text(encoding="utf-8")
    assert expected == path.read_text(encoding="utf-8")
    check(path, account(Opened, Deposited))


def test_a_new_type(path: Path) -> None:
    """It has no sample yet, and gets one; the others stay as they are."""
    bank = account(Opened, Deposited, event("Closed", reason=str))
    says("new_type", lambda: check(path, bank))
    with pytest.raises(AssertionError, match=r"new samples of\n\n  Closed, schema 1\n"):
        update(path, bank)
    assert {**STORED, "Closed": {"1": [{"reason": "reason"}]}} == json.loads(path.read_text())


def test_a_sample_that_was_removed(path: Path) -> None:
    """A type that was forgotten in the file is like a new one."""
    stored(path, {"Opened": STORED["Opened"]})
    with pytest.raises(AssertionError, match=r"has no sample of\n\n  Deposited, schema 1\n"):
        check(path, account(Opened, Deposited))


def test_an_added_field(path: Path) -> None:
    """The upcaster is there to be pasted; what it gives is for you to say."""
    bank = account(Opened, event("Deposited", amount=int, currency=str))
    says("added_field", lambda: check(path, bank))


def test_an_added_field_with_a_default(path: Path) -> None:
    """Old data can be read, but is no longer what would be written; the default is an answer."""
    bank = account(Opened, event("Deposited", amount=int, currency=(str, "EUR")))
    says("added_default", lambda: check(path, bank))


def test_a_removed_field(path: Path) -> None:
    """It cannot be read any more, since unknown fields are refused."""
    says("removed_field", lambda: check(path, account(event("Opened"), Deposited)))


def test_a_renamed_field(path: Path) -> None:
    """One that went and one that came, of the same type, may be one."""
    bank = account(Opened, event("Deposited", cents=int))
    says("renamed_field", lambda: check(path, bank))


def test_a_field_that_went_and_one_of_another_type_that_came(path: Path) -> None:
    """They are not taken for one."""
    bank = account(Opened, event("Deposited", cents=str))
    with pytest.raises(
        AssertionError, match=r'data\["cents"\] = ...  # such as "cents"\n    del d'
    ):
        check(path, bank)


def test_a_field_of_another_type(path: Path) -> None:
    """Each that does not take what is stored is named."""
    bank = account(event("Opened", owner=Money), event("Deposited", amount=str))
    says("retyped_fields", lambda: check(path, bank))


def test_an_int_becomes_a_float(path: Path) -> None:
    """Python takes ``100`` and ``100.0`` for equal; other readers of the log may not."""
    bank = account(Opened, event("Deposited", amount=float))
    with pytest.raises(AssertionError, match=r'\+ {"amount": 100.0}\n\? amount: is float now'):
        check(path, bank)


def test_a_nested_int_becomes_a_float(path: Path) -> None:
    """The field that it is in is named."""
    stored(path, {"Deposited": {"1": [{"amounts": [1, 2]}]}})
    bank = account(event("Deposited", amounts=list[float]))
    with pytest.raises(AssertionError, match=r"\n\? amounts: is list\[float\] now\n"):
        check(path, bank)


def test_a_nested_field(path: Path) -> None:
    """The way to it is shown."""
    stored(path, {"Deposited": {"1": [{"money": {"amount": 1}}]}})
    bank = account(event("Deposited", money=Money))
    says("nested_field", lambda: check(path, bank))


def above(least: int, **more: Any) -> type:
    """Deposits that refuse amounts that are too small, and may have more fields."""

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


def test_a_class_that_refuses_what_is_stored(path: Path) -> None:
    """No field is of the wrong type: what the codec says is all there is to say."""
    stored(path, {"Deposited": {"1": [{"amount": 0}]}})
    says("refused", lambda: check(path, account(above(0))))


def test_a_field_is_added_to_a_class_of_which_no_sample_can_be_made(path: Path) -> None:
    """What is known is said: the field, and its type."""
    bank = account(Opened, above(9, currency=str))
    says("added_unmade", lambda: check(path, bank))


def add_currency(data: dict[str, Any]) -> dict[str, Any]:
    return {**data, "currency": "EUR"}


def test_an_upcaster(path: Path) -> None:
    """With it, old samples can be read, and only one of the new schema is missing."""
    cls = event("Deposited", amount=int, currency=str)
    bank = account(Opened, cls, upcasters={cls: [add_currency]})
    says("new_schema", lambda: check(path, bank))
    with pytest.raises(AssertionError, match=r"new samples of\n\n  Deposited, schema 2\n"):
        update(path, bank, samples=[cls(5, "EUR")])
    check(path, bank)
    assert ["1", "2"] == list(json.loads(path.read_text())["Deposited"])


def test_another_change_behind_an_upcaster(path: Path) -> None:
    """The new upcaster goes behind those there are, of this class and of others."""
    old = event("Deposited", amount=int, currency=str)
    bank = account(Opened, old, upcasters={old: [add_currency]})
    with pytest.raises(AssertionError, match="new samples"):
        update(path, bank)
    new = event("Deposited", amount=int, currency=str, note=str)
    bank = account(Opened, new, upcasters={Opened: [add_currency], new: [add_currency]})
    says("second_change", lambda: check(path, bank))


def test_an_upcaster_that_fails(path: Path) -> None:
    """It no longer takes what is stored."""

    def halve(data: dict[str, Any]) -> dict[str, Any]:
        return {"amount": data["cents"] // 2}

    stored(path, {"Deposited": {"1": [{"amount": 5}], "2": [{"amount": 1}]}})
    says(
        "failing_upcaster", lambda: check(path, account(Deposited, upcasters={Deposited: [halve]}))
    )


def test_an_upcaster_that_was_removed(path: Path) -> None:
    """The schema that it led to is still stored."""
    stored(path, {"Deposited": {"1": [{"amount": 1}], "2": [{"amount": 2}]}})
    says("removed_upcaster", lambda: check(path, account(Deposited)))


def test_an_earlier_schema_without_a_sample(path: Path) -> None:
    """Nobody can make one, so it is given as it was stored."""
    stored(path, {"Deposited": {"2": [{"amount": 1}]}})
    bank = account(Deposited, upcasters={Deposited: [dict]})
    says("earlier_schema", lambda: check(path, bank))
    says("earlier_schema_unmade", lambda: update(path, bank))
    with pytest.raises(AssertionError, match=r"new samples of\n\n  Deposited, schema 1\n"):
        update(path, bank, samples=[EventData("Deposited", {"amount": 7}, schema=1)])
    check(path, bank)


def test_a_renamed_class(path: Path) -> None:
    """The alias is there to be pasted."""
    moved = event("MoneyDeposited", amount=int)
    says("renamed_class", lambda: check(path, account(Opened, moved)))
    bank = account(Opened, moved, aliases={"Deposited": moved})
    with pytest.raises(AssertionError, match=r"has no sample of\n\n  MoneyDeposited, schema 1\n"):
        check(path, bank)
    with pytest.raises(AssertionError, match="new samples"):
        update(path, bank)
    check(path, bank)


def test_an_earlier_schema_under_an_earlier_name(path: Path) -> None:
    """Data of the past is looked for under names of the past, too."""
    cls = event("MoneyDeposited", amount=int)
    old, new = {"1": [{"amount": 1}]}, {"2": [{"amount": 2}]}
    stored(path, {"Deposited": old, "MoneyDeposited": new})
    check(path, account(cls, aliases={"Deposited": cls}, upcasters={cls: [dict]}))


def test_a_class_renamed_again(path: Path) -> None:
    """The aliases there are stay, and only classes that read the data are suggested."""
    stored(path, {"Deposited": {"1": [{"amount": 1}]}, "PaidIn": {"1": [{"amount": 1}]}})
    moved = event("MoneyDeposited", amount=int)
    bank = account(Opened, moved, aliases={"PaidIn": moved})
    says("renamed_again", lambda: check(path, bank))


def test_a_class_that_is_gone(path: Path) -> None:
    """There is none that could have taken its place."""
    says("gone_class", lambda: check(path, account(Opened)))


def test_update_does_not_hide_a_problem(path: Path) -> None:
    """As long as something is wrong with what is there, nothing is added."""
    before = path.read_bytes()
    bank = account(Opened, event("Deposited", cents=int), event("Closed"))
    with pytest.raises(AssertionError, match="another shape"):
        update(path, bank, samples=[Opened("bob")])
    assert before == path.read_bytes()


def test_a_sample_that_cannot_be_made(path: Path) -> None:
    """It says for which type to give one, and why."""
    stored(path, {"Opened": STORED["Opened"]})
    picky = above(9)
    says("unmade", lambda: update(path, account(Opened, picky)))
    with pytest.raises(AssertionError, match=r"new samples of\n\n  Deposited, schema 1\n"):
        update(path, account(Opened, picky), samples=[picky(10)])


def test_a_sample_of_another_class(path: Path) -> None:
    """It is not an event of any aggregate."""
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
    '{"Opened": "ann"}': "'Opened': expected an object of samples by schema, found a text",
    '{"Opened": {"one": [{}]}}': "'Opened', 'one': a schema is a number from 1",
    '{"Opened": {"0": [{}]}}': "'Opened', '0': a schema is a number from 1",
    '{"Opened": {"-1": [{}]}}': "'Opened', '-1': a schema is a number from 1",
    '{"Opened": {"1": {"owner": "ann"}}}': (
        "'Opened', '1': expected a list of samples, found an object"
    ),
    '{"Opened": {"1": "ann"}}': "'Opened', '1': expected a list of samples, found a text",
    '{"Opened": {"1": [{"owner": "ann"}, "bob"]}}': (
        "'Opened', '1', sample 2: expected an object of fields, found a text"
    ),
    '{"Opened": {"1": [{"owner": "ann"}]}, "Opened": {}}': (
        "the key 'Opened' stands twice in one object"
    ),
    '{"Opened": {\n<<<<<<< ours\n"1": []\n=======\n"1": [{}]\n>>>>>>> theirs\n}}': (
        "it has the marks of a conflict; keep the samples of both sides"
    ),
}


@pytest.mark.parametrize(("text", "problem"), MALFORMED.items())
def test_a_file_of_another_form(path: Path, text: str, problem: str) -> None:
    """It is not taken for an empty one, and is left as it is; what to do is said."""
    path.write_text(text, encoding="utf-8")
    for call in (check, update):
        with pytest.raises(golden.MalformedSamples) as failure:
            call(path, account(Opened))
        assert (path, problem) == (failure.value.path, failure.value.problem)
        assert (
            f"{path} is not a file of samples: {problem}\n"
            "Take it back from version control, or mend it by hand: it holds, by type and schema, "
            'lists of data: {"Opened": {"1": [{"owner": "ann"}]}}'
        ) == str(failure.value)
    assert text == path.read_text(encoding="utf-8")


def test_a_file_that_is_no_text(path: Path) -> None:
    """Such as one of UTF-16."""
    path.write_bytes("{}".encode("utf-16"))
    with pytest.raises(golden.MalformedSamples, match=r"it is not UTF-8 \("):
        check(path, account(Opened))


T = TypeVar("T")


@frozen
class Box(Generic[T]):
    content: T


def test_a_generic_field(path: Path) -> None:
    """A sample of it can be made, and what changed in it can be said."""
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
    """Sent, once its content has another type."""

    to: str


def test_a_generic_base(path: Path) -> None:
    """An event has the fields of its base, of the types that it says."""
    stored(path, {})
    with pytest.raises(AssertionError, match="new samples"):
        update(path, account(Sent))
    assert {"Sent": {"1": [{"content": "content", "to": "to"}]}} == json.loads(path.read_text())
    bank = account(SentOtherwise, aliases={"Sent": SentOtherwise})
    with pytest.raises(AssertionError, match=r"\n\? content: is .*Money now \(expected "):
        check(path, bank)


def test_the_code_that_is_shown_works(path: Path) -> None:
    """The skeleton is Python, and once filled in it does what it says."""
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
