"""Reference catalogues: read back as written, from any of the formats, and searched."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from include.ccd.reference_catalog import (
    CatalogError,
    ReferenceCatalog,
    read_catalog,
    write_catalog,
)


def small() -> ReferenceCatalog:
    return ReferenceCatalog(
        np.array([10.0, 10.5, 190.0]),
        np.array([-30.0, -30.2, 30.0]),
        {"V": np.array([12.0, 11.0, np.nan]), "R": np.array([11.5, 10.4, 9.0])},
        {"V": np.array([0.01, 0.02, np.nan])},
        np.array([0.5, np.nan, 1.2]),
    )


@pytest.mark.parametrize("suffix", [".fits", ".ecsv", ".csv"])
def test_a_catalogue_is_read_as_it_was_written(tmp_path: Path, suffix: str) -> None:
    """Places, magnitudes, errors and colours, unknown ones too."""
    path = tmp_path / f"stars{suffix}"
    write_catalog(small(), path)
    found = read_catalog(path)
    np.testing.assert_array_equal(found.ra_deg, small().ra_deg)
    np.testing.assert_array_equal(found.dec_deg, small().dec_deg)
    np.testing.assert_array_equal(found.colour, small().colour)
    assert list(found.mag) == ["V", "R"]
    np.testing.assert_array_equal(found.mag["V"], small().mag["V"])
    np.testing.assert_array_equal(found.mag_error["V"], small().mag_error["V"])


def test_other_columns_are_ignored_and_empty_cells_are_unknown(tmp_path: Path) -> None:
    """A table made by hand; a star without a place is left out."""
    path = tmp_path / "hand.csv"
    path.write_text("name,ra_deg,dec_deg,mag_V\na,1.5,2,10\nb,1.6,2.1,\nc,,2.2,11\n")
    found = read_catalog(path)
    assert found.ra_deg.tolist() == [1.5, 1.6]
    assert np.isnan(found.mag["V"][1])
    assert np.isnan(found.colour).all()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.csv", None, "there is no catalogue"),
        ("stars.txt", "ra_deg\n", "ends in"),
        ("bad.csv", "ra_deg,mag_V\n1,2\n", "lacks dec_deg"),
        ("bad.fits", "not FITS", "cannot be read"),
    ],
)
def test_what_is_no_catalogue_is_refused(
    tmp_path: Path, name: str, content: str | None, message: str
) -> None:
    """The message says what is wrong with the file."""
    path = tmp_path / name
    if content is not None:
        path.write_text(content)
    with pytest.raises(CatalogError, match=message):
        read_catalog(path)


def test_circle_holds_what_is_inside_also_across_zero_hours() -> None:
    """On the sphere, not in degrees of right ascension."""
    catalog = ReferenceCatalog(np.array([359.9, 0.1, 3.0, 180.0]), np.array([80.0, 80.0, 80, -80]))
    assert catalog.within(0.0, 80.0, 0.1).ra_deg.tolist() == [359.9, 0.1]
    assert len(catalog.within(0.0, 80.0, 180.0)) == 4


def test_brightest_come_first_and_unknown_ones_not_at_all() -> None:
    """In the filter that is named, or in the first."""
    assert small().brightest_first().ra_deg.tolist() == [10.5, 10.0]
    assert small().brightest_first("R").ra_deg.tolist() == [190.0, 10.5, 10.0]
    with pytest.raises(CatalogError, match="no column mag_z; filters: V, R"):
        small().brightest_first("z")


def test_columns_of_other_lengths_are_refused() -> None:
    """A catalogue is one row per star."""
    with pytest.raises(CatalogError, match="other lengths"):
        ReferenceCatalog(np.zeros(3), np.zeros(2))
