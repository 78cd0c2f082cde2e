"""Which masters a frame is corrected with, by which factors, and what that does to its noise."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from include.ccd.calibration import Calibration, Missing
from include.ccd.cards import card_number, card_value, flags_of
from include.ccd.errors import CalibrationError
from include.ccd.header import FrameHeader
from include.ccd.image import Image

_DIGEST_ROWS = 64


class MissingMaster(CalibrationError):
    """A master that the policy asks for was not given."""


@dataclass(frozen=True, slots=True)
class Correction:
    """How bias and dark are subtracted: raw − `bias_factor` bias − `dark_factor` dark.

    Attributes
    ----------
    bias, dark : Image or None
    bias_factor, dark_factor : float
        0 where the master is missing.
    bias_weight, dark_weight : float
        Factors of the masters' variances in the variance of the result.
    flags : tuple of str
        'no_bias', 'no_dark', and 'dark_no_bias' when the dark itself was made without one.

    Notes
    -----
    With raw R, bias B, dark D and k = `dark_factor`, the result is R − B − kD. A dark made by
    D = D₀ − B with the *same* bias shares its noise: the bias enters by −(1 − k), not by −1 and
    +k apart, so that V = (1 − k)² V_B + k² V_D₀ = (1 − 2k) V_B + k² V_D, with V_D = V_D₀ + V_B
    as the dark records it. A dark that still contains the bias gives R − (1 − k) B − kD.
    """

    bias: Image | None
    dark: Image | None
    bias_factor: float = 0.0
    dark_factor: float = 0.0
    bias_weight: float = 0.0
    dark_weight: float = 0.0
    flags: tuple[str, ...] = ()


def plan_correction(
    header: FrameHeader,
    *,
    bias: Image | None,
    dark: Image | None,
    calibration: Calibration,
    wants_dark: bool = True,
) -> Correction:
    """What will be subtracted from a frame, under the policies of `calibration`.

    Raises
    ------
    MissingMaster
        A master is None and its policy is 'stop'.
    CalibrationError
        A master has another shape than the frame, or the dark's exposure time forbids its use.
    """
    flags = require(bias, "bias", calibration.missing_bias)
    if wants_dark:
        flags += require(dark, "dark", calibration.missing_dark) + inherited_flags(dark, "dark")
    for name, master in (("bias", bias), ("dark", dark)):
        check_shape(header, master, name)
    if dark is None:
        present = 0.0 if bias is None else 1.0
        return Correction(bias, None, present, 0.0, present, 0.0, flags)
    k = dark_factor(header.exptime_s, dark, calibration)
    contains_bias = card_value(dark, "BIASCOR") is False
    if contains_bias and bias is None:
        k = _unscaled(k, header.exptime_s, calibration)
    bias_factor, bias_weight = _bias_terms(bias, dark, k, contains_bias=contains_bias)
    return Correction(bias, dark, bias_factor, k, bias_weight, k * k, flags)


def dark_factor(exptime_s: float, dark: Image, calibration: Calibration) -> float:
    """By how much the dark is multiplied for an exposure of `exptime_s` seconds.

    Raises
    ------
    CalibrationError
        Policy 'exact' and another exposure time, or policy 'scale' and a dark of unknown, zero,
        or (without `dark_scale_up`) shorter exposure time.
    """
    if calibration.dark_scaling == "none":
        return 1.0
    dark_s = card_number(dark, "EXPTIME")
    if dark_s is None or dark_s <= 0:
        raise CalibrationError(f"dark exposure time is {dark_s} s: it cannot be compared or scaled")
    same = abs(exptime_s - dark_s) <= calibration.exptime_tolerance_s
    if calibration.dark_scaling == "exact":
        if not same:
            raise CalibrationError(
                f"dark of {dark_s:g} s for a frame of {exptime_s:g} s; dark_scaling is 'exact'"
            )
        return 1.0
    if exptime_s > dark_s and not same and not calibration.dark_scale_up:
        raise CalibrationError(
            f"dark of {dark_s:g} s is shorter than the frame's {exptime_s:g} s; "
            "take longer darks or set dark_scale_up"
        )
    return exptime_s / dark_s


def check_shape(header: FrameHeader, master: Image | None, name: str) -> None:
    """Nothing happens when the master fits the frame.

    Raises
    ------
    CalibrationError
        It has another shape.
    """
    if master is not None and master.sci.shape != header.trimmed_shape:
        raise CalibrationError(
            f"{name} has shape {master.sci.shape}, the trimmed frame {header.trimmed_shape}"
        )


def require(master: Image | None, name: str, policy: Missing) -> tuple[str, ...]:
    """Flags for a master that is missing: none when it is there.

    Raises
    ------
    MissingMaster
        It is None and the policy is 'stop'.
    """
    if master is not None:
        return ()
    if policy == "stop":
        raise MissingMaster(
            f"no master {name}, and missing_{name} is 'stop': provide one, or set it to 'flag'"
        )
    return (f"no_{name}",)


def bias_digest(bias: Image) -> str:
    """Short text by which a dark remembers the bias that was taken from it."""
    rows = np.ascontiguousarray(bias.sci[::_DIGEST_ROWS])
    return f"{zlib.crc32(rows.tobytes()):08x}"


def inherited_flags(master: Image | None, name: str) -> tuple[str, ...]:
    """What the master itself went without, as flags of what it is applied to."""
    if master is None:
        return ()
    return tuple(f"{name}_{flag}" for flag in flags_of(master) if flag.startswith("no_"))


def _unscaled(k: float, exptime_s: float, calibration: Calibration) -> float:
    if k == 0 or abs(exptime_s - exptime_s / k) > calibration.exptime_tolerance_s:
        raise CalibrationError(
            f"dark contains the bias and would be scaled by {k:g}: scaling needs a master bias"
        )
    return 1.0


def _bias_terms(
    bias: Image | None, dark: Image, k: float, *, contains_bias: bool
) -> tuple[float, float]:
    if bias is None:
        return 0.0, 0.0
    if contains_bias:
        return 1.0 - k, (1.0 - k) ** 2
    if card_value(dark, "BIASID") == bias_digest(bias):
        return 1.0, 1.0 - 2.0 * k
    return 1.0, 1.0
