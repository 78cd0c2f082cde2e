"""What can be wrong with a file or a setting, as one tree.

::

    CcdError
    ├── ProfileError          an instrument profile cannot be used      (fix the profile)
    ├── CalibrationError      frames or masters do not fit each other   (fix the selection)
    └── BadFits               a file cannot become a frame
        ├── Incomplete        WAIT        it may still be arriving: look again later
        ├── Malformed         QUARANTINE  its bytes are not valid FITS
        ├── Unusable          QUARANTINE  valid FITS, but not one image we may read
        └── BadHeader         QUARANTINE  the header lacks or garbles what a frame must tell
            └── FromTheFuture QUARANTINE  it was not yet exposed, by the clock of this moment

`code` is stable and short (rows and alerts group by it); the message is for people.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Final, Literal

Verdict = Literal["WAIT", "QUARANTINE"]

WAIT: Final = "WAIT"
QUARANTINE: Final = "QUARANTINE"


class CcdError(Exception):
    """Something this package cannot do, said in one sentence."""


class ProfileError(CcdError):
    """An instrument profile is missing, misspelt or contradicts itself."""


class CalibrationError(CcdError):
    """Frames, masters or settings cannot be combined as asked."""


class BadFits(CcdError):
    """A file that cannot become a frame.

    Parameters
    ----------
    code : str
        Stable machine-readable reason, such as ``"truncated_data"``.
    message : str
        What was found, what was expected.
    """

    verdict: ClassVar[Verdict] = "QUARANTINE"

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class Incomplete(BadFits):
    """The file ends before its own header says it should: it may still be arriving."""

    verdict: ClassVar[Verdict] = "WAIT"


class Malformed(BadFits):
    """The bytes are not valid FITS, or contradict their own checksum."""


class Unusable(BadFits):
    """The path or the content is not one image that this reader may open."""


class BadHeader(BadFits):
    """A required value is absent, unreadable, contradictory or out of range."""


class FromTheFuture(BadHeader):
    """The exposure began too long after the file arrived: one of the two clocks is wrong.

    Parameters
    ----------
    code, message : str
        As of any.
    possible_from : datetime
        Aware instant from which on the same file would be believed.
    """

    def __init__(self, code: str, message: str, *, possible_from: datetime) -> None:
        super().__init__(code, message)
        self.possible_from = possible_from
