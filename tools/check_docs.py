"""Every path of the project that its documents name exists: `python -m tools.check_docs`.

A path stands in back-ticks or is the target of a link. `tests/a.py::test_b` also needs the test,
`include/*/py.typed` at least one file; what has a placeholder (`<name>`, `…`) is not checked.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from tools.airflow_env import ROOT

DOCUMENTS = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md")
# Folders that are named as part of the project although they are made only later.
MADE_LATER = frozenset({".venv", ".airflow", ".corral"})

_QUOTED = re.compile(r"`([^`\s]+)`")
_LINKED = re.compile(r"\]\(([^)\s]+)\)")
_FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_PLACEHOLDER = re.compile(r"[<>{}$…]|\.\.\.|YYYY")
_LINE = re.compile(r":\d+(-\d+)?$")


def named_paths(text: str, *, root: Path) -> Iterator[str]:
    """Yield what looks like a path of the project, as it is written."""
    prose = _FENCED.sub("", text)
    for word in _QUOTED.findall(prose):
        if not _PLACEHOLDER.search(word) and _is_ours(word, root):
            yield word
    for target in _LINKED.findall(prose):
        if not re.match(r"[a-z]+:|#", target):
            yield target.partition("#")[0]


def missing(name: str, *, root: Path) -> bool:
    """Return whether a named path, and the test named behind it, is not there."""
    file, _, test = _LINE.sub("", name).partition("::")
    found = list(root.glob(file.rstrip("/"))) if "*" in file else [root / file]
    found = [path for path in found if path.exists()]
    if test and found:
        function = test.split("[")[0].rpartition("::")[2]
        return not re.search(rf"\b(def|class) {re.escape(function)}\b", found[0].read_text())
    return not found


def check(document: Path, *, root: Path = ROOT) -> list[str]:
    """Return a sentence for each path that the document names and that is not there."""
    names = dict.fromkeys(named_paths(document.read_text(), root=root))
    return [
        f"{document.name} names {name}, which is not there"
        for name in names
        if missing(name, root=root)
    ]


def _is_ours(word: str, root: Path) -> bool:
    first, slash, _ = word.partition("/")
    if not slash:
        return word.endswith(".md")
    return bool(first) and first not in MADE_LATER and (root / first).is_dir()


def main() -> int:
    """Check the documents that exist; return 1 when one names what does not."""
    documents = [path for name in DOCUMENTS if (path := ROOT / name).exists()]
    complaints = [line for path in documents for line in check(path)]
    print("\n".join([*complaints, f"docs: {len(documents)} files, {len(complaints)} complaints"]))
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
