"""Files of at most 400 lines, functions of at most 70: `python -m tools.check_sizes`."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tools.airflow_env import ROOT

FILE_LINES = 400
FUNCTION_LINES = 70


def project_files(root: Path = ROOT) -> list[Path]:
    """Return the Python files that are, or are about to be, under version control."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"]
    listed = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True)
    return [path for line in listed.stdout.splitlines() if (path := root / line).exists()]


def too_long(path: Path) -> Iterator[str]:
    """Yield a sentence for the file and for each of its functions that is too long."""
    text = path.read_text()
    lines = text.count("\n")
    if lines > FILE_LINES:
        yield f"{path}: {lines} lines, more than {FILE_LINES}; split it by idea"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES:
                yield (
                    f"{path}:{node.lineno}: {node.name} has {length} lines, "
                    f"more than {FUNCTION_LINES}"
                )


def main(paths: list[str]) -> int:
    """Check these files, or all of the project; return 1 when one is too long."""
    files = [Path(path) for path in paths] or project_files()
    # A migration is a record of what was done, never edited afterwards.
    complaints = [line for path in files if "versions" not in path.parts for line in too_long(path)]
    print("\n".join([*complaints, f"sizes: {len(files)} files, {len(complaints)} complaints"]))
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
