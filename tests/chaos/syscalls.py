"""System calls of a process, SQLite's own as well as Python's: recorded, or made to fail."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.chaos.child import Child

WRITING = "openat,write,pwrite64,ftruncate,fsync,fdatasync,rename,mkdir,unlink"
READING = "read,pread64"
_CALL = re.compile(r"^(\d+) +(\w+)\((.*)\) += (-?\d+|\?)(.*)$")


def require_strace() -> None:
    """Skip where strace is not installed, or may not look into processes."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    if subprocess.run(
        ["strace", "-o", os.devnull, "true"], capture_output=True, check=False
    ).returncode:
        pytest.skip("strace may not trace processes here")


@dataclass(frozen=True, slots=True)
class Call:
    """One system call of the process's first thread.

    Attributes
    ----------
    number
        Among the calls of that name, from 1.
    """

    name: str
    number: int
    arguments: str
    result: int
    rest: str


class Traced:
    """A child that begins when strace is attached to it.

    Parameters
    ----------
    work
        What the child does.
    options
        Of strace: what is traced, what is made to fail.
    log
        File for what strace says; the child's exceptions go into one beside it.
    """

    def __init__(self, work: Callable[[], object], *, options: list[str], log: Path) -> None:
        self.log = log
        self.said = log.with_suffix(".said")
        self._options = options
        self._work = work

    def end(self) -> int:
        """Run it, and give its exit code."""
        waits, goes = os.pipe()

        def begin() -> None:
            os.close(goes)
            os.read(waits, 1)
            self._work()

        child = Child(begin, said=self.said)
        os.close(waits)
        command = ["strace", "-f", "-qq", "-y", "-o", str(self.log), *self._options]
        with subprocess.Popen(
            [*command, "-p", str(child.pid)], stderr=subprocess.DEVNULL
        ) as strace:
            try:
                _wait_for_tracer(child)
                os.close(goes)
                code = child.end()
            finally:
                child.kill()
        assert strace.returncode is not None
        return code

    def calls(self) -> list[Call]:
        """Give the calls that succeeded, of the thread that made the first."""
        numbers: Counter[str] = Counter()
        found: list[Call] = []
        first = None
        for line in self.log.read_text().splitlines():
            if (match := _CALL.match(line)) is None:
                continue
            pid, name, arguments, result, rest = match.groups()
            first = first or pid
            if pid == first:
                numbers[name] += 1
                if result != "?" and int(result) >= 0:
                    found.append(Call(name, numbers[name], arguments, int(result), rest))
        return found


def _wait_for_tracer(child: Child) -> None:
    limit = time.monotonic() + 30
    status = Path(f"/proc/{child.pid}/status")
    while "TracerPid:\t0\n" in status.read_text():
        assert time.monotonic() < limit, "strace does not attach"
        time.sleep(0.001)
