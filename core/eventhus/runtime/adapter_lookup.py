"""Finds the adapter behind a URL, among those that installed distributions register."""

from __future__ import annotations

import re
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from eventhus.errors import CompositionError

STORES = "eventhus.stores"
BUSES = "eventhus.buses"
CODECS = "eventhus.codecs"

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")  # RFC 3986, section 3.1


def adapter_for(url: str, group: str) -> Any:
    """What is registered for a URL's scheme. Names the scheme alone: the rest may be secret.

    Args:
        url: ``scheme://…``
        group: The group of entry points to look in.

    Raises:
        CompositionError: The URL has no scheme, nothing is registered for it, or what is cannot
            be imported.
    """
    found = _SCHEME.match(url)
    if found is None:
        raise CompositionError(
            f"an adapter's URL starts with a scheme, as memory:// does; known in {group}: "
            f"{_known(group)}"
        )
    return load_adapter(found[1].lower(), group)


def load_adapter(name: str, group: str) -> Any:
    """What is registered under a name. Raises like ``adapter_for``."""
    found: list[EntryPoint] = list(entry_points(group=group, name=name))
    if not found:
        raise CompositionError(
            f"nothing is registered for {name!r} in {group}; known: {_known(group)}"
        )
    try:
        return found[0].load()
    except ImportError as error:
        raise CompositionError(
            f"the adapter for {name!r} needs {error.name or error}; "
            f"install it, or eventhus with the adapter's extra"
        ) from error


def _known(group: str) -> str:
    return ", ".join(sorted(entry_points(group=group).names)) or "none"
