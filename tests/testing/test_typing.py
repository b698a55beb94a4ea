"""Type checkers find the misuse of the kit and of the kernel, and infer what is not written."""

import re
from pathlib import Path
from typing import assert_type

import mypy.api
import pytest

from eventhus import Aggregate
from eventhus_testing import Spec, spec
from tests.testing.cart import Cart, CartCommand, CartEvent, cart

ROOT = Path(__file__).parents[2]

# The test below asks mypy only; this holds for every type checker that reads this file.
assert_type(cart, Aggregate[CartCommand, CartEvent, Cart])
assert_type(spec(cart), Spec[CartCommand, CartEvent, Cart])

# What mypy must say stands behind each line: "E:" and the code of an error, or "R:" and the type
# revealed. About any other line it must say nothing.
MODULE = """
from collections.abc import Iterator
from typing import assert_never

from attrs import frozen

from eventhus import Aggregate, Application, Command, Rejected
from eventhus_testing import spec


@frozen(kw_only=True)
class Open(Command):
    owner: str

@frozen(kw_only=True)
class Deposit(Command):
    amount: int

@frozen
class Opened:
    owner: str

@frozen
class Deposited:
    amount: int

@frozen
class Account:
    owner: str = ""
    balance: int = 0

class NotOpen(Rejected): ...

AccountCommand = Open | Deposit
AccountEvent = Opened | Deposited

def decide(command: AccountCommand, account: Account) -> Iterator[AccountEvent]:
    match command:
        case Open():
            yield Opened(command.owner)
        case Deposit():
            yield Deposited(command.amount)
        case _:
            assert_never(command)

def evolve(account: Account, event: AccountEvent) -> Account:
    match event:
        case Opened():
            return Account(event.owner, account.balance)
        case Deposited():
            return Account(account.owner, account.balance + event.amount)
        case _:
            assert_never(event)

account = Aggregate(name="Account", initial=Account(), decide=decide, evolve=evolve)


# Another aggregate, whose values must not get into the first one.

@frozen(kw_only=True)
class Write(Command):
    text: str

@frozen
class Written:
    text: str

def decide_note(command: Write, note: str) -> Iterator[Written]:
    yield Written(command.text)

def evolve_note(note: str, event: Written) -> str:
    return event.text

note = Aggregate(name="Note", initial="", decide=decide_note, evolve=evolve_note)


# The kernel infers its three types from the functions, and holds them against each other.

reveal_type(account)  # R: Aggregate[Open | Deposit, Opened | Deposited, Account]
Aggregate(name="Account", initial=Account(), decide=decide, evolve=evolve_note)  # E: arg-type
Aggregate(name="Account", initial="", decide=decide, evolve=evolve)  # E: arg-type

def forgets_a_command(command: AccountCommand, account: Account) -> Iterator[AccountEvent]:
    match command:
        case Open():
            yield Opened(command.owner)
        case _:
            assert_never(command)  # E: arg-type

def forgets_an_event(account: Account, event: AccountEvent) -> Account:
    match event:
        case Opened():
            return Account(event.owner, account.balance)
        case _:
            assert_never(event)  # E: arg-type

async def read(app: Application) -> None:
    reveal_type(await app.state(account, "a"))  # R: Account
    print(await app.state(account, "a"))
    reveal_type((await app.load(account, "a")).state)  # R: Account
    reveal_type(await app.history(account, "a"))  # R: list[Recorded[Opened | Deposited]]


# The kit takes what belongs to the aggregate, and nothing else.

reveal_type(spec(account))  # R: Spec[Open | Deposit, Opened | Deposited, Account]
opened = spec(account).given(Opened("ann"), Deposited(5))
outcome = opened.when(Deposit(aggregate_id="a", amount=1))
reveal_type(outcome)  # R: Outcome[Open | Deposit, Opened | Deposited, Account]
reveal_type(outcome.and_when(Open(aggregate_id="a", owner="ann")).then_nothing())  # R: Outcome[Open | Deposit, Opened | Deposited, Account]
outcome.then(Deposited(1)).then_state(Account("ann", 6)).then_rejected(NotOpen, match="not open")

spec(account).given(Written("x"))  # E: arg-type
spec(account).given([Opened("ann")])  # E: arg-type
spec(account).given(Deposit(aggregate_id="a", amount=1))  # E: arg-type
spec(account).when(Write(aggregate_id="n", text="x"))  # E: arg-type
spec(account).when(Deposited(1))  # E: arg-type
outcome.and_when(Write(aggregate_id="n", text="x"))  # E: arg-type
outcome.then(Opened("ann"), Written("x"))  # E: arg-type
outcome.then_state("ann")  # E: arg-type
outcome.then_rejected(ValueError)  # E: type-var
outcome.then_rejected(NotOpen("a"))  # E: arg-type
outcome.then_rejected(NotOpen, match=1)  # E: arg-type
spec(note).given(Written("x")).when(Write(aggregate_id="n", text="y")).then_state(6)  # E: arg-type
"""  # noqa: E501


def test_mypy_finds_every_misuse_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong event, a foreign command or another state does not get past a type checker."""
    module = tmp_path / "bank.py"
    module.write_text(MODULE, encoding="utf-8")
    monkeypatch.chdir(ROOT)  # the paths in the configuration start here
    output, crash, _ = mypy.api.run(
        ["--config-file", "pyproject.toml", "--hide-error-context", "--no-pretty", str(module)]
    )
    assert "" == crash

    expected = {
        number: comment
        for number, line in enumerate(MODULE.splitlines(), 1)
        if (comment := line.partition("  # ")[2])
    }
    assert expected == dict(
        map(said, re.findall(r"^.*bank\.py:(\d+): (.*)$", output, re.MULTILINE))
    )


def said(line: tuple[str, str]) -> tuple[int, str]:
    """The line that mypy speaks of, and what it says in the words of the module."""
    number, message = line
    if revealed := re.search(r'^note: Revealed type is "(.*)"', message):
        return int(number), "R: " + re.sub(r"\w+\.", "", revealed[1])
    code = re.search(r"^error: .*\[(.*)\]$", message)
    return int(number), f"E: {code[1]}" if code else message
