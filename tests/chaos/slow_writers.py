"""Seven ways in which a file comes slowly; none of them is whole before its last byte."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from threading import Thread

CHUNK = 1400
HEADER = 2880


@dataclass
class Pen:
    """Writes with pauses in between.

    Attributes
    ----------
    pause_s
        The longest pause.
    longest_s
        The longest there was: the machine may make it longer.
    """

    chance: Random
    pause_s: float
    longest_s: float = field(default=0.0, init=False)

    def rest(self) -> None:
        """Pause."""
        began = time.monotonic()
        time.sleep(self.chance.uniform(0, self.pause_s))
        self.longest_s = max(self.longest_s, time.monotonic() - began)

    def write(self, place: Path, content: bytes, *, mode: str, offset: int = 0) -> None:
        """Write chunk after chunk, each of them to the disk."""
        with place.open(mode, buffering=0) as stream:
            stream.seek(offset)
            for start in range(0, len(content), CHUNK):
                stream.write(content[start : start + CHUNK])
                self.rest()


def appended(pen: Pen, place: Path, _old: bytes, content: bytes) -> None:
    """As most cameras do."""
    pen.write(place, content, mode="wb")


def header_last(pen: Pen, place: Path, _old: bytes, content: bytes) -> None:
    """Pixels first: a hole stands where the header will."""
    pen.write(place, content[HEADER:], mode="wb", offset=HEADER)
    pen.write(place, content[:HEADER], mode="r+b")


def preallocated(pen: Pen, place: Path, _old: bytes, content: bytes) -> None:
    """All of the room at once, then filled."""
    place.write_bytes(bytes(len(content)))
    pen.rest()
    pen.write(place, content, mode="r+b")


def put_aside_first(pen: Pen, place: Path, _old: bytes, content: bytes) -> None:
    """Under a name with a dot, then renamed."""
    partial = place.with_name(f".{place.name}.part")
    pen.write(partial, content, mode="wb")
    partial.rename(place)


def in_place(pen: Pen, place: Path, old: bytes, content: bytes) -> None:
    """As `rsync --inplace` brings a new content into an old file."""
    place.write_bytes(old)
    time.sleep(0.5)
    pen.write(place, content, mode="r+b")


def cut_and_rewritten(pen: Pen, place: Path, old: bytes, content: bytes) -> None:
    """Truncated, and written anew."""
    place.write_bytes(old)
    time.sleep(0.5)
    pen.write(place, content, mode="wb")


def by_two(pen: Pen, place: Path, _old: bytes, content: bytes) -> None:
    """Two that write the same file at once, one of them from its middle."""
    place.touch()
    middle = len(content) // 2
    other = Thread(
        target=pen.write, args=(place, content[middle:]), kwargs={"mode": "r+b", "offset": middle}
    )
    other.start()
    pen.write(place, content, mode="r+b")
    other.join()


Pattern = Callable[[Pen, Path, bytes, bytes], None]
PATTERNS: tuple[Pattern, ...] = (
    appended,
    header_last,
    preallocated,
    put_aside_first,
    in_place,
    cut_and_rewritten,
    by_two,
)
# Those whose file has its final length while pixels are missing: no look at it can tell.
SHAPED = frozenset({header_last, preallocated, in_place, by_two})
