"""World coordinates fitted to stars: those that made them, and those that astropy would fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS, Sip
from astropy.wcs.utils import fit_wcs_from_points

from include.ccd.reference_catalog import ReferenceCatalog
from include.ccd.wcs_fit import fit_wcs

SHAPE = (1000, 1200)
PIXELS = np.random.default_rng(3).uniform(0, 1000, (200, 2))


def true_wcs(ra_deg: float, dec_deg: float, *, bend: float = 0.0) -> WCS:
    """Rotated and mirrored, with distortion if asked for."""
    made = WCS(naxis=2)
    made.wcs.ctype = [f"{name}-SIP" if bend else name for name in ("RA---TAN", "DEC--TAN")]
    made.wcs.crval = [ra_deg, dec_deg]
    made.wcs.crpix = [600.5, 500.5]
    angle = np.radians(40.0)
    turned = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    made.wcs.cd = 0.71 / 3600 * np.array(turned)
    if bend:
        a, b, none = np.zeros((3, 3, 3))
        a[2, 0], b[1, 1] = bend, -bend
        made.sip = Sip(a, b, none, none, made.wcs.crpix)
    return made


def stars(wcs: Any, noise_px: float = 0.0) -> ReferenceCatalog:
    moved = PIXELS + np.random.default_rng(4).normal(0, noise_px or 1e-12, PIXELS.shape)
    return ReferenceCatalog(*wcs.all_pix2world(moved, 0).T)


def off_px(wcs: Any, truth: Any) -> float:
    """Largest distance on a grid over the image, in pixels of the truth."""
    y, x = np.mgrid[: SHAPE[0] : 99, : SHAPE[1] : 99].reshape(2, -1)
    grid = np.column_stack([x, y]).astype(float)
    back = truth.all_world2pix(wcs.all_pix2world(grid, 0), 0)
    return float(np.linalg.norm(back - grid, axis=1).max())


@pytest.mark.parametrize("ra_deg", [0.001, 123.0, 359.999])
@pytest.mark.parametrize("dec_deg", [-89.9, -29.5, 0.0, 84.0])
def test_a_plane_is_found_again_wherever_it_touches_the_sky(ra_deg: float, dec_deg: float) -> None:
    """At the poles and where right ascension starts anew, too."""
    truth = true_wcs(ra_deg, dec_deg)
    found = fit_wcs(PIXELS, stars(truth), shape=SHAPE, degree=0)
    assert off_px(found, truth) < 1e-5
    assert found.sip is None
    assert found.wcs.crpix.tolist() == [600.5, 500.5]


def test_distortion_is_found_again() -> None:
    """Ten pixels at the edges leave hundredths; without polynomials they stay."""
    truth = true_wcs(30.0, -29.5, bend=2e-5)
    catalog = stars(truth)
    bent, stiff = (fit_wcs(PIXELS, catalog, shape=SHAPE, degree=d) for d in (3, 1))
    assert off_px(bent, truth) < 0.02
    assert off_px(stiff, truth) > 3.0


def test_noise_is_averaged_as_well_as_by_astropy() -> None:
    """Both are as far from the truth."""
    truth = true_wcs(30.0, -29.5)
    catalog = stars(truth, noise_px=0.2)
    world = SkyCoord(catalog.ra_deg, catalog.dec_deg, unit="deg")
    theirs = fit_wcs_from_points(tuple(PIXELS.T), world, projection="TAN")
    ours = fit_wcs(PIXELS, catalog, shape=SHAPE, degree=0)
    assert off_px(ours, theirs) < 0.005
    assert off_px(ours, truth) < 0.1
