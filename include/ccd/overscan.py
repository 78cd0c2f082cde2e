"""From the raw array to the image: overscan level subtracted, data sections placed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from include.ccd.errors import CalibrationError
from include.ccd.raw import RawFrame
from include.ccd.sections import Amplifier, Section

Estimator = Literal["median", "mean", "none"]
Levels = npt.NDArray[np.float32]
Pixels = npt.NDArray[Any]

_UINT16_CEILING = 65535.0


@dataclass(frozen=True, slots=True)
class Window:
    """Some rows of one amplifier, before anything is done to them.

    Attributes
    ----------
    amplifier : int
        Index into the header's amplifiers.
    raw : uint16 or float32 (n, raw nx)
        Whole raw rows, C-contiguous.
    x0 : int
        First data column in `raw`.
    level : float32 (n,)
        Overscan level of each row in ADU; without overscan the amplifier's pedestal, 0 as a rule.
    placed : Section
        Where the data pixels of these rows go in the trimmed image.
    """

    amplifier: int
    raw: Pixels
    x0: int
    level: Levels
    placed: Section

    @property
    def data(self) -> Pixels:
        """The data pixels (n, nx) in ADU, as read."""
        return self.raw[:, self.x0 : self.x0 + self.placed.shape[1]]


@dataclass
class TrimmedFrame:
    """A raw frame seen through its geometry; a `Plane` of overscan-corrected values.

    Parameters
    ----------
    frame : RawFrame
    overscan : {'median', 'mean', 'none'}
        Estimator of the level. Where the overscan spans the rows of the data there is a level
        for each row; elsewhere (rows before or after the data) one for the amplifier.
    drop_saturated : bool
        Whether `read_rows` gives NaN for pixels at or above the saturation level.

    Raises
    ------
    CalibrationError
        A section lies outside the raw array.
    """

    frame: RawFrame
    overscan: Estimator = "median"
    drop_saturated: bool = False
    _constant: dict[int, float] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        for amplifier in self.frame.header.amplifiers:
            for section in (amplifier.data, amplifier.overscan):
                if section is not None and not section.within(self.frame.shape):
                    raise CalibrationError(
                        f"section {section.fits()} lies outside the raw array of "
                        f"{self.frame.shape[1]} x {self.frame.shape[0]} pixels"
                    )

    @property
    def shape(self) -> tuple[int, int]:
        """(ny, nx) of the trimmed image."""
        return self.frame.header.trimmed_shape

    @cached_property
    def saturation_adu(self) -> float:
        """Raw level from which a pixel is saturated; without one, where 16 bits end."""
        level = self.frame.header.saturation_adu
        return _UINT16_CEILING if level is None else level

    @cached_property
    def untouched(self) -> bool:
        """Whether the raw array is the image already."""
        amplifiers = self.frame.header.amplifiers
        whole = Section.whole(self.frame.shape)
        return (
            len(amplifiers) == 1
            and amplifiers[0].data == amplifiers[0].placed == whole
            and not has_level(amplifiers[0], self.overscan)
            and not amplifiers[0].pedestal_adu
        )

    def read_rows(self, y0: int, y1: int) -> Pixels:
        """Rows y0 ≤ y < y1 of the image (y1 − y0, nx) in ADU.

        float32, NaN where no amplifier writes; as read (uint16 stays uint16) where the raw array
        is the image already and nothing is to be dropped.
        """
        if self.untouched and not self.drop_saturated:
            return self.frame.read_rows(y0, y1)
        rows = np.full((y1 - y0, self.shape[1]), np.nan, np.float32)
        for window in self.windows(y0, y1):
            data = window.data
            target = rows[window.placed.y0 - y0 : window.placed.y1 - y0]
            target = target[:, window.placed.x0 : window.placed.x1]
            np.subtract(data, window.level[:, None], out=target, dtype=np.float32)
            if self.drop_saturated:
                target[data >= self.saturation_adu] = np.nan
        return rows

    def windows(self, y0: int, y1: int) -> Iterator[Window]:
        """The parts of every amplifier that fall on rows y0 ≤ y < y1 of the image."""
        read: dict[tuple[int, int], Pixels] = {}
        for index, amplifier in enumerate(self.frame.header.amplifiers):
            placed = amplifier.placed
            top, bottom = max(placed.y0, y0), min(placed.y1, y1)
            if top >= bottom:
                continue
            shift = amplifier.data.y0 - placed.y0
            span = (top + shift, bottom + shift)
            if span not in read:
                read[span] = np.ascontiguousarray(self.frame.read_rows(*span))
            yield Window(
                amplifier=index,
                raw=read[span],
                x0=amplifier.data.x0,
                level=self._level(index, amplifier, read[span]),
                placed=Section(top, bottom, placed.x0, placed.x1),
            )

    def _level(self, index: int, amplifier: Amplifier, raw: Pixels) -> Levels:
        section = amplifier.overscan
        if section is None or self.overscan == "none":
            return np.full(raw.shape[0], amplifier.pedestal_adu, np.float32)
        if spans_rows(amplifier):
            return row_levels(raw[:, section.x0 : section.x1], estimator=self.overscan)
        if index not in self._constant:
            pixels = self.frame.read_rows(section.y0, section.y1)[:, section.x0 : section.x1]
            flat = pixels.reshape(1, -1)
            self._constant[index] = float(row_levels(flat, estimator=self.overscan)[0])
        return np.full(raw.shape[0], self._constant[index], np.float32)


def has_level(amplifier: Amplifier, estimator: Estimator) -> bool:
    """Whether an overscan level will be subtracted from this amplifier."""
    return amplifier.overscan is not None and estimator != "none"


def spans_rows(amplifier: Amplifier) -> bool:
    """Whether the overscan has pixels in every row of the data."""
    section, data = amplifier.overscan, amplifier.data
    return section is not None and section.y0 <= data.y0 and data.y1 <= section.y1


def row_levels(pixels: Pixels, *, estimator: Estimator) -> Levels:
    """Level of each row (n,) in ADU, from its finite overscan pixels (n, m); NaN without any."""
    reduce = np.median if estimator == "median" else np.mean
    if pixels.dtype.kind != "f" or bool(np.isfinite(pixels).all()):
        return np.asarray(reduce(pixels, axis=1, keepdims=False), np.float32)
    levels = np.full(pixels.shape[0], np.nan, np.float32)
    for row, values in enumerate(pixels):
        finite = values[np.isfinite(values)]
        if finite.size:
            levels[row] = reduce(finite)
    return levels


def level_variance_factor(amplifier: Amplifier, estimator: Estimator) -> float:
    """Variance of a level in units of the variance of one overscan pixel.

    Notes
    -----
    1/n for the mean of n pixels; π/(2n) for their median (asymptotic, normal values).
    """
    section = amplifier.overscan
    if section is None or estimator == "none":
        return 0.0
    ny, nx = section.shape
    pixels = nx if spans_rows(amplifier) else nx * ny
    return (np.pi / 2 if estimator == "median" and pixels > 2 else 1.0) / pixels
