"""The same numbers as ccdproc and astropy from the same frames, generated and real.

Where the two differ on purpose, a test says so:

* ccdproc's variance of a mean divides by n² (population scatter), ours by n (n − 1);
* ccdproc's uncertainty of a median is 1.4826 MAD/√n, ours √(π/2) s/√n;
* ccdproc clips one round, and from all values, masked ones included; ours ignores NaN;
* ccdproc propagates neither the noise of the overscan level nor quantisation, and takes the
  noises of bias and dark as independent even where the dark was made with that bias.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import ccdproc
import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.nddata import CCDData, StdDevUncertainty
from astropy.stats import sigma_clip

from include.ccd.calibrate import calibrate
from include.ccd.calibration import Calibration
from include.ccd.cards import card_number
from include.ccd.combine import combine
from include.ccd.header import Amplifier, FrameHeader, Section
from include.ccd.image import Image
from include.ccd.masters import master_bias, master_flat
from include.ccd.overscan import TrimmedFrame
from include.ccd.plane import ArrayPlane
from include.ccd.raw import RawFrame

ROWS, COLUMNS, OVERSCAN = 160, 1024, 32
GAIN, READ_NOISE_E = 1.7, 9.0
CALIBRATION = Calibration(missing_dark="flag", min_flat=3)
FLOAT32 = 3e-7

Stack = np.ndarray


def frame_of(pixels: np.ndarray, kind: str, exptime_s: float) -> RawFrame:
    ny, nx = pixels.shape[0], pixels.shape[1] - OVERSCAN
    data = Section(0, ny, 0, nx)
    amplifier = Amplifier(data, Section(0, ny, nx, nx + OVERSCAN), data, GAIN, READ_NOISE_E)
    when = datetime(2024, 5, 13, 4, tzinfo=UTC)
    header = FrameHeader(
        kind=kind,
        camera="cam",
        exptime_s=exptime_s,
        observed_at=when,
        width_px=nx + OVERSCAN,
        height_px=ny,
        saturation_adu=60000.0,
        amplifiers=(amplifier,),
    )
    return RawFrame.of(pixels, header)


def generated(number: int) -> np.ndarray:
    """Bias 1–10, flats 35–37, science from 47 on, as the real night numbers them."""
    rng = np.random.default_rng(number)
    shape = (ROWS, COLUMNS + OVERSCAN)
    level = np.full(shape, 1000.0) + rng.normal(0, 5, (ROWS, 1))
    light = 0.0 if number <= 10 else 30000.0 if number < 40 else 120.0
    level[:, :COLUMNS] += rng.poisson(light * GAIN, (ROWS, COLUMNS)) / GAIN
    level += rng.normal(0, 5.3, shape)
    level[rng.random(shape) < 1e-3] += 9000
    level[:, 255] = 65535
    return np.clip(np.rint(level), 0, 65535).astype(np.uint16)


@pytest.fixture(params=["generated", "real"])
def night(request: pytest.FixtureRequest) -> Callable[[int], np.ndarray]:
    """Raw pixels by frame number: generated ones, or the middle rows of a real night."""
    if request.param == "generated":
        return generated
    folder: Path = request.getfixturevalue("real_data") / "nickel_2024-05-13" / "raw"

    def real(number: int) -> np.ndarray:
        pixels = fits.getdata(folder / f"d{1000 + number}.fits", memmap=False)
        return np.asarray(pixels[400 : 400 + ROWS], np.uint16)

    return real


@pytest.fixture
def bias_stack(night) -> Stack:
    """Seven raw bias frames (7, ny, nx) uint16."""
    return np.stack([night(number) for number in range(1, 8)])


def ours(stack: Stack, **kwargs):
    return combine([ArrayPlane(plane) for plane in stack], **kwargs)


def combiner(stack: Stack) -> ccdproc.Combiner:
    return ccdproc.Combiner([CCDData(plane.astype(float), unit="adu") for plane in stack])


def test_mean_and_its_uncertainty(bias_stack: Stack) -> None:
    """Equal; the variance by n/(n − 1) larger, which makes it unbiased."""
    result, peer = ours(bias_stack, method="mean"), combiner(bias_stack).average_combine()
    n = len(bias_stack)
    np.testing.assert_allclose(result.mean, peer.data, rtol=FLOAT32)
    np.testing.assert_allclose(
        result.var, peer.uncertainty.array**2 * n / (n - 1), rtol=1e-5, atol=1e-9
    )


def test_median(bias_stack: Stack) -> None:
    """Equal bit for bit: medians of integers have no rounding."""
    result, peer = ours(bias_stack, method="median"), combiner(bias_stack).median_combine()
    np.testing.assert_array_equal(result.mean, peer.data)


@pytest.mark.parametrize("deviation", ["std", "mad_std"])
@pytest.mark.parametrize("sigma", [1.5, 2.0, 3.0])
def test_one_round_of_clipping(bias_stack: Stack, deviation, sigma: float) -> None:
    """The same values survive, pixel by pixel, and give the same mean."""
    result = ours(
        bias_stack,
        clip_sigma_low=sigma,
        clip_sigma_high=sigma + 0.5,
        clip_max_iters=1,
        deviation=deviation,
    )
    peer = combiner(bias_stack)
    peer.sigma_clipping(
        low_thresh=sigma, high_thresh=sigma + 0.5, func="median", dev_func=deviation
    )
    np.testing.assert_array_equal(result.count, (~peer.data_arr.mask).sum(axis=0))
    left = result.count > 0
    np.testing.assert_allclose(result.mean[left], peer.average_combine().data[left], rtol=FLOAT32)


@pytest.mark.parametrize("deviation", ["std", "mad_std"])
def test_many_rounds_of_clipping_with_scales_and_nan(bias_stack: Stack, deviation) -> None:
    """Against astropy's, which ccdproc calls: NaN are ignored by both."""
    rng = np.random.default_rng(1)
    scales = rng.uniform(0.8, 1.2, len(bias_stack)).astype(np.float32)
    stack = bias_stack.astype(np.float32)
    stack[rng.random(stack.shape) < 0.02] = np.nan
    scaled = stack * scales[:, None, None]
    with np.errstate(all="ignore"):
        peer = sigma_clip(
            np.ma.masked_invalid(scaled).astype(float),
            sigma=2.0,
            maxiters=5,
            cenfunc="median",
            stdfunc=deviation,
            axis=0,
        )
    result = ours(
        stack, clip_sigma_low=2.0, clip_sigma_high=2.0, deviation=deviation, scales=list(scales)
    )
    np.testing.assert_array_equal(result.count, (~np.ma.getmaskarray(peer)).sum(axis=0))
    np.testing.assert_allclose(result.mean, peer.mean(axis=0).filled(0), rtol=FLOAT32)


@pytest.mark.parametrize("estimator", ["median", "mean"])
def test_overscan_and_trim(night, estimator) -> None:
    """A level per row, then the data section."""
    pixels = night(47)
    peer = ccdproc.subtract_overscan(
        CCDData(pixels.astype(float), unit="adu"),
        fits_section=f"[{COLUMNS + 1}:{COLUMNS + OVERSCAN},:]",
        overscan_axis=1,
        median=estimator == "median",
    )
    peer = ccdproc.trim_image(peer, fits_section=f"[1:{COLUMNS},:]")
    result = TrimmedFrame(frame_of(pixels, "science", 60.0), estimator).read_rows(0, ROWS)
    np.testing.assert_allclose(result, peer.data, atol=2e-4, rtol=FLOAT32)


def peer_calibrated(pixels, bias, dark, flat, *, read_noise_e: float, frame_s, dark_s) -> CCDData:
    """The chain of ccdproc, with the noise of what light and dark current have collected."""
    ccd = ccdproc.subtract_overscan(
        CCDData(pixels.astype(float), unit="adu"),
        fits_section=f"[{COLUMNS + 1}:{COLUMNS + OVERSCAN},:]",
        overscan_axis=1,
        median=True,
    )
    ccd = ccdproc.trim_image(ccd, fits_section=f"[1:{COLUMNS},:]")
    ccd = ccdproc.subtract_bias(ccd, CCDData(bias.sci.astype(float), unit="adu"))
    ccd = ccdproc.create_deviation(
        ccd,
        gain=GAIN * u.electron / u.adu,
        readnoise=read_noise_e * u.electron,
        disregard_nan=True,
    )
    uncertainty = StdDevUncertainty(np.sqrt(dark.var.astype(float)))
    ccd = ccdproc.subtract_dark(
        ccd,
        CCDData(dark.sci.astype(float), unit="adu", uncertainty=uncertainty),
        dark_exposure=dark_s * u.s,
        data_exposure=frame_s * u.s,
        scale=True,
    )
    ccd = ccdproc.gain_correct(ccd, GAIN * u.electron / u.adu)
    uncertainty = StdDevUncertainty(np.sqrt(flat.var.astype(float)))
    response = CCDData(flat.sci.astype(float), unit="", uncertainty=uncertainty)
    # It divides by dead pixels, and by values of exactly 0 for the relative uncertainty.
    with np.errstate(divide="ignore", invalid="ignore"):
        return ccdproc.flat_correct(ccd, response, norm_value=1.0)


def test_whole_calibration_with_uncertainty(night) -> None:
    """Bias, scaled dark, gain, flat; equal in value, and in variance term by term."""
    biases = [frame_of(night(number), "bias", 0.0) for number in range(1, 8)]
    bias = master_bias(biases, calibration=CALIBRATION)
    flats = [frame_of(night(number), "flat", 5.0) for number in (35, 36, 37)]
    flat = master_flat(flats, bias=bias, dark=None, calibration=CALIBRATION)
    rng = np.random.default_rng(2)
    dark = Image(
        rng.uniform(0, 9, bias.sci.shape).astype(np.float32),
        rng.uniform(0.5, 1, bias.sci.shape).astype(np.float32),
        cards={"EXPTIME": 90.0, "BIASCOR": True},
    )
    # ccdproc has no way to tell the noise of the bias that is subtracted: leave it out here too.
    bias.var = None
    pixels = night(47)
    image = calibrate(
        frame_of(pixels, "science", 60.0), bias=bias, dark=dark, flat=flat, calibration=CALIBRATION
    )
    read_noise_e = card_number(image, "RDNOISE")
    peer = peer_calibrated(
        pixels, bias, dark, flat, read_noise_e=read_noise_e, frame_s=60.0, dark_s=90.0
    )
    good = image.mask == 0
    assert good.mean() > 0.99
    np.testing.assert_allclose(image.sci[good], peer.data[good], rtol=2e-6, atol=2e-3)
    np.testing.assert_allclose(image.var[good], peer.uncertainty.array[good] ** 2, rtol=2e-5)


def test_read_noise_holds_more_than_ccdproc_is_told(night) -> None:
    """The noise of the overscan level and of quantisation, which ccdproc leaves out."""
    bias = Image(np.zeros((ROWS, COLUMNS), np.float32))
    flat = Image(np.ones((ROWS, COLUMNS), np.float32), unit="")
    image = calibrate(
        frame_of(night(47), "science", 60.0),
        bias=bias,
        dark=None,
        flat=flat,
        calibration=CALIBRATION,
    )
    expected = (READ_NOISE_E**2 + GAIN**2 / 12) * (1 + np.pi / 2 / OVERSCAN)
    assert card_number(image, "RDNOISE") == pytest.approx(np.sqrt(expected))
    assert card_number(image, "RDNOISE") < 1.03 * READ_NOISE_E
