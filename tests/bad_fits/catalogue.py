"""All cases of the catalogue of bad FITS, for tests that take seconds and runs that take hours."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from include.ccd.errors import BadFits
from include.ccd.fits_content import Content, Request, examine
from include.ccd.fits_file import PlainSource
from include.ccd.fits_reader import Inspection, inspect
from include.ccd.safe_reader import inspect_safely
from tests.bad_fits.case import Case
from tests.bad_fits.compressed import COMPRESSED
from tests.bad_fits.frames import profile
from tests.bad_fits.headers import HEADERS
from tests.bad_fits.names import FILES
from tests.bad_fits.pixels import PIXELS
from tests.bad_fits.places import PLACES
from tests.bad_fits.structure import STRUCTURE
from tests.bad_fits.times import TIMES

CASES: Final[list[Case]] = [*STRUCTURE, *PLACES, *HEADERS, *TIMES, *COMPRESSED, *PIXELS, *FILES]


def look(case: Case, path: Path) -> Inspection:
    """Inspect the file of a case as the loader would, with whatever happens to it meanwhile."""
    camera = profile(case.profile)
    if case.during is None:
        return inspect_safely(path, profile=camera, now=case.arrived_at)
    happens = case.during

    def interrupted(plain: PlainSource, request: Request) -> Content:
        happens(path)
        return examine(plain, request)

    return inspect(path, profile=camera, now=case.arrived_at, examine=interrupted)


def verdict(case: Case, path: Path) -> tuple[str, str]:
    """(verdict, code or flags) of the file of a case. Any exception but BadFits is a failure."""
    try:
        found = look(case, path)
    except BadFits as error:
        return error.verdict, error.code
    return ("FLAG", " ".join(found.flags)) if found.flags else ("OK", "")
