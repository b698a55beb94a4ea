"""The sessions in the page about the command line are what its commands answer."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from eventhus import Delivered
from eventhus_cli.root import eventhus
from examples.shop.composition import compose
from examples.shop.fulfilment import fulfilment
from examples.shop.order import OrderCancelled, OrderShipped
from examples.shop.payment import ReceivePayment
from examples.shop.samples import PLACE, POT, TEA, TOTAL
from examples.shop.stock import ReceiveGoods
from examples.shop.views import orders, shelf
from tests.adapters.cli.sample import GROUP

PAGE = Path(__file__).parents[2] / "docs" / "command-line.md"
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MASKS = (
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ"), "TIME"),
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)"), "TIME"),
    (re.compile(r"\b01[0-9A-HJKMNP-TV-Z]{24}\b"), "ID"),
    (re.compile(r" +"), " "),  # a column is as wide as what it holds
)


def masked(line: str) -> str:
    """Return a line without what differs between two runs."""
    for pattern, mask in MASKS:
        line = pattern.sub(mask, line)
    return line.strip()


def session() -> list[tuple[str, list[str]]]:
    """The commands of the page, each with the lines that it answers."""
    found: list[tuple[str, list[str]]] = []
    for block in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            else:
                found[-1][1].append(line)
    return found


async def tell_nobody(delivered: Delivered[OrderShipped | OrderCancelled]) -> None:
    """Stand in for a mail server that is away."""
    raise ConnectionRefusedError


async def an_hour_without_mail() -> None:
    """Leave behind what the page tells about."""
    async with compose() as shop:
        await shop.subscribe(
            tell_nobody,
            group="mail",
            types=[OrderShipped, OrderCancelled],
            start="beginning",
            attempts=1,
        )
        for line in (TEA, POT):
            await shop.dispatch(
                ReceiveGoods(aggregate_id=line.product, quantity=10, price=line.price)
            )
        await shop.dispatch(PLACE)
        await shop.caught_up(fulfilment)  # has reserved the goods
        await shop.caught_up(fulfilment)  # has asked for the money
        await shop.dispatch(ReceivePayment(aggregate_id="o1", amount=TOTAL))
        await shop.caught_up(fulfilment)  # has shipped the order
        await shop.caught_up(fulfilment)  # has handed the goods over
        for view in (orders, shelf):
            await shop.caught_up(view)
        while not await shop.dead_letters(group="mail"):  # noqa: ASYNC110
            await asyncio.sleep(0.05)  # nothing tells of a letter


@pytest.fixture
def shop(mongo_url: str, mongo_bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shop after the incident."""
    monkeypatch.setenv("SHOP_STORE", mongo_url)
    monkeypatch.setenv("SHOP_BUCKET", mongo_bucket)
    asyncio.run(an_hour_without_mail())


def run_session(bucket: str) -> list[tuple[str, list[str]]]:
    """Run the commands of the page; return them with their answers."""
    environment = {"COLUMNS": ""}
    code = 0
    answers: list[tuple[str, list[str]]] = []
    for command, _ in session():
        if " > " in command or " | " in command:  # for a shell
            answers.append((command, []))
            continue
        program, *args = shlex.split(command)
        lines: list[str] = []
        if program == "export":
            environment |= dict(arg.split("=", 1) for arg in args if not arg.startswith("SHOP_"))
        elif command == "echo $?":
            lines = [str(code)]
        elif program == "eventhus":
            result = CliRunner(env=environment).invoke(eventhus, args)
            code = result.exit_code
            lines = result.output.replace(bucket, "shop").rstrip().splitlines()
        answers.append((command, lines))
    return answers


@pytest.mark.usefixtures("shop")
def test_the_commands_answer_what_the_page_says(mongo_bucket: str) -> None:
    expected = [(command, [*map(masked, lines)]) for command, lines in session()]
    found = [(command, [*map(masked, lines)]) for command, lines in run_session(mongo_bucket)]
    assert expected == found


JSON_ROW = re.compile(r"^\| `([^`]+)` \| ([^|]+) \|", re.MULTILINE)


def shapes() -> dict[str, list[str]]:
    """The keys of each answer, by the command."""
    text = PAGE.read_text(encoding="utf-8").partition("## JSON")[2].partition("\n## ")[0]
    return {command: re.findall(r"`(\w+)`", keys) for command, keys in JSON_ROW.findall(text)}


ARGUMENTS = {
    "event": ["1"],
    "stream": ["Account/a1"],
    "state": ["Account/a1"],
    "views show": ["balances", "a1"],
    "views find": ["balances"],
    "views build": ["balances"],
    "views reset": ["balances", "--yes"],
    "views prune": ["--yes"],
    "parked retry": ["rates", "b2"],
    "parked skip": ["rates", "b2", "4", "--why", "a test", "--yes"],
    "dead list": [GROUP],
    "dead show": [GROUP, "1"],
    "dead replay": [GROUP, "--handler", "tests.adapters.cli.sample:accept", "--yes"],
    "dead discard": [GROUP, "1", "--yes"],
    "groups move": [GROUP, "--to", "now", "--yes"],
    "groups delete": [GROUP, "--yes"],
}


@pytest.mark.parametrize("command", shapes())
def test_answers_have_the_shape_that_the_page_says(command: str) -> None:
    args = [*command.split(), *ARGUMENTS.get(command, ()), "--json"]
    app = "handled" if command == "groups delete" else "filled"
    result = CliRunner().invoke(eventhus, ["--app", f"tests.adapters.cli.sample:{app}", *args])
    assert result.exit_code in (0, 1), result.output
    answer = json.loads(result.stdout.splitlines()[0] if command == "tail" else result.stdout)
    assert sorted(shapes()[command]) == sorted(answer)


def test_the_page_has_the_shape_of_every_answer() -> None:
    commands = {
        f"{name} {inner}".strip()
        for name, command in eventhus.commands.items()
        for inner in getattr(command, "commands", [""])
    }
    assert commands - {"console", "completion"} == {*shapes()}
