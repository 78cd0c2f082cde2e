"""One case of the catalogue: how the file is made, and what must become of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from tests.bad_fits.frames import Random, random

Verdict = Literal["OK", "FLAG", "WAIT", "QUARANTINE"]

ARRIVED_AT: Final = datetime(2024, 3, 5, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Case:
    """A generated bad (or only odd) file.

    Attributes
    ----------
    number : int
        That of the catalogue of bad FITS; 0 for what stands there without one.
    name : str
    verdict : {'OK', 'FLAG', 'WAIT', 'QUARANTINE'}
    make : callable
        Bytes of the file, from a random generator.
    why : str
        Code of the refusal; or the flags, sorted, separated by blanks.
    file_name : str or bytes
    profile : str
        Which of the profiles beside this module reads it.
    place : callable or None
        Puts something that is no plain file at the path instead; it is given the content.
    during : callable or None
        What somebody does to the file while it is read.
    values : dict
        Logical values that the header must have.
    arrived_at : datetime
    """

    number: int
    name: str
    verdict: Verdict
    make: Callable[[Random], bytes]
    why: str = ""
    file_name: str | bytes = "frame.fits"
    profile: str = "plain"
    place: Callable[[Path, bytes], None] | None = None
    during: Callable[[Path], None] | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    arrived_at: datetime = ARRIVED_AT

    @property
    def id(self) -> str:
        """Number and name, as a test is called."""
        return f"{self.number:02d}-{self.name.replace(' ', '-')}"

    def write(self, folder: Path, seed: int) -> Path:
        """Make the file in a folder, and give its path."""
        content = self.make(random(seed))
        path = folder / os.fsdecode(self.file_name)
        if self.place is not None:
            self.place(path, content)
        else:
            path.write_bytes(content)
        return path
