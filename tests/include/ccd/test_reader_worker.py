from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from include.ccd.fits_content import Request
from include.ccd.fits_file import open_regular
from include.ccd.reader_process import Limits, ReaderProcess
from tests.bad_fits.frames import frame, random

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReaderProcess]:
    """A reader that has read a file."""
    path = tmp_path_factory.mktemp("frames") / "a.fits"
    path.write_bytes(frame(random(1)))
    reader = ReaderProcess(Limits(memory_bytes=1 << 30, cpu_s=7))
    with open_regular(path) as plain:
        reader.examine(plain, Request())
    yield reader
    reader.close()


def test_the_kernel_holds_it_to_its_limits(reader: ReaderProcess) -> None:
    """Memory, time, files, core: not by good will."""
    lines = Path(f"/proc/{reader.pid}/limits").read_text().splitlines()
    limits = {line[:26].strip(): line[26:].split()[0] for line in lines}

    assert limits["Max address space"] == str(1 << 30)
    assert limits["Max file size"] == limits["Max core file size"] == "0"
    assert 7 < int(limits["Max cpu time"]) < 60


def test_it_stands_nowhere(reader: ReaderProcess) -> None:
    """A folder that is to be removed or unmounted is not held by it."""
    assert Path(f"/proc/{reader.pid}/cwd").readlink() == Path("/")


def test_it_does_not_serve_without_its_parent() -> None:
    """Who started it has ended before it was ready: then it ends too."""
    arguments = ["-m", "include.ccd.reader_worker", "1", str(1 << 30), "5", "5"]
    assert os.getpid() != 1
    done = subprocess.run([sys.executable, *arguments], check=False, cwd=ROOT, timeout=60)

    assert done.returncode == 1
