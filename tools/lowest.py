"""Print the lowest versions that pyproject.toml admits, as constraints for pip."""

import itertools
import re
import sys
import tomllib
from pathlib import Path

project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
extras = project["optional-dependencies"].values()

for requirement in sorted({*project["dependencies"], *itertools.chain(*extras)}):
    if requirement.startswith(f"{project['name']}["):
        continue  # one extra that includes another
    match = re.fullmatch(r"([\w.-]+)(?:\[.+\])?[>=]=([\w.]+)(?:;.+)?", requirement)
    if match is None:
        sys.exit(f"pyproject.toml: {requirement!r} has no lower bound to test; write name>=version")
    print(f"{match[1]}=={match[2]}")
