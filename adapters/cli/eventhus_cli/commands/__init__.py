"""The commands, a module for each topic. They import what is slow only when they run."""

from __future__ import annotations

from eventhus_cli.commands.completing import completion
from eventhus_cli.commands.dead import dead
from eventhus_cli.commands.domain import describe
from eventhus_cli.commands.environment import console, doctor, leases
from eventhus_cli.commands.groups import groups
from eventhus_cli.commands.health import status
from eventhus_cli.commands.log import event, tail
from eventhus_cli.commands.parked import parked
from eventhus_cli.commands.streams import state, stream, streams
from eventhus_cli.commands.views import views
from eventhus_cli.options import Group

__all__ = ["add_commands"]


def add_commands(group: Group) -> None:
    """Add every command to the outermost group."""
    group.add(
        status,
        tail,
        event,
        stream,
        streams,
        state,
        views,
        parked,
        dead,
        groups,
        leases,
        doctor,
        describe,
        console,
        completion,
    )
