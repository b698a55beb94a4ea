"""Writes functions as source: the name of a function, or the text of a lambda."""

from __future__ import annotations

import ast
import builtins
import inspect
import linecache
import re
import sys
from collections.abc import Callable, Iterator
from functools import lru_cache
from types import CodeType, ModuleType
from typing import Any

from eventhus_testing.python_source.imports import Imports


def function_source(function: Callable[..., Any], imports: Imports, name: str) -> str:
    """Return the source of a function: its name, or the text of a lambda.

    Args:
        function: The function.
        imports: Collects the imports that the source needs.
        name: The name for a function that cannot be imported. A note tells the reader.
    """
    is_lambda = inspect.isfunction(function) and function.__name__ == "<lambda>"
    own_name = getattr(function, "__name__", "")
    if not is_lambda:
        written = visible_name(function, imports, [getattr(function, "__module__", "")])
        if written is not None:
            return written
    elif (found := _lambda(function)) is not None:
        text, tree = found
        _import_names(function, tree, imports)
        return text
    if own_name.isidentifier():
        name = own_name
    imports.note(f"{name} is the one that was passed to the check; make it visible here")
    return name


def readable(function: object) -> str:
    """Return a readable name of a function, the same in each run, or the text of a lambda.

    Args:
        function: The function, or any other callable.
    """
    named = type(function) if type(function).__repr__ is object.__repr__ else function
    name: str = getattr(named, "__qualname__", "").rpartition("<locals>.")[2]
    if name.endswith("<lambda>"):
        found = _lambda(function)
        return name if found is None else f"({found[0]})"
    # Addresses in memory differ from run to run.
    return name or re.sub(r" at 0x[0-9A-Fa-f]+", "", repr(function))


def visible_name(value: object, imports: Imports, homes: list[str]) -> str | None:
    """Import the public name of a value in some module, or return ``None`` if there is none.

    Args:
        value: The value.
        imports: Collects the import.
        homes: The modules to search first.
    """
    modules = [sys.modules.get(home) for home in homes]
    for module in [*modules, *sys.modules.values()]:
        if not isinstance(module, ModuleType):
            continue
        for name, each in [*vars(module).items()]:
            if each is value and name.isidentifier() and not name.startswith("_"):
                return imports.name(module.__name__, name)
    return None


def _lambda(function: Any) -> tuple[str, ast.Lambda] | None:
    """Return the text and the tree of a lambda, if the source of its module is available."""
    code: CodeType = function.__code__
    try:
        source = "".join(linecache.getlines(code.co_filename, function.__globals__))
        tree = _parsed(source)
    except SyntaxError:
        return None
    nodes = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Lambda) and node.lineno == code.co_firstlineno
    ]
    if len(nodes) > 1:  # several lambdas in one line: compare where their bodies end
        ends = {(end_line, end) for _, end_line, _, end in code.co_positions()}
        nodes = [node for node in nodes if (node.body.end_lineno, node.body.end_col_offset) in ends]
    if len(nodes) != 1:
        return None
    text = ast.get_source_segment(source, nodes[0]) or ""
    return (ast.unparse(nodes[0]) if "\n" in text else text), nodes[0]


@lru_cache(maxsize=8)  # Hypothesis asks for the same text hundreds of times
def _parsed(source: str) -> ast.Module:
    return ast.parse(source)


def _import_names(function: Any, tree: ast.Lambda, imports: Imports) -> None:
    closure = inspect.getclosurevars(function)
    for name in dict.fromkeys(_names(tree)):
        if name in closure.nonlocals:
            imports.note(f"{name} is local to the function around the lambda; define it here")
        elif name in closure.globals and not hasattr(builtins, name):
            value = closure.globals[name]
            if isinstance(value, ModuleType):
                imports.note(f"import {name}")
            elif isinstance(value, type) and value.__qualname__ == name:
                imports.of_class(value)
            else:
                imports.name(function.__module__, name)


def _names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
