"""New stars that were injected into frames are found; the period of a variable star, too."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from astropy.timeseries import LombScargle

from include.ccd.coadd import ImageLayer, coadd
from include.ccd.comparing import Coadding, Differencing
from include.ccd.difference import subtract
from include.ccd.forced import forced_psf
from include.toritos.simulator import NightPlan, Truth
from include.toritos.simulator.conditions import julian_date
from include.toritos.simulator.sky import SkySpec
from tools.efficiency import (
    REFERENCE_FRAMES,
    aligned_frame,
    exposed_frame,
    measure,
    measure_steps,
    star_places,
)

NOTHING = (np.empty((0, 2)), np.empty(0))


def test_new_stars_well_above_the_limit_are_found_and_hardly_anything_else() -> None:
    """95 % of those a magnitude above 5 sigma, with less than one false candidate a frame."""
    result = measure(size_px=512, frames=4, stars=40, seed=3)
    bright = result.mag <= -1.0
    assert bright.sum() >= 12
    assert result.found[bright].mean() >= 0.95
    assert result.false_per_frame < 1.0
    assert result.found[result.mag > 0.5].mean() < 0.5


def test_the_steps_find_new_stars_in_raw_frames() -> None:
    """With cosmic rays, bad pixels, dark current and flats of the same night in them."""
    result = measure_steps(size_px=512, frames=4, stars=30, seed=11)
    bright = result.mag <= -1.0
    assert bright.sum() >= 10
    assert result.found[bright].mean() >= 0.95
    assert result.false_per_frame < 1.0


def test_the_period_of_a_variable_star_is_recovered() -> None:
    """From forced fluxes on differences of one night, to 3 %."""
    sky = SkySpec(stars_per_megapixel=700.0, variable_period_d=0.09)
    plan = NightPlan.demo(date(2026, 11, 20), size_px=384, seed=5)
    truth = Truth(replace(plan, science={"V": 20}, cadence_s=1200.0, sky=sky))
    first = exposed_frame(truth, 0)
    stars = star_places(first)
    images = [first, *(aligned_frame(truth, n, stars, NOTHING) for n in range(1, 20))]
    layers = [ImageLayer(image) for image in images[:REFERENCE_FRAMES]]
    reference = coadd(layers, coadding=Coadding())
    index, conditions = truth.catalogue.index("VAR1"), truth.conditions(0)
    x = np.array([truth.catalogue.x_px[index] + conditions.x_dither_px])
    y = np.array([truth.catalogue.y_px[index] + conditions.y_dither_px])
    flux, error = np.empty((2, len(images)))
    for n, image in enumerate(images):
        difference = subtract(image, reference, differencing=Differencing(stamp_cell_px=64))
        found = forced_psf(difference.on_reference_scale(), difference.psf, x, y)
        flux[n], error[n] = found.flux[0], found.flux_error[0]
    days = np.array([julian_date(truth.conditions(n).starts_at) for n in range(20)])
    error = np.hypot(error, 0.02 * np.abs(flux).max())
    search = LombScargle(days - days[0], flux, error)
    frequency = np.linspace(1 / 0.3, 1 / 0.04, 4000)
    best = frequency[np.argmax(search.power(frequency))]
    assert 1 / best == pytest.approx(0.09, rel=0.03)
