"""The imports that generated source needs, in the order of isort and Ruff."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import groupby
from types import ModuleType

from attrs import define, field

from eventhus_testing.python_source.layout import WIDTH


@define
class Imports:
    """The names that generated source imports.

    Attributes:
        notes: Instructions for the reader about names that cannot be imported.
    """

    _modules: dict[str, tuple[str, str]] = field(factory=dict[str, tuple[str, str]])
    notes: list[str] = field(factory=list)

    def name(self, module: str, name: str) -> str:
        """Import a name from a module, and return it or an alias if the name is taken."""
        if module == "builtins":
            return name
        if module == "__main__":
            self.note(f"{name} is defined in the module that was run; import it from there")
            return name
        written = name
        while self._modules.setdefault(written, (module, name)) != (module, name):
            written = f"{module.rpartition('.')[2]}_{written}"
        return written

    def of_class(self, cls: type) -> str:
        """Import a class, and return its name in the source."""
        outer, _, inner = cls.__qualname__.partition(".")
        if "<locals>" in cls.__qualname__:
            home = cls.__qualname__.partition(".<locals>")[0]
            self.note(f"{cls.__name__} is defined inside {home}; make it visible here")
            return cls.__name__
        written = self.name(_public_home(cls.__module__, outer), outer)
        return f"{written}.{inner}" if inner else written

    def note(self, text: str) -> None:
        """Add an instruction for the reader, unless it is there already."""
        if text not in self.notes:
            self.notes.append(text)

    def lines(self) -> Iterator[str]:
        """Yield the notes as comments, then the import lines in groups."""
        yield from (f"# {note}" for note in self.notes)
        if self.notes and self._modules:
            yield ""
        ordered = sorted({module for module, _ in self._modules.values()}, key=_module_order)
        for number, (_, group) in enumerate(groupby(ordered, key=_section)):
            if number:
                yield ""
            for module in group:
                yield from self._line(module)

    def _line(self, module: str) -> Iterator[str]:
        names = sorted(
            (name, written) for written, (home, name) in self._modules.items() if home == module
        )
        names.sort(key=lambda pair: _name_order(pair[0]))
        texts = [name if name == written else f"{name} as {written}" for name, written in names]
        line = f"from {module} import {', '.join(texts)}"
        if len(line) <= WIDTH:
            yield line
        else:
            yield f"from {module} import ("
            yield from (f"    {text}," for text in texts)
            yield ")"


def _public_home(module: str, name: str) -> str:
    """Return the module to import from. For classes of eventhus, that is the package."""
    package = module.partition(".")[0]
    if package.startswith("eventhus") and hasattr(sys.modules[package], name):
        return package
    return module


def _section(module: str) -> int:
    """Return the group of a module: standard library, installed packages, or own code."""
    top = module.partition(".")[0]
    if top in sys.stdlib_module_names:
        return 0
    loaded: ModuleType | None = sys.modules.get(module)
    return 1 if "site-packages" in (getattr(loaded, "__file__", None) or "") else 2


def _module_order(module: str) -> tuple[int, str]:
    return _section(module), module.casefold()


def _name_order(name: str) -> tuple[int, str, str]:
    """Return a sort key that puts constants first, then classes, then other names."""
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2
    return kind, name.casefold(), name
