"""Finds adapters by URL scheme: registered by installed distributions, or built in."""

from __future__ import annotations

import re
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from eventhus.errors import CompositionError

STORES = "eventhus.stores"
BUSES = "eventhus.buses"
CODECS = "eventhus.codecs"

# For programs that were packed without the metadata of their distributions, such as frozen ones.
# As text, because the kernel imports no adapter before it is used.
BUILT_IN = {
    (STORES, "memory"): "eventhus_memory:MemoryStore.open",
    (STORES, "mongodb"): "eventhus_mongo:MongoStore.open",
    (STORES, "mongodb+srv"): "eventhus_mongo:MongoStore.open",
    (BUSES, "memory"): "eventhus_memory:MemoryBus.open",
    (BUSES, "nats"): "eventhus_nats:NatsBus.open",
    (BUSES, "tls"): "eventhus_nats:NatsBus.open",
    (CODECS, "cattrs"): "eventhus_cattrs:CattrsCodec",
}

_EXTRAS = {"eventhus_mongo": "eventhus[mongo]", "eventhus_nats": "eventhus[nats]"}

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")  # RFC 3986, section 3.1


def adapter_for(url: str, group: str) -> Any:
    """Load the adapter for a URL's scheme. Errors name only the scheme: the rest may be secret.

    Args:
        url: ``scheme://…``
        group: ``STORES``, ``BUSES`` or ``CODECS``, a group of entry points.

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
    """Load the adapter that is registered under a name, or the built-in one of that name.

    Raises what ``adapter_for`` does.
    """
    found: list[EntryPoint] = list(entry_points(group=group, name=name))
    if not found and (built_in := BUILT_IN.get((group, name))):
        found = [EntryPoint(name, built_in, group)]
    if not found:
        raise CompositionError(
            f"nothing is registered for {name!r} in {group}; known: {_known(group)}"
        )
    try:
        return found[0].load()
    except ImportError as error:
        raise CompositionError(
            f"the adapter for {name!r} needs {error.name or error}; install "
            f"{_EXTRAS.get(found[0].module, 'it')}, and include it when you pack a program"
        ) from error


def _known(group: str) -> str:
    built_in = {name for built_in_group, name in BUILT_IN if built_in_group == group}
    return ", ".join(sorted(built_in | entry_points(group=group).names))
