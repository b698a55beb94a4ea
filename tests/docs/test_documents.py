"""The examples in the documents run and print what the documents say, and links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("adapters/*/*.md"),
        *ROOT.glob("testing/*.md"),
        *ROOT.glob("benchmarks/*.md"),
        *ROOT.glob("examples/*/*.md"),
    ]
)
LINK = re.compile(r"\]\(([^)\s]+)\)")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(document: Path) -> list[tuple[str, str, int]]:
    """The fenced blocks of a document: language, text and the line that the text starts on."""
    text = document.read_text(encoding="utf-8")
    return [
        (match[1], match[2], text.count("\n", 0, match.start(2)) + 1)
        for match in BLOCK.finditer(text)
    ]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_python_blocks_run(document: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The blocks of a document run one after the other, in one module, tests included."""
    module = ModuleType("__main__")  # as a reader would run it
    printed = ""
    for language, text, line in blocks(document):
        if language == "python":
            # The padding makes a traceback point at the line of the document.
            code = compile("\n" * (line - 1) + text, str(document), "exec", dont_inherit=True)
            exec(code, module.__dict__)
            for name in [name for name in module.__dict__ if name.startswith("test_")]:
                module.__dict__.pop(name)()
            printed = capsys.readouterr().out
        elif language == "text" and printed:
            assert sorted(text.splitlines()) == sorted(printed.splitlines())
            printed = ""


def broken_links(document: Path) -> list[str]:
    """The relative links of a document that lead nowhere."""
    paths = [link.partition("#")[0] for link in LINK.findall(document.read_text(encoding="utf-8"))]
    local = [path for path in paths if path and "://" not in path]
    return [path for path in local if not (document.parent / path).exists()]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    assert [] == broken_links(document)


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    document = tmp_path / "page.md"
    document.write_text("[here](page.md#top) [there](gone.md) [web](https://example.org)")
    assert ["gone.md"] == broken_links(document)


TREE = re.compile(r"^( *)((?:[\w/]+(?:/|\.py) *)+)", re.MULTILINE)
ROOTS = (ROOT, ROOT / "core/eventhus", ROOT / "testing")


def paths_of_tree(text: str) -> list[str]:
    """Return the paths that an indented tree of folders names."""
    paths: list[str] = []
    folders: list[str] = []  # the folder of each level, down to the current line
    for match in TREE.finditer(text):
        del folders[len(match[1]) // 2 :]
        names = match[2].split()
        paths += ["".join([*folders, name]) for name in names]
        folders.append(names[0])
    return paths


def missing_paths(text: str) -> list[str]:
    """Return the paths in backticks that do not exist. A bare file name may be in any folder."""
    trees = [block[2] for block in BLOCK.finditer(text) if block[1] == "text"]
    absent = [path for tree in trees for path in paths_of_tree(tree) if not (ROOT / path).exists()]
    for path in re.findall(r"`([\w./-]+(?:\.py|/))`", BLOCK.sub("", text)):
        found = any((root / path).exists() for root in ROOTS)
        if not found and ("/" in path or not any((ROOT / "core").rglob(path))):
            absent.append(path)
    return absent


def test_the_architecture_names_existing_paths() -> None:
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    assert len(paths_of_tree(text)) > 25
    assert [] == missing_paths(text)


def test_a_missing_path_is_found() -> None:
    text = (
        "`ports/bus.py` `relay.py` `gone.py` `ports/gone.py`\n```text\ncore/\n  gone/  tests/\n```"
    )
    assert ["core/gone/", "core/tests/", "gone.py", "ports/gone.py"] == missing_paths(text)


def test_readme_is_quick() -> None:
    """A reader has a passing spec in under 30 lines and a running application in under 60."""
    python = [text for language, text, _ in blocks(ROOT / "README.md") if language == "python"]
    spec, properties, application = (text.count("\n") for text in python[:3])
    assert spec < 30
    assert spec + properties + application < 60
