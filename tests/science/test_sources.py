"""The catalogue of simulated frames against the true stars."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pytest
from scipy.spatial import cKDTree

from include.ccd.cosmic_rays import remove_cosmic_rays
from include.ccd.source_table import SourceCatalogue
from include.ccd.sources import find_sources
from include.toritos.simulator import NightPlan, SkySpec, Truth
from tests.science.perfect_calibration import calibrated

SIZE, EXPTIME_S = 2048, 60.0


@dataclass(frozen=True)
class Measured:
    """A catalogue with the true stars and their rows (−1: not found)."""

    catalogue: SourceCatalogue
    flux_e: np.ndarray
    x_px: np.ndarray
    rows: np.ndarray
    alone: np.ndarray
    signal_to_noise: np.ndarray
    sky_e: float
    fwhm_px: float

    def pairs(self, low: float, high: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows, true fluxes and columns of lonely, unflagged stars of some signal to noise."""
        chosen = self.alone & (self.rows >= 0)
        chosen &= (self.signal_to_noise >= low) & (self.signal_to_noise < high)
        table = self.catalogue.table[self.rows[chosen]]
        clean = table["flags"] == 0
        return table[clean], self.flux_e[chosen][clean], self.x_px[chosen][clean]


@pytest.fixture(scope="module")
def measured() -> Measured:
    """A little more than the usual density of stars, perfectly calibrated."""
    plan = NightPlan(
        night=date(2026, 11, 20),
        size_px=SIZE,
        biases=0,
        darks={},
        flats={},
        science={"R": 1},
        exptime_s=EXPTIME_S,
        seed=9,
        sky=SkySpec(stars_per_megapixel=300.0),
    )
    truth = Truth(plan)
    image = calibrated(truth)
    remove_cosmic_rays(image)
    catalogue = find_sources(image, exptime_s=EXPTIME_S)
    conditions = truth.conditions(0)
    x_px = truth.catalogue.x_px + conditions.x_dither_px
    y_px = truth.catalogue.y_px + conditions.y_dither_px
    flux_e = truth.star_flux_e(0)
    places = np.column_stack([x_px, y_px])
    table = catalogue.table
    distance, rows = cKDTree(np.column_stack([table["x_px"], table["y_px"]])).query(places)
    inside = np.all((places > 12) & (places < SIZE - 13), axis=1) & (flux_e > 0)
    nearest = cKDTree(places).query(places, k=2)[0][:, 1]
    spread_e2 = 4 * np.pi * (conditions.fwhm_px / 2.3548) ** 2 * (conditions.sky_e + 67)
    return Measured(
        catalogue,
        flux_e,
        x_px,
        np.where((distance < 1.5) & inside, rows, -1),
        inside & (nearest > 20),
        np.where(inside, flux_e / np.sqrt(flux_e + 1.5 * spread_e2), 0.0),
        conditions.sky_e,
        conditions.fwhm_px,
    )


def test_stars_are_found(measured: Measured) -> None:
    """All lonely ones above 10 sigma but 1 %; and hardly anything that is no star."""
    bright = measured.alone & (measured.signal_to_noise > 10)
    assert bright.sum() > 200
    assert np.mean(measured.rows[bright] >= 0) > 0.99
    known = np.unique(measured.rows[measured.rows >= 0])
    assert len(measured.catalogue) - len(known) < 0.05 * len(known)


@pytest.mark.parametrize("kind", ["psf", "aper"])
@pytest.mark.parametrize(("low", "high"), [(15, 40), (40, 100), (100, np.inf)])
def test_brightness_is_right_within_its_error(
    measured: Measured, kind: str, low: float, high: float
) -> None:
    """The bias is under 1 %, and errors are as large as they claim."""
    rows, flux_e, _ = measured.pairs(low, high)
    pull = (rows[f"flux_{kind}"] - flux_e) / rows[f"flux_{kind}_err"]
    assert len(rows) > 30
    assert abs(np.average(rows[f"flux_{kind}"] / flux_e, weights=flux_e) - 1) < 0.01
    assert 0.75 < np.std(pull) < 1.25
    expected = -2.5 * np.log10(flux_e / EXPTIME_S)
    np.testing.assert_allclose(rows[f"mag_{kind}"], expected, atol=0.5)


def test_positions_are_right_within_their_errors(measured: Measured) -> None:
    """Pulls of unit width, no offset."""
    rows, _, x_px = measured.pairs(10, np.inf)
    pull = (rows["x_px"] - x_px) / rows["x_err_px"]
    assert abs(np.median(pull)) < 0.2
    assert 0.8 < 1.4826 * np.median(np.abs(pull)) < 1.2


def test_image_quality_is_that_of_the_sky(measured: Measured) -> None:
    """Seeing to 1 %, sky to a twentieth of its noise, round stars."""
    assert measured.catalogue.psf.fwhm_px == pytest.approx(measured.fwhm_px, rel=0.01)
    assert measured.catalogue.background == pytest.approx(measured.sky_e, abs=1.6)
    rows, _, _ = measured.pairs(100, np.inf)
    assert np.median(rows["fwhm_px"]) == pytest.approx(measured.fwhm_px, rel=0.02)
    assert np.median(rows["ellipticity"]) < 0.05
