"""The time limit of a command."""

from __future__ import annotations

import asyncio

import pytest
from click.testing import CliRunner

from eventhus_cli.options import Group
from eventhus_cli.root import Root
from eventhus_cli.session import Session, operating

SAMPLE = ("--app", "tests.adapters.cli.sample:empty")


@pytest.fixture
def root() -> Group:
    """Commands that wait longer than the time limit."""
    root = Root("eventhus")

    @root.command()
    @operating()
    async def ask(session: Session) -> None:
        await asyncio.Event().wait()  # a server that does not answer

    @root.command()
    @operating(is_long=True)
    async def work(session: Session) -> None:
        await asyncio.sleep(0.6)

    return root


def test_an_answer_is_awaited_until_the_time_limit(root: Group) -> None:
    result = CliRunner().invoke(root, ["ask", *SAMPLE, "--timeout", "0.5"])
    assert (3, "") == (result.exit_code, result.stdout)
    assert "did not answer within 0.5 s" in result.stderr


def test_long_work_has_no_time_limit(root: Group) -> None:
    assert 0 == CliRunner().invoke(root, ["work", *SAMPLE, "--timeout", "0.5"]).exit_code
