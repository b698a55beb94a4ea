"""Plain data as bytes, so that no caller holds a reference into the store."""

from __future__ import annotations

import json
from marshal import dumps
from typing import Any

from eventhus.adapter_support import check_plain_data

# Of marshal. Later ones keep a list that appears twice as one object, which a caller could change.
_FORMAT = 2


def checked_bytes(data: Any) -> bytes:
    """Return plain data as bytes.

    Raises:
        ValueError: It is not plain.
    """
    check_plain_data(data)
    return packed(data)


def packed(data: Any) -> bytes:
    """Return plain data as bytes, which ``loads`` makes into new objects."""
    try:
        return dumps(data, _FORMAT)
    except ValueError:  # it holds instances of subclasses, which JSON makes into plain ones
        return dumps(json.loads(json.dumps(data)), _FORMAT)
