"""Collecting garbage less often while many cheap units are worked on."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# The youngest generation, when units are cheap: Python's own is 700 in 3.11, so that a thousand
# units with their rows set off dozens of collections.
RARELY = 200_000


@contextmanager
def own_collections() -> Iterator[Callable[[bool], None]]:
    """Let Python look rarely for garbage in cycles, and never among what is there already.

    Gives a function that makes it look as often as before, or rarely again. In the end it looks as
    often as before, and everywhere. It is for one trigger at a time in a process. Large arrays are
    let go as soon as nobody refers to them, however rarely is looked.
    """
    before = gc.get_threshold()

    def collect_rarely(rarely: bool) -> None:
        gc.set_threshold(RARELY if rarely else before[0], *before[1:])

    gc.freeze()
    collect_rarely(True)
    try:
        yield collect_rarely
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
