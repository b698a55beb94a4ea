"""Text that is safe to show: without secrets, and without anything that acts on a terminal."""

from __future__ import annotations

import json
import re
from typing import Any

_CREDENTIALS = re.compile(r"(?<=://)\S+@")  # up to the last @, whatever the password holds
_SECRETS = re.compile(r"(?i)\b(\w*(?:password|passwd|token|secret|properties)\w*=)[^&\s'\"]+")


_COMMANDS = {
    "app.parked": "eventhus parked list",
    "app.retry": "eventhus parked retry",
    "app.skip": "eventhus parked skip",
    "app.dead_letters": "eventhus dead list",
}


def for_shell(message: str) -> str:
    """Return a message of an error with commands in place of the methods that they stand for.

    >>> for_shell("mend the code and call app.retry")
    'mend the code and call eventhus parked retry'
    """
    for method, command in _COMMANDS.items():
        message = message.replace(method, command)
    return message


def without_secrets(text: str) -> str:
    """Return text with asterisks in place of the credentials of its URLs.

    >>> without_secrets("cannot reach mongodb://ada:pa@ss@db1/?authSource=admin")
    'cannot reach mongodb://***@db1/?authSource=admin'
    """
    return _SECRETS.sub(r"\1***", _CREDENTIALS.sub("***@", text))


def escaped(text: str) -> str:
    """Return text with escapes in place of line breaks and of whatever acts on a terminal."""
    from eventhus.printable import printable

    return printable(text)


def one_line(message: str) -> str:
    """Return a message as one line that is safe to print, without credentials."""
    return escaped(" ".join(without_secrets(message).split()))


def compact(data: Any) -> str:
    """Return plain data on one line, escaped and cut to a length that can be read."""
    return escaped(json.dumps(data, ensure_ascii=False))


def indented(data: Any) -> str:
    """Return plain data on several lines, escaped. Lines that are too long are cut."""
    text = json.dumps(data, ensure_ascii=False, indent=2)
    return "\n".join(map(escaped, text.split("\n")))
