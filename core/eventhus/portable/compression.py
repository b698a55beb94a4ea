"""Zstandard, for files whose names end in ``.zst``."""

from importlib import import_module
from pathlib import Path
from typing import Any

from eventhus.errors import CompositionError

# The second has the interface of the first, for Python before 3.14.
_MODULES = ("compression.zstd", "backports.zstd")


def zstd_for(path: Path) -> Any | None:
    """Return the module that reads and writes a file, or ``None`` if it is not compressed.

    Raises:
        CompositionError: No module for Zstandard is installed.
    """
    if path.suffix != ".zst":
        return None
    for name in _MODULES:
        try:
            return import_module(name)
        except ImportError:
            continue
    raise CompositionError(
        f"{path.name} is compressed with Zstandard, which is part of Python from 3.14 on; install "
        f"eventhus[zstd], or take a file name that does not end in .zst"
    )
