"""Collecting garbage less often while many cheap units are worked on."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# The youngest generation, when units are cheap: Python's own is 700 in 3.11, so that a thousand
# units with their rows set off dozens of collections, and several of everything there is.
RARELY = 50_000


@contextmanager
def own_collections() -> Iterator[Callable[[bool], None]]:
    """Give a function that makes Python look rarely for garbage in cycles, or as it did before.

    In the end it is as before. Large arrays are let go as soon as nobody refers to them, however
    rarely is looked.
    """
    before = gc.get_threshold()

    def collect_rarely(rarely: bool) -> None:
        gc.set_threshold(RARELY if rarely else before[0], *before[1:])

    try:
        yield collect_rarely
    finally:
        gc.set_threshold(*before)
