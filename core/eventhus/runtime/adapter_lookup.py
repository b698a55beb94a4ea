"""Finds adapters by URL scheme among the entry points of installed distributions."""

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
    """Load the adapter for a URL's scheme. Errors name only the scheme: the rest may be secret.

    Args:
        url: ``scheme://…``
        group: The group of entry points to look in.

    Raises:
        CompositionError: The URL has no scheme, nothing is registered for the scheme, or the
            adapter cannot be imported.
    """
    found = _SCHEME.match(url)
    if found is None:
        raise CompositionError(
            f"an adapter's URL starts with a scheme, as memory:// does; known in {group}: "
            f"{_known(group)}"
        )
    return load_adapter(found[1].lower(), group)


def load_adapter(name: str, group: str) -> Any:
    """Load the adapter that is registered under a name. Raises what ``adapter_for`` does."""
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
