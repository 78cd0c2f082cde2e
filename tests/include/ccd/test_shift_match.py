"""A few standards found on an image of known orientation."""

from __future__ import annotations

import numpy as np
import pytest

from include.ccd.astrometry import AstrometryError, solve
from include.ccd.measuring import Astrometry
from include.ccd.reference_catalog import ReferenceCatalog
from include.ccd.shift_match import orientation_matrix

SHAPE = (1000, 1200)
KNOWN = Astrometry(
    0.37,
    scale_tolerance=0.01,
    radius_deg=0.03,
    min_matches=3,
    max_rms_arcsec=1.0,
    sip_degree=0,
    rotation_deg=182.2,
    mirrored=True,
)


def field(rng: np.random.Generator, standards: int) -> tuple[np.ndarray, ReferenceCatalog]:
    """Places of 60 stars, the brightest first, and a catalogue of some of the brightest."""
    places = rng.uniform((50, 50), (1150, 950), (60, 2))
    # The pointing is wrong by 40 and 25 arcsec, the orientation by a tenth of a degree.
    turn = np.radians(0.1)
    matrix = orientation_matrix(KNOWN) @ [
        [np.cos(turn), -np.sin(turn)],
        [np.sin(turn), np.cos(turn)],
    ]
    east, north = ((places - [599.5, 499.5]) @ matrix.T + [40.0, -25.0]).T / 3600.0
    dec = -8.8 + north
    ra = 201.4 + east / np.cos(np.radians(dec))
    some = np.arange(standards)
    mag = {"V": 12.0 + 0.3 * some}
    return places, ReferenceCatalog(ra[some], dec[some], mag)


def solved(places: np.ndarray, catalog: ReferenceCatalog, astrometry: Astrometry = KNOWN):
    flux = np.arange(len(places), 0, -1.0)
    return solve(
        *places.T,
        flux,
        catalog,
        shape=SHAPE,
        ra_deg=201.4,
        dec_deg=-8.8,
        astrometry=astrometry,
        filter="V",
    )


@pytest.mark.parametrize("standards", [3, 4])
def test_a_few_stars_give_world_coordinates(standards: int) -> None:
    """Each standard is its own source; the geometry comes out as it was put in."""
    places, catalog = field(np.random.default_rng(3), standards)
    found = solved(places, catalog)
    assert sorted(zip(found.source, found.star, strict=True)) == [(n, n) for n in range(standards)]
    assert found.scale_arcsec_per_px == pytest.approx(0.37, rel=1e-3)
    assert found.rotation_deg % 360 == pytest.approx(182.2, abs=0.3)
    assert found.mirrored
    assert found.attempts[-1].startswith("by a shift alone")


def test_a_matrix_has_the_orientation_that_the_solution_states() -> None:
    """North up and east left; the same with north to the left; and mirrored."""
    upright = Astrometry(0.5, rotation_deg=0.0)
    np.testing.assert_allclose(orientation_matrix(upright), [[-0.5, 0], [0, 0.5]], atol=1e-12)
    turned = Astrometry(0.5, rotation_deg=90.0)
    np.testing.assert_allclose(orientation_matrix(turned), [[0, 0.5], [0.5, 0]], atol=1e-12)
    mirrored = Astrometry(0.5, rotation_deg=0.0, mirrored=True)
    np.testing.assert_allclose(orientation_matrix(mirrored), [[0.5, 0], [0, 0.5]], atol=1e-12)


def test_two_stars_or_those_of_another_field_are_refused() -> None:
    """Nothing is made up; what was tried is said."""
    places, catalog = field(np.random.default_rng(4), 2)
    with pytest.raises(AstrometryError, match="by a shift alone: no match"):
        solved(places, catalog)
    other, _ = field(np.random.default_rng(5), 4)
    _, catalog = field(np.random.default_rng(6), 4)
    with pytest.raises(AstrometryError, match="by a shift alone"):
        solved(other, catalog)
    with pytest.raises(ValueError, match="min_matches"):
        Astrometry(0.37, min_matches=3)
