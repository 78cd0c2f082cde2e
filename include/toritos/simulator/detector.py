"""A CCD whose every defect is known: bias structure, dark current, response, bad pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from include.toritos.simulator.streams import stream, stripes

Plane = NDArray[np.float32]
Mask = NDArray[np.bool_]

# Only + − × ÷ and square roots act on whole planes here: they are correctly rounded everywhere,
# while exp, pow and cos of numpy differ in the last bit between processors.


@dataclass(frozen=True, slots=True)
class DetectorSpec:
    """What is true of the simulated camera, whatever its size.

    Hot pixels have 100 to 2000 times the dark current of the others, dead ones a response
    below 0.04. Gain, read noise and saturation are those of the instrument profile ``toritos``.
    """

    gain_e_per_adu: float = 1.5
    read_noise_e: float = 8.0
    saturation_adu: int = 65000
    pixel_um: float = 14.0
    bias_level_adu: float = 1000.0
    bias_gradient_adu: float = 6.0
    bias_column_rms_adu: float = 1.5
    dark_e_per_s: float = 0.05
    dark_rms_fraction: float = 0.1
    glow_e_per_s: float = 0.2
    hot_fraction: float = 2e-4
    hot_low_e_per_s: float = 5.0
    hot_high_e_per_s: float = 100.0
    dead_fraction: float = 1e-4
    dead_high_response: float = 0.04
    dead_column: int | None = None
    pixel_response_rms: float = 0.01
    corner_vignetting: float = 0.15
    dust_per_megapixel: float = 20.0
    cosmics_per_cm2_s: float = 0.08


class Detector:
    """The planes of one camera; made once, the same on every night of a seed.

    Parameters
    ----------
    spec : DetectorSpec
        Constants of the camera.
    size_px : int
        Side of the square frame.
    seed : int
        Seed of the simulated world.
    """

    def __init__(self, spec: DetectorSpec, *, size_px: int, seed: int) -> None:
        self.spec = spec
        self.size_px = size_px
        self._seed = seed
        self._responses: dict[str, Plane] = {}

    def _stream(self, *purpose: str) -> np.random.Generator:
        return stream(self._seed, "detector", str(self.size_px), *purpose)

    @cached_property
    def bias_adu(self) -> Plane:
        """Mean raw level of an exposure of zero seconds, float32 (ny, nx), ADU."""
        spec, n = self.spec, self.size_px
        columns = spec.bias_column_rms_adu * self._stream("bias").standard_normal(n)
        edge = 4.0 * spec.bias_gradient_adu / (1.0 + np.arange(n) / 8.0) ** 2
        ramp = spec.bias_gradient_adu * np.arange(n) / n
        plane = spec.bias_level_adu + columns[None, :] + edge[None, :] + ramp[:, None]
        return np.asarray(plane, dtype=np.float32)

    @cached_property
    def dark_e_per_s(self) -> Plane:
        """Dark current, float32 (ny, nx), electrons per second; amplifier glow in one corner."""
        spec, n = self.spec, self.size_px
        rng = self._stream("dark")
        plane = np.empty((n, n), dtype=np.float32)
        far = (np.arange(n)[::-1] / (n / 6.0)) ** 2
        for rows in stripes(n):
            scatter = rng.standard_normal((rows.stop - rows.start, n)) * spec.dark_rms_fraction
            glow = spec.glow_e_per_s / (1.0 + far[rows, None] + far[None, :]) ** 2
            plane[rows] = np.maximum(spec.dark_e_per_s * (1.0 + scatter) + glow, 0.0)
        ratio = spec.hot_high_e_per_s / spec.hot_low_e_per_s
        share = rng.random(int(self.hot.sum()))
        plane[self.hot] = spec.hot_low_e_per_s * ratio**share
        return plane

    @cached_property
    def _defects(self) -> tuple[Mask, Mask]:
        spec, n = self.spec, self.size_px
        hot_count, dead_count = (
            math.ceil(part * n * n) for part in (spec.hot_fraction, spec.dead_fraction)
        )
        chosen = self._stream("defects").choice(n * n, hot_count + dead_count, replace=False)
        hot, dead = np.zeros((2, n, n), dtype=np.bool_)
        hot.flat[chosen[:hot_count]] = True
        dead.flat[chosen[hot_count:]] = True
        if spec.dead_column is not None:
            dead[:, spec.dead_column] = True
        return hot & ~dead, dead

    @property
    def hot(self) -> Mask:
        """Pixels of strong dark current, bool (ny, nx); none of them is dead."""
        return self._defects[0]

    @property
    def dead(self) -> Mask:
        """Pixels that hardly see light, bool (ny, nx)."""
        return self._defects[1]

    @property
    def good(self) -> Mask:
        """Pixels neither hot nor dead, bool (ny, nx)."""
        return ~(self.hot | self.dead)

    def response(self, filter_name: str) -> Plane:
        """Return the flat response through one filter.

        Parameters
        ----------
        filter_name : str
            Filter; vignetting and pixel sensitivities are shared, the dust lies on the filter.

        Returns
        -------
        ndarray of float32, shape (ny, nx)
            Relative response; its median over the good pixels is 1.
        """
        if filter_name not in self._responses:
            self._responses[filter_name] = self._make_response(filter_name)
        return self._responses[filter_name]

    def _make_response(self, filter_name: str) -> Plane:
        n, rms = self.size_px, self.spec.pixel_response_rms
        rng = self._stream("pixel response")
        plane = np.empty((n, n), dtype=np.float32)
        for rows in stripes(n):
            pixels = 1.0 + rms * rng.standard_normal((rows.stop - rows.start, n))
            plane[rows] = self._vignetting(rows) * pixels
        self._add_dust(plane, filter_name)
        plane /= np.median(plane[self.good])
        count = int(self.dead.sum())
        plane[self.dead] = self.spec.dead_high_response * self._stream("dead").random(count)
        return plane

    def _vignetting(self, rows: slice) -> NDArray[np.float64]:
        """Return cos⁴ θ = (1 + tan² θ)⁻² around an optical axis off the centre of the chip."""
        n = self.size_px
        steepness = 2.0 * (1.0 / math.sqrt(1.0 - self.spec.corner_vignetting) - 1.0) / n**2
        y_px, x_px = np.arange(n)[rows] - 0.47 * n, np.arange(n) - 0.52 * n
        tangent_squared = steepness * (y_px[:, None] ** 2 + x_px[None, :] ** 2)
        return np.asarray(1.0 / (1.0 + tangent_squared) ** 2)

    def _add_dust(self, plane: Plane, filter_name: str) -> None:
        """Darken the rings that out-of-focus grains on the filter cast."""
        rng = self._stream("dust", filter_name)
        for _ in range(math.ceil(self.spec.dust_per_megapixel * plane.size / 1e6)):
            x_px, y_px = rng.random(2) * self.size_px
            outer_px, depth = 8.0 + 12.0 * rng.random(), 0.02 + 0.05 * rng.random()
            y0, x0 = (max(0, int(centre - outer_px)) for centre in (y_px, x_px))
            part = plane[y0 : int(y_px + outer_px) + 2, x0 : int(x_px + outer_px) + 2]
            y_off, x_off = (
                np.arange(part.shape[0]) + y0 - y_px,
                np.arange(part.shape[1]) + x0 - x_px,
            )
            radius = np.sqrt(y_off[:, None] ** 2 + x_off[None, :] ** 2) / outer_px
            # A parabola between 0.3 and 1 outer radii: shadow of a telescope with an obstruction.
            part *= 1.0 - depth * np.maximum((radius - 0.3) * (1.0 - radius) / 0.1225, 0.0)
