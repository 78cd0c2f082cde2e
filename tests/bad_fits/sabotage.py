"""A reader process to which any file does what it is asked to do: the worst that files have done.

Started like the real one (`python -m tests.bad_fits.sabotage`), it is the real one, but for what
it does with a file when the wanted image is called 'crash', 'spin', 'hang', …
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from include.ccd import reader_worker
from include.ccd.fits_content import Content, Request, examine
from include.ccd.fits_file import PlainSource


def _signal(number: int) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), number)


def _spin() -> None:
    while True:
        pass


def _eat() -> None:
    held = []
    while True:
        held.append(bytes(1 << 20))


def _raise() -> None:
    raise KeyError("NAXIS3")


def _write() -> None:
    with open("/tmp/written-by-the-reader", "wb") as file:  # noqa: PTH123
        file.write(b"x")


def _flood() -> None:
    os.write(0, b"\xff" * 4096)


DEEDS: Final[dict[str, Callable[[], None]]] = {
    "crash": _signal(signal.SIGSEGV),
    "killed": _signal(signal.SIGKILL),
    "leave": lambda: os._exit(3),
    "spin": _spin,
    "hang": lambda: time.sleep(1000),
    "nap": lambda: time.sleep(0.4),
    "stop": _signal(signal.SIGSTOP),
    "eat": _eat,
    "raise": _raise,
    "write": _write,
    "flood": _flood,
}


def sabotaged(plain: PlainSource, request: Request) -> Content:
    """What `examine` gives, after the deed that the request names; or a lie."""
    if request.hdu in DEEDS:
        DEEDS[str(request.hdu)]()
    content = examine(plain, replace(request, hdu=None))
    return replace(content, sha256="../../etc/passwd") if request.hdu == "lie" else content


if __name__ == "__main__":
    vars(reader_worker)["examine"] = sabotaged
    sys.exit(reader_worker.main(sys.argv[1:]))
