"""The position of an event in the log, as its message tells it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

POSITION: Final = "Eventhus-Position"
"""The name of the header that holds it."""

_NUMBER = re.compile(r"[0-9]{1,19}")


def message_position(headers: Mapping[str, str]) -> int | None:
    """Return the position in the headers of a message; ``None`` if they have none."""
    position = str(headers.get(POSITION, ""))  # drivers return values of a class of their own
    return int(position) if _NUMBER.fullmatch(position) else None
