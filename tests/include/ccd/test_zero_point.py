"""Zero points: right within their stated errors, whatever outliers do."""

from __future__ import annotations

import numpy as np
import pytest

from include.ccd.measuring import Photometry
from include.ccd.zero_point import ZeroPointError, find_zero_point

ZERO, TERM = 24.3, 0.08


def stars(seed: int, count: int = 80, *, scatter: float = 0.02, wrong: float = 0.1):
    """Fluxes and catalogue values of stars, some of which are half a magnitude off."""
    rng = np.random.default_rng(seed)
    colour = rng.normal(0.6, 0.3, count)
    mag = rng.uniform(12, 16.5, count)
    offset = ZERO + TERM * (colour - 0.6) + rng.normal(0, scatter, count)
    flux = 10 ** (-0.4 * (mag - offset))
    error = np.sqrt(flux + 400)
    flux = flux + rng.normal(0, 1, count) * error
    flux[rng.random(count) < wrong] *= 1.6
    return flux, error, mag + rng.normal(0, 0.01, count), np.full(count, 0.01), colour


def test_errors_are_those_of_repetition() -> None:
    """Over many images, zero points and colour terms scatter as stated, without bias."""
    pulls = []
    for seed in range(100):
        found = find_zero_point(*stars(seed), photometry=Photometry())
        at_same_colour = found.zero_point_mag + found.colour_term * (0.6 - found.colour_pivot)
        pulls.append(
            (
                (at_same_colour - ZERO) / found.zero_point_error_mag,
                (found.colour_term - TERM) / found.colour_term_error,
            )
        )
    assert np.abs(np.mean(pulls, axis=0)).max() < 0.6
    assert np.std(pulls, axis=0) == pytest.approx([1.0, 1.0], abs=0.3)


def test_scatter_is_what_the_stated_errors_do_not_explain() -> None:
    """And 0 when they explain everything."""
    large = find_zero_point(*stars(1, 400, scatter=0.05), photometry=Photometry())
    none = find_zero_point(*stars(1, 400, scatter=0.0), photometry=Photometry())
    assert large.scatter_mag == pytest.approx(0.05, abs=0.01)
    assert none.scatter_mag < 0.01
    assert large.zero_point_error_mag > none.zero_point_error_mag


def test_wrong_stars_are_put_aside() -> None:
    """A tenth of them, half a magnitude off."""
    flux, *rest = stars(2, 200, wrong=0.0)
    flux[::10] *= 1.6
    found = find_zero_point(flux, *rest, photometry=Photometry())
    assert found.stars_clipped >= 20
    assert found.stars_clipped < 30
    assert found.zero_point_mag == pytest.approx(ZERO, abs=0.01)


def test_a_colour_term_needs_colours() -> None:
    """With stars of one colour, or of unknown ones, there is none."""
    flux, error, mag, mag_error, colour = stars(3)
    same = find_zero_point(
        flux, error, mag, mag_error, np.full_like(colour, 0.6), photometry=Photometry()
    )
    unknown = find_zero_point(
        flux, error, mag, mag_error, np.full_like(colour, np.nan), photometry=Photometry()
    )
    unwanted = find_zero_point(
        flux, error, mag, mag_error, colour, photometry=Photometry(colour_term=False)
    )
    for found in (same, unknown, unwanted):
        assert found.colour_term == 0.0
        assert found.zero_point_mag == pytest.approx(ZERO, abs=0.03)


def test_magnitudes_are_the_catalogues() -> None:
    """Of a star of known colour; of the colour of the pivot where it is unknown."""
    found = find_zero_point(*stars(4, scatter=0.0, wrong=0.0), photometry=Photometry())
    flux = 10 ** (-0.4 * (14.0 - ZERO - TERM * 0.4))
    assert found.magnitude(flux, 1.0) == pytest.approx(14.0, abs=0.02)
    assert found.magnitude(flux) == found.magnitude(flux, found.colour_pivot)
    assert np.isnan(found.magnitude(-1.0, 0.5))


def test_an_error_that_is_unknown_counts_as_none() -> None:
    """Catalogues do not always state them."""
    flux, error, mag, mag_error, colour = stars(5)
    found = find_zero_point(
        flux, error, mag, np.full_like(mag_error, np.nan), colour, photometry=Photometry()
    )
    assert found.zero_point_mag == pytest.approx(ZERO, abs=0.02)


def test_too_few_stars_are_an_error() -> None:
    """Unknown magnitudes, negative fluxes and large errors do not count."""
    flux, error, mag, mag_error, colour = stars(6, 6)
    flux[0], mag[1], error[2] = -5.0, np.nan, 1e9
    with pytest.raises(ZeroPointError, match="3 of 6 stars"):
        find_zero_point(flux, error, mag, mag_error, colour, photometry=Photometry())


def test_stars_that_do_not_agree_are_an_error() -> None:
    """No majority, no zero point."""
    flux = 10 ** (0.4 * np.array([0.0, 3.0, 6.0, 9.0, 12.0]))
    with pytest.raises(ZeroPointError, match="agree"):
        find_zero_point(
            flux,
            1e-3 * flux,
            np.full(5, 15.0),
            np.full(5, 0.01),
            np.full(5, np.nan),
            photometry=Photometry(min_stars=6 - 1, clip_sigma=1.0),
        )
