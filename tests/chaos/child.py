"""Processes that are made to be killed: forked from a warm parent, and never outliving it."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from include.corral.errors import CorralError

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)
# Exit codes of a child whose work has raised: an error of the kernel's tree, or another.
TOLD, RAISED = 4, 3


class Child:
    """A fork of this process that does one thing and ends.

    Parameters
    ----------
    work
        What it does.
    said
        File in which an exception that comes out of `work` is written down.
    """

    def __init__(self, work: Callable[[], object], *, said: Path | None = None) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        self.status: int | None = None
        # Opened before: the child may be one that can open nothing any more.
        with Path(said or os.devnull).open("w") as paper:
            self.pid = os.fork()
            if self.pid == 0:
                _live(work, paper)

    def signal(self, signum: signal.Signals) -> None:
        """Send it a signal; one that has ended is not met by it."""
        if self.poll() is None:
            os.kill(self.pid, signum)

    def poll(self) -> int | None:
        """Exit code, negative for a signal; None while it lives."""
        if self.status is None:
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            self.status = os.waitstatus_to_exitcode(status) if ended else None
        return self.status

    def is_stopped(self) -> bool:
        """Tell whether it was stopped by a signal and waits for another."""
        text = Path(f"/proc/{self.pid}/stat").read_text()
        return text.rpartition(")")[2].split()[0] == "T"

    def end(self, timeout_s: float = 120.0) -> int:
        """Wait for its end, and give its exit code; one that does not end is killed."""
        limit = time.monotonic() + timeout_s
        while (code := self.poll()) is None:
            if time.monotonic() > limit:
                self.kill()
                raise TimeoutError(f"a child did not end within {timeout_s:.0f} s")
            time.sleep(0.001)
        return code

    def kill(self) -> None:
        """End it at once."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)
            self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def _live(work: Callable[[], object], paper: TextIO) -> None:
    code = RAISED
    try:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        work()
        code = 0
    except BaseException as error:  # noqa: BLE001 - a fork must not live on in its parent's code
        code = TOLD if isinstance(error, CorralError) else RAISED
        paper.write("".join(traceback.format_exception(error)))
        paper.flush()
    finally:
        os._exit(code)
