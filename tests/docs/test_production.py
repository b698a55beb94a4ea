"""The page about production lists every finding."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAME = re.compile(r'"((?:mongodb|nats|memory|eventhus)\.[a-z_]+)"')
ROW = re.compile(r"^\| `([a-z.]+_?[a-z]*)` \|", re.MULTILINE)
SOURCES = [
    *ROOT.glob("adapters/*/eventhus_*/diagnosis/names.py"),
    ROOT / "core/eventhus/runtime/diagnosis.py",
    ROOT / "adapters/memory/eventhus_memory/store.py",
    ROOT / "adapters/memory/eventhus_memory/bus.py",
]


def test_every_finding_has_a_row() -> None:
    listed = ROW.findall((ROOT / "docs/production.md").read_text(encoding="utf-8"))
    named = {name for path in SOURCES for name in NAME.findall(path.read_text(encoding="utf-8"))}
    assert sorted(named) == sorted(listed)
