"""World coordinates written as cards, and sources paired with stars."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS
from astropy.wcs.utils import fit_wcs_from_points

from include.ccd.reference_catalog import ReferenceCatalog
from include.ccd.world import (
    geometry,
    pair_stars,
    pixels_of,
    tangent_plane,
    wcs_cards,
    wcs_from_cards,
)

RA, DEC = 30.0, -29.5
SHAPE = (1000, 1200)


@pytest.fixture
def wcs() -> WCS:
    """0.71 arcsec/px, north up, east left."""
    made = WCS(naxis=2)
    made.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    made.wcs.crval = [RA, DEC]
    made.wcs.crpix = [600.5, 500.5]
    made.wcs.cd = np.diag([-0.71, 0.71]) / 3600
    return made


def stars(wcs: WCS, pixels: np.ndarray) -> ReferenceCatalog:
    world = wcs.all_pix2world(pixels, 0)
    return ReferenceCatalog(world[:, 0], world[:, 1], {"V": np.arange(len(world), dtype=float)})


def test_cards_give_the_same_places_distortion_included(wcs) -> None:
    """Through the cards and back, a bent field is where it was to a thousandth of a pixel."""
    rng = np.random.default_rng(1)
    pixels = rng.uniform(0, 1000, (200, 2))
    bent = pixels + 1e-6 * (pixels - 500) ** 2
    world = wcs.all_pix2world(bent, 0)
    sky = SkyCoord(*world.T, unit="deg")
    fitted = fit_wcs_from_points((pixels[:, 0], pixels[:, 1]), sky, sip_degree=2)
    cards = wcs_cards(fitted)
    assert {type(value) for value in cards.values()} <= {str, int, float}
    again = wcs_from_cards(cards)
    np.testing.assert_allclose(again.all_world2pix(world, 0), pixels, atol=1e-3)


def test_geometry_is_that_of_the_middle(wcs) -> None:
    """Scale and centre."""
    assert geometry(wcs, SHAPE) == pytest.approx((0.71, RA, DEC))


def test_sources_and_stars_are_paired_when_each_is_the_others_nearest(wcs) -> None:
    """Two sources at one star: the nearer one has it; what is too far off has none."""
    catalog = stars(wcs, np.array([[100.0, 100.0], [500.0, 300.0], [900.0, 800.0]]))
    sources = np.array([[500.4, 300.0], [100.9, 100.0], [100.2, 100.1], [905.0, 800.0]])
    source, star = pair_stars(wcs, sources, catalog, shape=SHAPE, limit_px=2.0)
    assert dict(zip(source.tolist(), star.tolist(), strict=True)) == {0: 1, 2: 0}
    np.testing.assert_allclose(pixels_of(wcs, catalog)[1], [500, 300], atol=1e-6)


@pytest.mark.parametrize("at", [None, (RA + 90.0, DEC)])
def test_nothing_to_pair_is_no_error(wcs, at) -> None:
    """No source, or no star near."""
    places = np.empty((0, 2)) if at is None else np.array([[1.0, 1.0]])
    catalog = ReferenceCatalog(np.array([(at or (RA, DEC))[0]]), np.array([DEC]))
    source, star = pair_stars(wcs, places, catalog, shape=SHAPE, limit_px=2.0)
    assert (len(source), len(star)) == (0, 0)


def test_tangent_plane_is_that_of_astropy() -> None:
    """Gnomonic, in degrees."""
    truth = WCS(naxis=2)
    truth.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    truth.wcs.crval, truth.wcs.crpix = [RA, DEC], [1, 1]
    truth.wcs.cd = np.eye(2)
    ra, dec = np.random.default_rng(4).uniform(-1, 1, (2, 20)) + np.array([[RA], [DEC]])
    expected = truth.all_world2pix(np.column_stack([ra, dec]), 0)
    np.testing.assert_allclose(tangent_plane(ra, dec, RA, DEC), expected, atol=1e-9)
