"""Stars of known place and brightness, from a file that the site keeps: no network is needed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from include.ccd.errors import CcdError

FORMATS: Final = {".fits": "fits", ".ecsv": "ascii.ecsv", ".csv": "ascii.csv"}

_MAG: Final = "mag_"
_ERROR: Final = "mag_error_"

Values = npt.NDArray[np.float64]


class CatalogError(CcdError):
    """A reference catalogue is missing, unreadable, or lacks what is asked of it."""


@dataclass(frozen=True, slots=True)
class ReferenceCatalog:
    """Stars as arrays of equal length, the same order in all.

    Attributes
    ----------
    ra_deg, dec_deg : float64 (n,)
        ICRS at the epoch of the observations.
    mag, mag_error : dict of str to float64 (n,)
        By filter; NaN where unknown.
    colour : float64 (n,)
        The colour index that colour terms are about; NaN where unknown.
    """

    ra_deg: Values
    dec_deg: Values
    mag: dict[str, Values] = field(default_factory=dict)
    mag_error: dict[str, Values] = field(default_factory=dict)
    colour: Values = field(default_factory=lambda: np.empty(0))

    def __post_init__(self) -> None:
        size = len(self.ra_deg)
        if not len(self.colour):
            object.__setattr__(self, "colour", np.full(size, np.nan))
        columns = [self.dec_deg, self.colour, *self.mag.values(), *self.mag_error.values()]
        if any(len(column) != size for column in columns):
            raise CatalogError(f"columns of a catalogue of {size} stars have other lengths")

    def __len__(self) -> int:
        return len(self.ra_deg)

    def pick(self, which: npt.NDArray[Any]) -> ReferenceCatalog:
        """The stars of an index or a boolean mask."""
        return ReferenceCatalog(
            self.ra_deg[which],
            self.dec_deg[which],
            {name: column[which] for name, column in self.mag.items()},
            {name: column[which] for name, column in self.mag_error.items()},
            self.colour[which],
        )

    def within(self, ra_deg: float, dec_deg: float, radius_deg: float) -> ReferenceCatalog:
        """The stars inside a circle."""
        return self.pick(self.indices_within(ra_deg, dec_deg, radius_deg))

    def indices_within(
        self, ra_deg: float, dec_deg: float, radius_deg: float
    ) -> npt.NDArray[np.int64]:
        """Which stars (m,) are inside a circle, in ascending order."""
        middle = unit_vectors(np.array([ra_deg]), np.array([dec_deg]))[0]
        chord = np.linalg.norm(unit_vectors(self.ra_deg, self.dec_deg) - middle, axis=1)
        return np.flatnonzero(chord <= 2.0 * np.sin(np.radians(min(radius_deg, 180.0)) / 2.0))

    def brightest_first(self, filter: str | None = None) -> ReferenceCatalog:
        """The stars whose magnitude is known, in the order of it; in the first filter if none.

        Raises
        ------
        CatalogError
            There is no such filter.
        """
        mag = self.magnitudes(filter)
        known = np.flatnonzero(np.isfinite(mag))
        return self.pick(known[np.argsort(mag[known], kind="stable")])

    def magnitudes(self, filter: str | None = None) -> Values:
        """Magnitudes in a filter; in the first one if none is named.

        Raises
        ------
        CatalogError
            There is no such filter.
        """
        name = next(iter(self.mag), None) if filter is None else filter
        if name is None or name not in self.mag:
            raise CatalogError(
                f"the catalogue has no column mag_{name or '…'}; filters: "
                f"{', '.join(self.mag) or 'none'}"
            )
        return self.mag[name]


def unit_vectors(ra_deg: Values, dec_deg: Values) -> Values:
    """Directions (n, 3) on the unit sphere."""
    ra, dec = np.radians(ra_deg), np.radians(dec_deg)
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1)


def read_catalog(path: Path) -> ReferenceCatalog:
    """The catalogue in a FITS table, an ECSV or a CSV file, told by its suffix.

    Columns: ``ra_deg``, ``dec_deg``, ``mag_<filter>``, and as far as known
    ``mag_error_<filter>`` and ``colour``. Others are ignored; stars without a place are left out.

    Raises
    ------
    CatalogError
        The file is missing, cannot be read, or lacks the columns.
    """
    from astropy.table import Table

    if path.suffix not in FORMATS:
        raise CatalogError(f"{path.name}: a catalogue ends in {', '.join(FORMATS)}")
    try:
        table = Table.read(path, format=FORMATS[path.suffix])
    except FileNotFoundError as error:
        raise CatalogError(f"there is no catalogue {path.name}") from error
    except Exception as error:  # astropy's readers raise whatever their parsers do
        raise CatalogError(f"{path.name} cannot be read: {error}"[:300]) from error
    missing = {"ra_deg", "dec_deg"} - set(table.colnames)
    if missing:
        raise CatalogError(f"{path.name} lacks {', '.join(sorted(missing))}")
    return _from_table(table)


def write_catalog(catalog: ReferenceCatalog, path: Path) -> None:
    """Write a catalogue so that `read_catalog` gives it back.

    If the process dies inside, part of a file may be there.
    """
    from astropy.table import Table

    columns = {"ra_deg": catalog.ra_deg, "dec_deg": catalog.dec_deg}
    columns |= {f"{_MAG}{name}": column for name, column in catalog.mag.items()}
    columns |= {f"{_ERROR}{name}": column for name, column in catalog.mag_error.items()}
    columns["colour"] = catalog.colour
    Table(columns).write(path, format=FORMATS[path.suffix], overwrite=True)


def _from_table(table: Any) -> ReferenceCatalog:
    def values(name: str) -> Values:
        column = np.ma.asarray(table[name], np.float64)
        return np.asarray(np.ma.filled(column, np.nan), np.float64)

    names = list(table.colnames)
    errors = [name for name in names if name.startswith(_ERROR)]
    mags = [name for name in names if name.startswith(_MAG) and name not in errors]
    catalog = ReferenceCatalog(
        values("ra_deg"),
        values("dec_deg"),
        {name.removeprefix(_MAG): values(name) for name in mags},
        {name.removeprefix(_ERROR): values(name) for name in errors},
        values("colour") if "colour" in names else np.empty(0),
    )
    return catalog.pick(np.isfinite(catalog.ra_deg) & np.isfinite(catalog.dec_deg))
