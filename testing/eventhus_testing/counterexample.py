"""What broke, as a spec to paste."""

from __future__ import annotations

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import attrs
from attrs import frozen

from eventhus import Aggregate, Command, Rejected
from eventhus_testing.rules import ALL, Rules
from eventhus_testing.source import WIDTH, Brackets, Imports, Node, flat, laid_out, source_of

MODULE = "eventhus_testing"


class Counterexample(AssertionError):
    """A property does not hold; the text is the smallest spec that was found to fail for it.

    Attributes:
        spec: The source of that spec, without the words around it.
    """

    def __init__(self, headline: str, spec: str) -> None:
        self.spec = spec
        super().__init__(
            f"{headline}\n\nPaste this into your tests; it fails as it stands:\n\n{spec}"
        )


@frozen(kw_only=True)
class Breach:
    """Where a property does not hold.

    Attributes:
        aggregate: Whose property.
        given: The events before.
        cause: The command that breaks it; or the event, where history alone does.
        headline: What does not hold.
        name: The same, as the name of a test.
        ending: The last line of the spec, if there is one: source, with its own imports.
        rules: The rules that were checked.
        has_codec: Whether a codec was passed.
    """

    aggregate: Aggregate[Any, Any, Any]
    given: Sequence[Any]
    cause: Any
    headline: str
    name: str
    ending: Callable[[Imports], Node | None]
    rules: Rules = ALL
    has_codec: bool = False

    def counterexample(self) -> Counterexample:
        """The error to raise."""
        return Counterexample(f"{self.aggregate.name}: {self.headline}", self.source())

    def source(self) -> str:
        """The spec: import lines and a test function."""
        imports = Imports()
        links = [*self._links(imports)]
        body = _chain(links)
        head = f"def test_{self.name}() -> None:"
        test = [head, f'    """{_docstring(self.headline)}"""', body]
        notes = [f"# {note}" for note in imports.notes]
        return "\n".join([*notes, *imports.lines(), "", "", *test]) + "\n"

    def _links(self, imports: Imports) -> Iterator[Node]:
        name = _visible_name(self.aggregate, self.aggregate.decide, imports)
        imports.name(MODULE, "spec")
        arguments: list[tuple[str, Node]] = [("", name)]
        if self.rules != ALL:
            off = [name for name, is_on in attrs.asdict(self.rules).items() if not is_on]
            rules = Brackets("Rules(", [(f"{name}=", "False") for name in off], ")")
            imports.name(MODULE, "Rules")
            arguments.append(("rules=", rules))
        if self.has_codec:
            imports.note("pass your codec where it says codec=codec")
            arguments.append(("codec=", "codec"))
        yield Brackets("spec(", arguments, ")")
        if self.given:
            events = [("", source_of(event, imports)) for event in self.given]
            yield Brackets(".given(", events, ")")
        cause = source_of(self.cause, imports)
        if isinstance(self.cause, Command):
            yield Brackets(".when(", [("", cause)], ")")
        else:
            yield Brackets(".when_called(", [("", f"lambda state: [{flat(cause)}]")], ")")
        ending = self.ending(imports)
        if ending is not None:
            yield ending


def _chain(links: Sequence[Node]) -> str:
    line = "    " + "".join(link if isinstance(link, str) else link.flat() for link in links)
    if len(line) <= WIDTH:
        return line
    lines = [laid_out(link, indent=8) for link in links]
    return "\n".join(["    (", *lines, "    )"])


def _docstring(headline: str) -> str:
    first = headline.splitlines()[0].replace("\\", "\\\\").replace('"""', "'''").rstrip(".")
    room = WIDTH - len('    """."""')
    whole = f"Found by check_aggregate: {first}"
    return f"{whole}." if len(whole) <= room else f"{whole[: room - 3]}..."


def _visible_name(value: Any, near: Any, imports: Imports) -> str:
    """The name under which a module shows a value, and the import of it."""
    home = getattr(near, "__module__", None)
    modules = [sys.modules.get(home or ""), *[*sys.modules.values()]]
    for module in filter(inspect.ismodule, modules):
        for name, each in [*vars(module).items()]:
            if each is value and name.isidentifier() and not name.startswith("_"):
                return imports.name(module.__name__, name)
    imports.note("the aggregate has no name in any module: put this where yours is visible")
    return "aggregate"


def invariant_ending(invariant: Callable[[Any], object]) -> Callable[[Imports], Node | None]:
    """The line that checks an invariant on the state."""

    def ending(imports: Imports) -> Node:
        return Brackets(".then_state_matching(", [("", _function_source(invariant, imports))], ")")

    return ending


def _function_source(function: Any, imports: Imports) -> str:
    name = getattr(function, "__name__", "<lambda>")
    module = sys.modules.get(getattr(function, "__module__", ""))
    if module is not None and getattr(module, name, None) is function:
        return imports.name(module.__name__, name)
    source = _lambda_source(function)
    if source is not None:
        return source
    imports.note("put the invariant where it says invariant")
    return "invariant"


def _lambda_source(function: Any) -> str | None:
    """The source of a lambda, where there is no other on its lines to take it for."""
    if getattr(function, "__name__", "") != "<lambda>" or function.__code__.co_freevars:
        return None
    try:
        lines, _ = inspect.getsourcelines(function)
    except OSError:
        return None
    text = textwrap.dedent("".join(lines)).strip()
    for end in range(len(text), 0, -1):  # the lines may end in the middle of a call
        for candidate in (text[:end], f"({text[:end]}", f"f({text[:end]}"):
            try:
                tree = ast.parse(candidate)
            except (SyntaxError, ValueError):
                continue
            found = [node for node in ast.walk(tree) if isinstance(node, ast.Lambda)]
            if found:
                return ast.unparse(found[0]) if len(found) == 1 else None
    return None


def outcome_ending(
    aggregate: Aggregate[Any, Any, Any], command: Any, given: Sequence[Any]
) -> Callable[[Imports], Node | None]:
    """The line that expects what a command leads to, as far as that can be told.

    It holds once the rule does, and says until then what the command was about.
    """

    def ending(imports: Imports) -> Node | None:
        try:
            events = tuple(aggregate.decide(command, aggregate.fold(given)))
        except Rejected as refusal:
            return Brackets(".then_rejected(", [("", source_of(type(refusal), imports))], ")")
        except Exception:  # noqa: BLE001 - it is what the spec is about
            return None
        if not events:
            return ".then_nothing()"
        return Brackets(".then(", [("", source_of(event, imports)) for event in events], ")")

    return ending


def as_name(text: str) -> str:
    """A text as a part of the name of a function."""
    return re.sub(r"\W+", "_", text.lower()).strip("_")
