from __future__ import annotations

import re
import subprocess

import pytest

from tools.airflow_env import ROOT

MAKEFILE = (ROOT / "Makefile").read_text()
(PHONY,) = re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
TARGETS = PHONY.split()


def _make(*arguments: str) -> str:
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_make_alone_lists_every_target_with_a_line_of_help():
    """A newcomer types `make` and sees what there is."""
    listed = [line.split()[1] for line in _make().splitlines()]
    assert sorted(listed) == sorted(TARGETS)


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_can_be_made(target):
    """No target names a file or another target that is not there."""
    assert _make("--dry-run", target)


def test_recipes_are_short():
    """Three lines at most: what is longer is a program in tools/."""
    recipes = re.findall(r"^([.a-z$()A-Z/-]+):.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
    assert len(recipes) >= 12
    assert [name for name, lines in recipes if lines.count("\n") > 3] == []


@pytest.mark.parametrize(("shell", "script"), [("bash", ".ci/run"), ("sh", "tools/make_venv.sh")])
def test_the_shell_scripts_are_understood(shell, script):
    """A syntax error shows here, not in the first run on a fresh machine."""
    subprocess.run([shell, "-n", script], cwd=ROOT, check=True)


def test_every_program_called_exists():
    """`-m tools.x` in the Makefile and the commit hooks are modules of this folder."""
    hooks = (ROOT / ".pre-commit-config.yaml").read_text()
    called = set(re.findall(r"-m tools\.(\w+)", MAKEFILE + hooks))
    assert called >= {"demo", "supervisor", "run_tests", "check_sizes", "check_docs"}
    assert [name for name in called if not (ROOT / "tools" / f"{name}.py").exists()] == []
