"""Environments of peers that cannot share ours, made when they are first needed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from bench.table import say

ROOT = Path(__file__).resolve().parents[1]
HOME = ROOT / ".bench" / "peers"
# Packages whose set-up imports these before it says that it needs them.
_FIRST = ("setuptools", "wheel", "numpy", "scipy")


class PeersMissing(Exception):
    """The environment cannot be made; the message says why."""


def python_of(name: str) -> Path:
    """The interpreter of the environment that ``bench/requirements-NAME.txt`` describes.

    Raises
    ------
    PeersMissing
        It is not there and cannot be made: no network, or no compiler.
    """
    wanted = ROOT / "bench" / f"requirements-{name}.txt"
    home = HOME / name
    made = home / wanted.name
    if not (made.exists() and made.read_bytes() == wanted.read_bytes()):
        say(f"  making the environment of {wanted.name}")
        shutil.rmtree(home, ignore_errors=True)
        lines = wanted.read_text().splitlines()
        first = [line for line in lines if line.partition("==")[0] in _FIRST]
        python = home / "bin" / "python"
        _uv("venv", "--quiet", "--python", sys.executable, str(home))
        install = ("pip", "install", "--quiet", "--python", str(python))
        _uv(*install, *first)
        _uv(*install, "--no-build-isolation", "-r", str(wanted))
        shutil.copy(wanted, made)
    return home / "bin" / "python"


def _uv(*arguments: str) -> None:
    ended = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "uv", *arguments],
        check=False,
        capture_output=True,
        text=True,
        env={key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"},
    )
    if ended.returncode:
        raise PeersMissing(f"uv {' '.join(arguments)}:\n{ended.stderr[-2000:]}")
