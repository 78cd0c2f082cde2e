"""World coordinates: found blind within the stated radius, or refused with what was tried."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from include.ccd.astrometry import AstrometryError, Solution, solve
from include.ccd.measuring import Astrometry
from include.ccd.reference_catalog import ReferenceCatalog

SCALE = 0.71
SIDE = 2048
RA, DEC = 30.0, -29.5


def sky(count: int = 5000, *, seed: int = 1, dec: float = DEC) -> ReferenceCatalog:
    """A field of four degrees of stars, most of them faint."""
    rng = np.random.default_rng(seed)
    ra = RA + rng.uniform(-2, 2, count) / np.cos(np.radians(dec))
    mag = 18 - 2.0 * rng.exponential(1, count)
    return ReferenceCatalog(ra % 360, dec + rng.uniform(-2, 2, count), {"V": mag})


def true_wcs(*, rotation: float, mirrored: bool, scale_error: float, off: float, dec: float) -> Any:
    from astropy.wcs import WCS

    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [RA + off / np.cos(np.radians(dec)), dec + 0.1]
    wcs.wcs.crpix = [SIDE / 2, SIDE / 2]
    angle = np.radians(rotation)
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if not mirrored:
        matrix[:, 0] *= -1
    wcs.wcs.cd = matrix * SCALE * (1 + scale_error) / 3600
    return wcs


def observe(catalog: ReferenceCatalog, wcs: Any, *, seed: int = 1, bend_px: float = 0.0):
    """Sources with 0.1 px of noise, a fifth of the stars lost, and some that are none."""
    rng = np.random.default_rng(seed)
    near = catalog.within(*wcs.wcs.crval, 1.0)
    points = wcs.all_world2pix(np.column_stack([near.ra_deg, near.dec_deg]), 0)
    unit = points / (SIDE / 2) - 1
    points = points + bend_px * unit * (unit**2).sum(axis=1)[:, None]
    seen = ((points > 0) & (points < SIDE)).all(axis=1) & (rng.random(len(points)) > 0.2)
    points = points[seen] + rng.normal(0, 0.1, (int(seen.sum()), 2))
    mag = near.mag["V"][seen] + rng.normal(0, 0.2, len(points))
    points = np.vstack([points, rng.uniform(0, SIDE, (15, 2))])
    flux = np.append(10 ** (-0.4 * mag), rng.choice(10 ** (-0.4 * mag), 15))
    return points[:, 0], points[:, 1], flux


def solved(sources, catalog: ReferenceCatalog, *, dec: float = DEC, **settings) -> Solution:
    astrometry = Astrometry(scale_arcsec_per_px=SCALE, **settings)
    return solve(
        *sources, catalog, shape=(SIDE, SIDE), ra_deg=RA, dec_deg=dec, astrometry=astrometry
    )


def separation_arcsec(wcs: Any, other: Any) -> float:
    """Largest distance between the two at the corners and the centre."""
    points = np.array([[0, 0], [0, SIDE], [SIDE, 0], [SIDE, SIDE], [SIDE / 2, SIDE / 2]], float)
    one, two = wcs.all_pix2world(points, 0), other.all_pix2world(points, 0)
    east = (one[:, 0] - two[:, 0]) * np.cos(np.radians(one[:, 1]))
    return float(np.hypot(east, one[:, 1] - two[:, 1]).max() * 3600)


@pytest.mark.parametrize(
    ("rotation", "mirrored", "scale_error", "off", "dec"),
    [
        (0.0, False, 0.0, 0.0, DEC),
        (133.0, False, 0.03, 0.3, DEC),
        (271.0, True, -0.04, -0.4, DEC),
        (20.0, False, 0.01, 0.2, -84.0),
    ],
)
def test_pointing_rotation_scale_and_parity_are_found(
    rotation: float, mirrored: bool, scale_error: float, off: float, dec: float
) -> None:
    """To a fraction of the measuring error at the corners, from a pointing that is off."""
    catalog = sky(dec=dec)
    truth = true_wcs(
        rotation=rotation, mirrored=mirrored, scale_error=scale_error, off=off, dec=dec
    )
    found = solved(observe(catalog, truth), catalog, dec=dec)
    assert separation_arcsec(found.wcs, truth) < 0.15
    assert found.rms_arcsec == pytest.approx(0.1 * np.sqrt(2) * SCALE, rel=0.35)
    assert found.scale_arcsec_per_px == pytest.approx(SCALE * (1 + scale_error), rel=1e-4)
    assert found.mirrored is mirrored
    assert len(found.source) == len(set(found.source)) == len(set(found.star))


def test_a_pointing_that_is_far_off_takes_a_wider_search() -> None:
    """Two degrees off when half a degree was promised: found, and the way there is recorded."""
    catalog = sky(9000)
    truth = true_wcs(rotation=33, mirrored=False, scale_error=0.02, off=1.6, dec=DEC)
    found = solved(observe(catalog, truth), catalog)
    assert separation_arcsec(found.wcs, truth) < 0.15
    assert len(found.attempts) > 2
    assert "no match" in found.attempts[0]
    assert "matched to" in found.attempts[-1]


def test_distortion_takes_polynomials() -> None:
    """Three pixels at the edges are gone with SIP, and are not without."""
    catalog = sky(30000)
    truth = true_wcs(rotation=5, mirrored=False, scale_error=0.0, off=0.0, dec=DEC)
    sources = observe(catalog, truth, bend_px=3.0)
    bent = solved(sources, catalog, sip_degree=3)
    stiff = solved(sources, catalog, sip_degree=0)
    assert bent.wcs.sip is not None
    assert stiff.wcs.sip is None
    assert bent.rms_arcsec < 0.12
    assert len(bent.source) > len(stiff.source)


def test_failure_says_what_was_tried() -> None:
    """Random sources match nothing, however wide the search."""
    rng = np.random.default_rng(3)
    sources = (*rng.uniform(0, SIDE, (2, 100)), rng.random(100))
    with pytest.raises(AstrometryError) as caught:
        solved(sources, sky())
    message = str(caught.value)
    assert message.count("no match") == 6
    assert "within 0.5 deg" in message
    assert "within 2 deg" in message
    assert "0.71 arcsec/px ± 5%" in message


def test_an_empty_catalogue_fails_and_says_so() -> None:
    """No stars within the radius is a failure like any other."""
    rng = np.random.default_rng(3)
    sources = (*rng.uniform(0, SIDE, (2, 50)), rng.random(50))
    empty = ReferenceCatalog(np.array([200.0]), np.array([60.0]), {"V": np.array([10.0])})
    with pytest.raises(AstrometryError, match="to 0 stars"):
        solved(sources, empty)


@pytest.mark.parametrize(
    "setting",
    [
        {"scale_arcsec_per_px": 0.0},
        {"scale_tolerance": 0.7},
        {"radius_deg": 0.0},
        {"sip_degree": 1},
    ],
)
def test_impossible_settings_are_refused(setting: dict[str, float]) -> None:
    """When they are made."""
    with pytest.raises(ValueError, match=r"must|need"):
        Astrometry(**({"scale_arcsec_per_px": 1.0} | setting))
