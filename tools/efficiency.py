"""Which part of new stars is found, against their brightness: injected into simulated frames.

``python -m tools.efficiency`` prints the figures and writes ``docs/images/efficiency.png``, for the
functions on perfectly calibrated frames and for the steps on raw ones.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from include.ccd.align import Resampled, find_alignment
from include.ccd.candidates import find_candidates
from include.ccd.coadd import ImageLayer, coadd
from include.ccd.comparing import Coadding, Confirming, Detecting, Differencing
from include.ccd.confirm import find_clusters
from include.ccd.difference import subtract
from include.ccd.forced import flux_noise
from include.ccd.image import Image
from include.ccd.mask import MaskBit
from include.ccd.sources import find_sources
from include.toritos.simulator import NightPlan, Truth
from include.toritos.simulator.sky import SkySpec, add_star, moffat_alpha_px
from tools.efficiency_night import look_for_new_stars

FIGURE = Path("docs/images/efficiency.png")
READ_NOISE_E, SATURATED_E = 8.0, 90_000.0
REFERENCE_FRAMES, MARGIN_PX, FOUND_PX = 5, 40, 2.0
FAINTEST, BRIGHTEST = 1.0, -2.5


@dataclass(frozen=True)
class Efficiency:
    """What became of injected stars.

    Attributes
    ----------
    mag
        Of each, relative to the 5 sigma limit of one difference; brighter is negative.
    found
        Whether it was confirmed.
    false_per_frame
        Confirmed candidates that nobody injected, over the searched frames.
    frames
        That were searched.
    """

    mag: np.ndarray[Any, Any]
    found: np.ndarray[Any, Any]
    false_per_frame: float
    frames: int

    def within(self, low: float, high: float) -> float:
        """Part found of those between two magnitudes."""
        inside = (self.mag >= low) & (self.mag < high)
        return float(self.found[inside].mean()) if inside.any() else float("nan")


def measure(*, size_px: int, frames: int, stars: int, seed: int) -> Efficiency:
    """Inject `stars` new stars into each of `frames` frames, and look for them.

    Frames are those of the simulator as a perfect calibration leaves them, with their noise; they
    are aligned by their own sources, subtracted, searched and confirmed with default settings.
    """
    sky = SkySpec(stars_per_megapixel=600.0, transient_e_per_s=1e-6, variable_amplitude=0.0)
    plan = NightPlan.demo(date(2026, 11, 20), size_px=size_px, seed=seed)
    truth = Truth(replace(plan, science={"V": REFERENCE_FRAMES + frames}, sky=sky))
    rng = np.random.default_rng(seed)
    first = exposed_frame(truth, 0)
    stars_of_first = star_places(first)
    aligned = {0: first}
    reference = None
    limit_e, places, flux_e, seen = 0.0, np.empty((0, 2)), np.empty(0), []
    for n in range(1, REFERENCE_FRAMES + frames):
        if n == REFERENCE_FRAMES:
            layers = [ImageLayer(image) for image in aligned.values()]
            reference = coadd(layers, coadding=Coadding())
            limit_e = _limit(truth, reference, stars_of_first)
            places = rng.uniform(MARGIN_PX, size_px - MARGIN_PX, (stars, 2))
            mag = rng.uniform(BRIGHTEST, FAINTEST, stars)
            flux_e = limit_e * 10 ** (-0.4 * mag)
        image = aligned_frame(truth, n, stars_of_first, (places, flux_e))
        if reference is None:
            aligned[n] = image
            continue
        difference = subtract(image, reference, differencing=Differencing())
        found = find_candidates(difference, image, reference, detection=Detecting())
        seen += [(n, each.x_px, each.y_px, each.significance) for each in found if each.real]
    return _judge(np.array(seen).reshape(-1, 4), places, mag, frames)


def _judge(
    seen: np.ndarray[Any, Any],
    places: np.ndarray[Any, Any],
    mag: np.ndarray[Any, Any],
    frames: int,
) -> Efficiency:
    confirming = Confirming()
    clusters = find_clusters(
        seen[:, 1], seen[:, 2], seen[:, 3], seen[:, 0].astype(int), radius_px=confirming.radius_px
    )
    confirmed = [each for each in clusters if len(each.members) >= confirming.min_detections]
    at = np.array([(each.x_px, each.y_px) for each in confirmed]).reshape(-1, 2)
    return _compare(mag, places, at, frames)


def _compare(
    mag: np.ndarray[Any, Any],
    places: np.ndarray[Any, Any],
    candidates: np.ndarray[Any, Any],
    frames: int,
) -> Efficiency:
    """Which of the injected stars are among the candidates, and how many of these are of none."""
    near = np.linalg.norm(candidates[:, None] - places[None], axis=2) <= FOUND_PX
    return Efficiency(mag, near.any(axis=0), int((~near.any(axis=1)).sum()) / frames, frames)


def measure_steps(*, size_px: int, frames: int, stars: int, seed: int) -> Efficiency:
    """As `measure`, but in raw frames of a night that the steps of the pipeline reduce."""
    found = look_for_new_stars(size_px=size_px, frames=frames, stars=stars, seed=seed)
    return _compare(*found, frames)


def together(results: Sequence[Efficiency]) -> Efficiency:
    """Several fields as one."""
    return Efficiency(
        np.concatenate([each.mag for each in results]),
        np.concatenate([each.found for each in results]),
        float(np.mean([each.false_per_frame for each in results])),
        sum(each.frames for each in results),
    )


def exposed_frame(truth: Truth, frame: int, light: Any = None) -> Image:
    """A frame as a perfect calibration would leave it, with its noise."""
    light = truth.image(frame) if light is None else light
    rng = np.random.default_rng(1000 + frame)
    sci = rng.poisson(light) + rng.normal(0, READ_NOISE_E, light.shape)
    mask = np.where(light > SATURATED_E, np.uint16(MaskBit.SATURATED), np.uint16(0))
    var = np.maximum(sci, 0) + READ_NOISE_E**2
    sci -= np.median(sci)
    return Image(sci.astype(np.float32), var.astype(np.float32), mask, unit="electron")


def star_places(image: Image) -> np.ndarray[Any, Any]:
    """Places (n, 2) of the sources of a frame that are not saturated, the brightest first."""
    table = find_sources(image, exptime_s=60.0).table
    good = table[(table["flags"] & 2) == 0]
    return np.column_stack([good["x_px"], good["y_px"]])


def aligned_frame(truth: Truth, frame: int, stars: Any, new: tuple[Any, Any]) -> Image:
    """A frame with new stars, on the pixels of the first."""
    light = truth.image(frame)
    ours, first = truth.conditions(frame), truth.conditions(0)
    dither = ours.x_dither_px - first.x_dither_px, ours.y_dither_px - first.y_dither_px
    through = ours.transparency / first.transparency
    for (x, y), flux_e in zip(*new, strict=True):
        add_star(
            light,
            x_px=x + dither[0],
            y_px=y + dither[1],
            flux_e=flux_e * through,
            alpha_px=moffat_alpha_px(ours.fwhm_px),
        )
    image = exposed_frame(truth, frame, light)
    found = find_alignment(stars, star_places(image), shape=image.sci.shape)
    return Resampled(image, found.transform, shape=image.sci.shape).image()


def _limit(truth: Truth, reference: Image, stars: Any) -> float:
    """Flux of 5 sigma on a typical difference, in electrons of the first frame."""
    image = aligned_frame(truth, REFERENCE_FRAMES, stars, (np.empty((0, 2)), np.empty(0)))
    difference = subtract(image, reference, differencing=Differencing())
    return 5.0 * flux_noise(difference.on_reference_scale(), difference.psf).error


def draw(results: Mapping[str, Efficiency], path: Path) -> None:
    """Draw the part found in bins of a quarter of a magnitude."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    edges = np.arange(BRIGHTEST, FAINTEST + 0.01, 0.25)
    middles = (edges[1:] + edges[:-1]) / 2
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for name, result in results.items():
        parts = [result.within(low, high) for low, high in pairwise(edges)]
        axes.step(middles, parts, where="mid", marker="o", label=name)
    axes.axvline(-1.0, linestyle=":", label="1 mag above the limit")
    axes.axhline(0.95, linestyle="--", label="95 %")
    axes.set(xlabel="magnitude relative to the 5 sigma limit of one image", ylabel="part found")
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main() -> int:
    """Measure on several fields, print the figures, draw the curves."""
    ways = {
        "functions, on perfectly calibrated frames": measure,
        "steps, from raw frames": measure_steps,
    }
    results = {
        name: together([way(size_px=1024, frames=6, stars=80, seed=seed) for seed in (11, 12, 13)])
        for name, way in ways.items()
    }
    draw(results, FIGURE)
    for name, whole in results.items():
        sys.stdout.write(
            f"{name}: {len(whole.mag)} injected into {whole.frames} frames; "
            f"found of those 1 mag or more above the limit: {whole.within(-9.0, -1.0):.1%}; "
            f"0.5 to 1 mag: {whole.within(-1.0, -0.5):.1%}; at the limit: "
            f"{whole.within(-0.25, 0.25):.1%}; "
            f"false candidates per frame {whole.false_per_frame:.2f}\n"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
