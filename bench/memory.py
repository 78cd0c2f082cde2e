"""Memory as a machine has it: at rest, or when much of it was in use just before.

A virtual machine gives memory that nobody uses back to its host, and getting it again takes several
times as long as working in it. What allocates much is slow after a rest and can be fast in a crowd.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

from bench.table import say

# Seconds after which a host was seen to have back what 10 GB had been taken from.
REST_S = 90.0
USED_BYTES = 8 * 1024**3
_TOUCH = "import sys; bytearray(b'1') * int(sys.argv[1])"


def rest(seconds: float = REST_S) -> None:
    """Do nothing, so that the host takes back what is free."""
    say(f"  at rest for {seconds:.0f} s, as a machine is that waits for a frame")
    time.sleep(seconds)


def use_much() -> None:
    """Let a process use much of what is free, and end."""
    free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    size = min(USED_BYTES, free // 2)
    subprocess.run([sys.executable, "-c", _TOUCH, str(size)], check=True)  # noqa: S603
