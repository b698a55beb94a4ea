"""The command line ``eventhus``: shows ``eventhus.operations`` in a terminal or as JSON."""

from __future__ import annotations

import sys
from importlib.util import find_spec

__all__ = ["main"]


def main() -> None:
    """Run the command line, and exit with its code."""
    missing = [name for name in ("click", "rich") if find_spec(name) is None]
    if missing:
        needed = " and ".join(missing)
        print(f"eventhus: the command line needs {needed}; install eventhus[cli]", file=sys.stderr)
        sys.exit(2)
    from eventhus_cli.root import eventhus

    eventhus()
