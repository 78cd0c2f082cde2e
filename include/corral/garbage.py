"""Collecting garbage less often while many cheap units are worked on."""

from __future__ import annotations

import gc
from types import TracebackType
from typing import Self

# The youngest generation, when units are cheap: Python's own is 700 in 3.11, so that a thousand
# units with their rows set off dozens of collections, and several of everything there is.
RARELY = 50_000


class Garbage:
    """How often Python looks for garbage in cycles; as before at the end.

    Large arrays are let go as soon as nobody refers to them, cheap units or not.
    """

    def __init__(self) -> None:
        self._before = gc.get_threshold()

    def __enter__(self) -> Self:
        return self

    def collect_rarely(self, *, rarely: bool) -> None:
        """Look rarely for a while, or as before."""
        gc.set_threshold(RARELY if rarely else self._before[0], *self._before[1:])

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.collect_rarely(rarely=False)
