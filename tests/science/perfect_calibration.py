"""Science frames of the simulator as a perfect calibration would leave them."""

from __future__ import annotations

import numpy as np

from include.ccd.image import Image
from include.ccd.mask import MaskBit
from include.toritos.simulator import Truth


def calibrated(truth: Truth, frame: int = 0) -> Image:
    """A frame corrected with the true detector, in electrons, with variance and mask."""
    spec, detector = truth.plan.detector, truth.detector
    exposure, raw = truth.exposure(frame), truth.raw(frame).astype(np.float64)
    collected = (raw - detector.bias_adu) * spec.gain_e_per_adu
    response = np.where(detector.dead, 1.0, detector.response(exposure.filter))
    sci = (collected - detector.dark_e_per_s * exposure.exptime_s) / response
    var = (np.maximum(collected, 0) + spec.read_noise_e**2) / response**2
    mask = np.zeros(sci.shape, np.uint16)
    mask[detector.dead] |= int(MaskBit.BAD)
    mask[detector.hot] |= int(MaskBit.HOT)
    mask[raw >= spec.saturation_adu] |= int(MaskBit.SATURATED)
    return Image(sci.astype("f4"), var.astype("f4"), mask, unit="electron")
