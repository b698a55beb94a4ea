"""Dead letters and consumer groups."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any

from attrs import frozen

from eventhus.adapter_support.arguments import check_page
from eventhus.adapter_support.plain_data import check_plain_data
from eventhus.errors import InvalidArgument
from eventhus.operations.app_parts import AppParts
from eventhus.operations.log import check_limit
from eventhus.operations.redaction import Redactable, Redactor
from eventhus.operations.values import ShownLetter
from eventhus.ports.bus import DeadLetter
from eventhus.runtime.messaging.dead_letters import buried_event
from eventhus.runtime.messaging.subscriber import EventHandler


@frozen
class Letters:
    """The dead letters of the groups of one application.

    Attributes:
        parts: The application.
        redactor: Changes the bodies of letters.
    """

    parts: AppParts
    redactor: Redactor

    async def page(self, group: str, after: int, limit: int) -> Sequence[ShownLetter]:
        """Return dead letters, as ``Operations.dead_letters`` does."""
        check_limit(limit)
        check_page(1, after=after)
        source = await self.parts.source_with(group)
        letters: list[ShownLetter] = []
        async with aclosing(source.dead_letters(group, after=after)) as found:
            async for letter in found:
                letters.append(self._shown(group, letter))
                if len(letters) == limit:
                    break
        return letters

    def handler_of(self, group: str) -> EventHandler:
        """Return the handler that this process has subscribed with a group.

        Raises:
            InvalidArgument: It has none, or several.
        """
        subscribers = [each for each in self.parts.subscribers if each.group == group]
        handlers = list(dict.fromkeys(id(each.handler) for each in subscribers))
        if len(handlers) == 1:
            return subscribers[0].handler
        found = "several handlers" if handlers else "no handler"
        raise InvalidArgument(
            f"this process has subscribed {found} with group {group!r}; pass handler=..., or "
            f"replay in the process that handles the group"
        )

    def _shown(self, group: str, letter: DeadLetter) -> ShownLetter:
        buried = buried_event(letter)
        body = _plain(letter.message.body)
        shown = self.redactor.shown(Redactable(kind="letter", name=buried.type, data=body))
        return ShownLetter(
            group=group,
            number=buried.number,
            event_id=buried.id,
            position=buried.position,
            stream=buried.stream,
            type=buried.type,
            error=buried.error,
            attempts=buried.attempts,
            at=buried.at,
            body=shown.data,
            problem=shown.problem,
        )


def _plain(body: bytes) -> Any:
    """Return the body of a message as plain data, or as text if it is not JSON."""
    text = body.decode(errors="replace")
    try:
        data = json.loads(text)
        check_plain_data(data)
    except (ValueError, RecursionError):
        return text
    return data
