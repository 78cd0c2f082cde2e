"""The simulated field as a catalogue: the stars of the frames, where and as bright as they are."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from include.toritos.simulator import NightPlan, Truth
from include.toritos.simulator.catalog import ZERO_POINT, truth_catalog, truth_wcs
from include.toritos.simulator.conditions import scale_arcsec_per_px
from include.toritos.simulator.sky import TRANSIENT_NAME


@pytest.fixture(scope="module")
def truth() -> Truth:
    return Truth(NightPlan.demo(date(2026, 11, 20), size_px=512, seed=3))


def test_every_star_but_the_transient_is_listed(truth: Truth) -> None:
    """What is new is in no catalogue."""
    catalog = truth_catalog(truth)
    assert len(catalog) == len(truth.catalogue.names) - 1
    assert TRANSIENT_NAME in truth.catalogue.names
    assert set(catalog.mag) == {"B", "V", "R", "I"}


def test_magnitudes_are_those_of_the_fluxes(truth: Truth) -> None:
    """With the zero point of one electron per second; colours are B − V."""
    catalog = truth_catalog(truth)
    flux = truth.catalogue.flux_e_per_s[:-1]
    np.testing.assert_allclose(10 ** (-0.4 * (catalog.mag["V"] - ZERO_POINT)), flux, rtol=1e-9)
    np.testing.assert_allclose(catalog.colour, catalog.mag["B"] - catalog.mag["V"])
    assert set(truth_catalog(truth, ("R",)).mag) == {"R"}


def test_stars_are_seen_where_the_frame_has_them(truth: Truth) -> None:
    """Dithered like the frame."""
    catalog, conditions = truth_catalog(truth), truth.conditions(5)
    world = np.column_stack([catalog.ra_deg, catalog.dec_deg])
    pixels = truth_wcs(truth, 5).all_world2pix(world, 0)
    expected_x = truth.catalogue.x_px[:-1] + conditions.x_dither_px
    expected_y = truth.catalogue.y_px[:-1] + conditions.y_dither_px
    np.testing.assert_allclose(pixels[:, 0], expected_x, atol=1e-6)
    np.testing.assert_allclose(pixels[:, 1], expected_y, atol=1e-6)


def test_pointing_is_the_middle_and_north_is_up(truth: Truth) -> None:
    """At the scale of the camera."""
    wcs = truth_wcs(truth)
    centre = (truth.plan.size_px - 1) / 2
    ra, dec = wcs.all_pix2world([[centre, centre], [centre, centre + 10]], 0).T
    assert (ra[0], dec[0]) == pytest.approx((truth.plan.ra_deg, truth.plan.dec_deg))
    scale = scale_arcsec_per_px(truth.plan)
    assert (dec[1] - dec[0]) * 3600 == pytest.approx(10 * scale, rel=1e-6)
