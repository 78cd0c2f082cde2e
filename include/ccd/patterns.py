"""Regular expressions of a profile, applied to text of a camera."""

from __future__ import annotations

import functools
import re
from typing import Final

# patterns come from a profile, text from a camera: neither may make the other slow
LONGEST_MATCHED: Final = 256


@functools.lru_cache(maxsize=256)
def compiled(pattern: str) -> re.Pattern[str]:
    """The pattern, in which case does not matter.

    Raises
    ------
    ValueError
        It is not a regular expression.
    """
    try:
        return re.compile(pattern, re.IGNORECASE | re.DOTALL)
    except re.error as error:
        raise ValueError(f"{pattern!r} is not a regular expression: {error}") from error
