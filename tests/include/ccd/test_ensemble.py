"""Ensemble photometry: a slow obvious twin, simulated truth, gaps, variables, errors."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from include.ccd.ensemble import EnsembleError, solve_ensemble, solve_offsets
from include.ccd.targets import LightCurves

Array = npt.NDArray[np.float64]
SETTINGS = LightCurves(max_error_mag=0.05, min_presence=0.5)


def simulated(
    rng: np.random.Generator, images: int = 60, stars: int = 25, gaps: float = 0.2
) -> tuple[Array, Array, Array, Array]:
    """Magnitudes with noise and gaps, their errors, and the true offsets and brightness."""
    offset = 0.3 * np.sin(np.arange(images) / 9.0) + rng.normal(0.0, 0.05, images)
    brightness = rng.uniform(10.0, 14.0, stars)
    error = np.tile(0.003 * 10.0 ** (0.2 * (brightness - 10.0)), (images, 1))
    mag = offset[:, None] + brightness + rng.normal(0.0, 1.0, (images, stars)) * error
    mag[rng.random(mag.shape) < gaps] = np.nan
    return mag, error, offset, brightness


def twin(mag: Array, weight: Array) -> tuple[Array, Array]:
    """All unknowns in one dense design matrix, the weighted mean of the offsets fixed."""
    images, stars = mag.shape
    rows, values = [], []
    for e in range(images):
        for s in range(stars):
            if weight[e, s] > 0:
                row = np.zeros(images + stars)
                row[e] = row[images + s] = np.sqrt(weight[e, s])
                rows.append(row)
                values.append(mag[e, s] * np.sqrt(weight[e, s]))
    design = np.array(rows)
    covariance = np.linalg.pinv(design.T @ design)
    solution = covariance @ design.T @ np.array(values)
    mean = np.zeros(images + stars)
    mean[:images] = weight.sum(axis=1) / weight.sum()
    fixed = np.eye(images) - np.tile(mean[:images], (images, 1))
    offset = fixed @ solution[:images]
    return offset, np.sqrt(np.diag(fixed @ covariance[:images, :images] @ fixed.T))


def test_offsets_and_errors_equal_those_of_the_dense_solution() -> None:
    """Gaps and unequal weights included."""
    mag, error, _, _ = simulated(np.random.default_rng(1), images=12, stars=7, gaps=0.3)
    weight = np.where(np.isfinite(mag), 1.0 / error**2, 0.0)
    offset, offset_error = solve_offsets(mag, weight)
    expected, expected_error = twin(mag, weight)
    np.testing.assert_allclose(offset, expected, atol=1e-9)
    np.testing.assert_allclose(offset_error, expected_error, rtol=1e-6)


def test_offsets_agree_with_the_truth_within_their_errors() -> None:
    """Pulls of 60 images have a mean near 0 and a width near 1; so do stars' levels."""
    mag, error, offset, brightness = simulated(np.random.default_rng(2))
    found = solve_ensemble(mag, error, np.ones(25, bool), settings=SETTINGS)
    pull = (found.offset - offset + offset.mean()) / found.offset_error
    assert abs(pull - np.median(pull)).max() < 5
    assert 0.7 < (pull - np.median(pull)).std() < 1.3
    assert found.excess_at(12.0) < 0.005
    level = found.star_mag - brightness
    np.testing.assert_allclose(level - np.median(level), 0.0, atol=0.01)


def test_variables_are_put_out_of_the_ensemble() -> None:
    """A star of 0.05 mag amplitude is found; its own curve keeps the amplitude."""
    rng = np.random.default_rng(3)
    mag, error, _, _ = simulated(rng)
    curve = 0.05 * np.sin(np.arange(60) / 5.0)
    brightest = int(np.argmin(error[0]))
    mag[:, brightest] += curve
    found = solve_ensemble(mag, error, np.ones(25, bool), settings=SETTINGS)
    assert not found.comparison[brightest]
    assert found.comparison.sum() >= 20
    own = mag[:, brightest] - found.offset - found.star_mag[brightest]
    seen = np.isfinite(own)
    amplitude = np.polyfit(curve[seen], own[seen], 1)[0]
    assert amplitude == pytest.approx(1.0, abs=0.1)


def test_single_wrong_values_do_not_move_an_image() -> None:
    """A cosmic ray on a bright comparison star of one image."""
    mag, error, _, _ = simulated(np.random.default_rng(4), gaps=0.0)
    clean = solve_ensemble(mag, error, np.ones(25, bool), settings=SETTINGS)
    mag[30, int(np.argmin(error[0]))] -= 0.5
    found = solve_ensemble(mag, error, np.ones(25, bool), settings=SETTINGS)
    assert abs(found.offset[30] - clean.offset[30]) < 2 * clean.offset_error[30]


def test_scatter_beyond_the_stated_errors_is_found_and_counts() -> None:
    """5 mmag of scintillation, common to all stars in size, not in value."""
    rng = np.random.default_rng(5)
    mag, error, _, _ = simulated(rng)
    mag = mag + rng.normal(0.0, 0.005, mag.shape)
    found = solve_ensemble(mag, error, np.ones(25, bool), settings=SETTINGS)
    bright = found.comparison & (error[0] < 0.005)
    assert bright.sum() >= 3
    np.testing.assert_allclose(found.excess[bright], 0.005, atol=0.0025)


def test_images_that_no_star_ties_to_the_others_have_no_offset() -> None:
    """Two images show other stars; one shows nothing."""
    mag, error, _, _ = simulated(np.random.default_rng(6), gaps=0.0)
    mag[:2, :20] = np.nan
    mag[2:, 20:] = np.nan
    mag[7] = np.nan
    weight = np.where(np.isfinite(mag), 1.0 / error**2, 0.0)
    offset, offset_error = solve_offsets(mag, weight)
    lost = [0, 1, 7]
    assert np.isnan(offset[lost]).all()
    assert np.isnan(offset_error[lost]).all()
    assert np.isfinite(np.delete(offset, lost)).all()


def test_too_few_comparison_stars_are_refused() -> None:
    """With their number."""
    mag, error, _, _ = simulated(np.random.default_rng(7))
    with pytest.raises(EnsembleError, match=r"2 of 25 stars .* 3 are needed"):
        solve_ensemble(
            mag, error, np.arange(25) < 2, settings=LightCurves(max_error_mag=1.0, min_presence=0.5)
        )
