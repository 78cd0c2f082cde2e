"""The truth behind a simulated night: what a perfect reduction would find."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from include.toritos.simulator.conditions import Conditions, conditions_of, julian_date
from include.toritos.simulator.cosmics import cosmic_hits
from include.toritos.simulator.detector import Detector, Mask, Plane
from include.toritos.simulator.plan import Exposure, NightPlan
from include.toritos.simulator.readout import Hits, expose
from include.toritos.simulator.sky import (
    TRANSIENT_NAME,
    VARIABLE_NAME,
    Catalogue,
    add_star,
    colour_factor,
    make_catalogue,
    moffat_alpha_px,
)
from include.toritos.simulator.streams import stream

_VARIABLE_EPOCH_JD = 2461000.0


class Truth:
    """Everything that is known of a simulated night; computed when asked, never stored.

    Convention of the light: ``image(k)`` is the number of electrons that pixel (y, x) is
    expected to collect during exposure k from sky and stars together if its response were 1,
    where the response is scaled so that its median over the good pixels (neither hot nor dead)
    is 1. Bias, dark current, cosmic rays and noise are not in it, the sky is, and nothing is
    clipped. Hence, for good pixels without saturation or cosmic ray, the expectation of
    ``gain × (raw − bias − dark) / response`` is ``image(k)``.

    A frame is named by its file name, or by its 0-based place among the science frames of the
    plan in order of time.

    Parameters
    ----------
    plan : NightPlan
        The night.

    Attributes
    ----------
    detector : Detector
        Bias (ADU), dark current (e/s), response (median 1), hot and dead pixels.
    exposures, science : tuple of Exposure
        The plan in order of time; its science exposures.
    catalogue : Catalogue
        The stars.
    """

    def __init__(self, plan: NightPlan) -> None:
        self.plan = plan
        self.detector = Detector(plan.detector, size_px=plan.size_px, seed=plan.seed)
        self.exposures: tuple[Exposure, ...] = tuple(plan.exposures())
        self.science = tuple(each for each in self.exposures if each.kind == "science")

    @cached_property
    def catalogue(self) -> Catalogue:
        """The stars of the field, made when first asked for."""
        return make_catalogue(self.plan.sky, size_px=self.plan.size_px, seed=self.plan.seed)

    def exposure(self, frame: int | str | Exposure) -> Exposure:
        """Return the exposure that a place, a file name or an exposure stands for.

        Raises
        ------
        KeyError
            When no frame of the plan has that name.
        """
        if isinstance(frame, Exposure):
            return frame
        if isinstance(frame, int):
            return self.science[frame]
        for exposure in self.exposures:
            if exposure.name == frame:
                return exposure
        raise KeyError(f"no frame {frame!r} in the plan of {self.plan.night}")

    def conditions(self, frame: int | str | Exposure) -> Conditions:
        """Return start, seeing, airmass, dither and sky of a frame."""
        return conditions_of(self.plan, self.exposure(frame))

    def star_flux_e(self, frame: int | str | Exposure) -> NDArray[np.float64]:
        """Return the electrons of each catalogue star in a science frame.

        Returns
        -------
        ndarray of float64, shape (n_stars,)
            Total of the profile, after extinction, for response 1; 0 for the transient when
            it is off.
        """
        exposure = self.exposure(frame)
        conditions = self.conditions(exposure)
        rate = self.catalogue.flux_e_per_s * colour_factor(self.catalogue, exposure.filter or "")
        flux_e = rate * exposure.exptime_s * conditions.transparency
        flux_e[self.catalogue.index(VARIABLE_NAME)] *= self._variation(exposure)
        if not self.transient_on(exposure):
            flux_e[self.catalogue.index(TRANSIENT_NAME)] = 0.0
        return np.asarray(flux_e)

    def transient_on(self, frame: int | str | Exposure) -> bool:
        """Return whether the transient shines in a science frame."""
        sky = self.plan.sky
        return sky.transient_first <= self.exposure(frame).index <= sky.transient_last

    def _variation(self, exposure: Exposure) -> float:
        """Return the flux of the variable star over its mean, at the middle of the exposure."""
        middle_s = exposure.exptime_s / 2.0
        days = julian_date(self.conditions(exposure).starts_at) - _VARIABLE_EPOCH_JD
        phase = (days + middle_s / 86400.0) / self.plan.sky.variable_period_d
        return round(1.0 + self.plan.sky.variable_amplitude * math.sin(2.0 * math.pi * phase), 6)

    def image(self, frame: int | str | Exposure) -> Plane:
        """Return what a perfect calibration of a science frame should give.

        Returns
        -------
        ndarray of float32, shape (ny, nx)
            Electrons above zero, by the convention of the class.
        """
        exposure = self.exposure(frame)
        conditions = self.conditions(exposure)
        plane = np.full((self.plan.size_px, self.plan.size_px), conditions.sky_e, np.float32)
        alpha_px = moffat_alpha_px(conditions.fwhm_px)
        x_px = self.catalogue.x_px + conditions.x_dither_px
        y_px = self.catalogue.y_px + conditions.y_dither_px
        for x, y, flux_e in zip(x_px, y_px, self.star_flux_e(exposure), strict=True):
            if flux_e > 0.0:
                add_star(plane, x_px=x, y_px=y, flux_e=flux_e, alpha_px=alpha_px)
        return plane

    def raw(self, frame: int | str | Exposure) -> NDArray[np.uint16]:
        """Return the raw frame, uint16 (ny, nx), ADU: exactly the pixels of the file."""
        exposure = self.exposure(frame)
        light_e: Plane | float = 0.0
        if exposure.kind == "flat":
            light_e = self.conditions(exposure).lamp_adu * self.plan.detector.gain_e_per_adu
        elif exposure.kind == "science":
            light_e = self.image(exposure)
        return expose(
            self.detector,
            light_e=light_e,
            filter_name=exposure.filter,
            exptime_s=exposure.exptime_s,
            hits=self._hits(exposure),
            rng=stream(self.plan.seed, "noise", str(self.plan.night), exposure.name),
        )

    def _hits(self, exposure: Exposure) -> Hits:
        spec, n = self.plan.detector, self.plan.size_px
        area_cm2 = (n * spec.pixel_um * 1e-4) ** 2
        rng = stream(self.plan.seed, "cosmics", str(self.plan.night), exposure.name)
        mean_count = spec.cosmics_per_cm2_s * area_cm2 * exposure.exptime_s
        return cosmic_hits(rng, size_px=n, mean_count=mean_count)

    def cosmic(self, frame: int | str | Exposure) -> Mask:
        """Return the pixels of a frame that a cosmic ray hit, bool (ny, nx)."""
        mask = np.zeros((self.plan.size_px, self.plan.size_px), dtype=np.bool_)
        mask.flat[self._hits(self.exposure(frame))[0]] = True
        return mask

    def saturated(self, frame: int | str | Exposure) -> Mask:
        """Return the pixels of a frame that are at the saturation level, bool (ny, nx)."""
        return np.asarray(self.raw(frame) >= self.plan.detector.saturation_adu)

    def summary(self) -> dict[str, Any]:
        """Return plan, stars, bad pixels and frames as values that JSON can hold."""
        plan = asdict(self.plan) | {"night": str(self.plan.night)}
        plan["darks"] = {f"{seconds:g}": count for seconds, count in self.plan.darks.items()}
        stars = self.catalogue
        return {
            "plan": plan,
            "stars": [
                {"name": name, "x_px": float(x), "y_px": float(y), "flux_e_per_s": float(flux)}
                for name, x, y, flux in zip(
                    stars.names, stars.x_px, stars.y_px, stars.flux_e_per_s, strict=True
                )
            ],
            "hot_yx": np.argwhere(self.detector.hot).tolist(),
            "dead_yx": np.argwhere(self.detector.dead).tolist(),
            "frames": [self._frame_summary(exposure) for exposure in self.exposures],
        }

    def _frame_summary(self, exposure: Exposure) -> dict[str, Any]:
        conditions = self.conditions(exposure)
        row: dict[str, Any] = asdict(exposure) | asdict(conditions)
        row["starts_at"] = conditions.starts_at.isoformat()
        if exposure.kind == "science":
            flux_e = self.star_flux_e(exposure)
            row["variable_e"] = float(flux_e[self.catalogue.index(VARIABLE_NAME)])
            row["transient_e"] = float(flux_e[self.catalogue.index(TRANSIENT_NAME)])
        return row

    def write_json(self, path: Path) -> None:
        """Write ``summary()`` to a file that stands outside of the inbox."""
        path.write_text(json.dumps(self.summary(), indent=1) + "\n", encoding="utf-8")
