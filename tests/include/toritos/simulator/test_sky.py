"""Stars carry their flux, stand where the catalogue says, and keep to the frame."""

from __future__ import annotations

import numpy as np
import pytest

from include.toritos.simulator.sky import (
    SATURATED_NAME,
    TRANSIENT_NAME,
    VARIABLE_NAME,
    SkySpec,
    add_star,
    colour_factor,
    make_catalogue,
    moffat_alpha_px,
)


def _star(side: int, x_px: float, y_px: float, *, fwhm_px: float = 2.7) -> np.ndarray:
    plane = np.zeros((side, side), dtype=np.float32)
    add_star(plane, x_px=x_px, y_px=y_px, flux_e=1e5, alpha_px=moffat_alpha_px(fwhm_px))
    return plane


@pytest.mark.parametrize("fwhm_px", [2.0, 2.7, 5.0])
def test_a_star_holds_its_flux_at_its_place(fwhm_px: float) -> None:
    """Nothing but the 1.5e-4 outside of the stamp is lost; the centroid is the position."""
    plane = _star(161, 80.3, 79.6, fwhm_px=fwhm_px).astype(float)
    rows, columns = np.indices(plane.shape)
    assert plane.sum() == pytest.approx(1e5, rel=5e-4)
    assert (plane * columns).sum() / plane.sum() == pytest.approx(80.3, abs=0.01)
    assert (plane * rows).sum() / plane.sum() == pytest.approx(79.6, abs=0.01)


def test_the_full_width_is_where_the_profile_is_half_its_peak() -> None:
    """A star of 6 px FWHM falls to one half 3 px from its centre."""
    plane = _star(61, 30.0, 30.0, fwhm_px=6.0)
    assert plane[30, 33] / plane[30, 30] == pytest.approx(0.5, rel=1e-5)


def test_a_star_over_the_edge_is_the_part_inside() -> None:
    """Clipping at a corner gives the same pixels as cutting a larger frame."""
    whole = np.zeros((100, 100), dtype=np.float32)
    add_star(whole, x_px=51.2, y_px=48.7, flux_e=1e5, alpha_px=moffat_alpha_px(2.7))
    assert np.allclose(_star(50, 1.2, -1.3), whole[50:, 50:], rtol=1e-5)


def test_a_star_far_outside_leaves_the_frame_alone() -> None:
    """No index runs over."""
    assert not _star(50, -500.0, 20.0).any()
    assert not _star(50, 20.0, 500.0).any()


def test_the_special_stars_stand_alone() -> None:
    """No other star within 12 px, so that aperture photometry of them is possible."""
    stars = make_catalogue(SkySpec(), size_px=512, seed=1)
    for name in (SATURATED_NAME, VARIABLE_NAME, TRANSIENT_NAME):
        k = stars.index(name)
        apart = np.hypot(stars.x_px - stars.x_px[k], stars.y_px - stars.y_px[k])
        assert np.delete(apart, k).min() > 12.0


def test_ordinary_stars_keep_between_the_stated_fluxes() -> None:
    """Faint ones are the many; their number grows with the area."""
    spec = SkySpec()
    stars = make_catalogue(spec, size_px=1024, seed=1)
    flux = stars.flux_e_per_s[:-3]
    assert len(flux) == pytest.approx(spec.stars_per_megapixel * 1.048576, abs=1)
    assert spec.faintest_e_per_s <= flux.min()
    assert flux.max() <= spec.brightest_e_per_s
    assert np.median(flux) < 3.0 * spec.faintest_e_per_s


def test_colour_is_relative_to_v() -> None:
    """A red star is brighter in R; V, and a filter not known, leave fluxes as they are."""
    stars = make_catalogue(SkySpec(), size_px=256, seed=1)
    assert (colour_factor(stars, "V") == 1.0).all()
    assert (colour_factor(stars, "unheard of") == 1.0).all()
    assert np.array_equal(colour_factor(stars, "R") > 1.0, stars.colour > 0.0)
